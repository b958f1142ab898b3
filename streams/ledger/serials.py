"""The serials a product ever had, eight bytes each: one that was sold years ago may not be loaded again."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable


class Serials:
    """Marks of serials (schemas.voucher.serial_mark), sorted. A set would take eight times the room."""

    __slots__ = ("_marks",)

    def __init__(self, packed: str = "") -> None:
        """packed: what `pack` gave."""
        self._marks = array("Q", bytes.fromhex(packed))

    def add(self, marks: Iterable[int]) -> None:
        """A whole batch at once: it sorts."""
        self._marks = array("Q", sorted([*self._marks, *marks]))

    def pack(self) -> str:
        """Hex, for an image."""
        return self._marks.tobytes().hex()

    def __contains__(self, mark: int) -> bool:
        place = bisect_left(self._marks, mark)
        return place < len(self._marks) and self._marks[place] == mark

    def __len__(self) -> int:
        return len(self._marks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Serials) and self._marks == other._marks

    __hash__ = None  # type: ignore[assignment]
