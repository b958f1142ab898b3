"""What is decided for good, packed: with us until it is archived, and again for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Kept(Mapping[str, bytes]):
    """Packed things by key. `new` are those not archived yet; the others were recalled for the decisions at hand.

    `bytes` in a dict are a third of the memory of objects, and the garbage collector never visits them.
    """

    __slots__ = ("_recalled", "new")

    def __init__(self) -> None:
        self.new: dict[str, bytes] = {}
        self._recalled: dict[str, bytes] = {}

    def put(self, key: str, packed: bytes) -> None:
        """Keep it; in place of what was archived under this key, if anything was."""
        self.new[key] = packed

    def drop(self, key: str) -> None:
        """It is not decided for good any more. What the archive has of it stays there until it is put again."""
        self.new.pop(key, None)
        self._recalled.pop(key, None)

    def find(self, key: str) -> bytes | None:
        """What `get` gives, without an exception for each key that is not there."""
        found = self.new.get(key)
        return found if found is not None else self._recalled.get(key)

    def archived(self) -> None:
        """All that was new is written where `recall` will find it: let it go."""
        self.new = {}

    def recall(self, packed: Mapping[str, bytes]) -> None:
        """Have these at hand; those recalled before go."""
        self._recalled = dict(packed)

    def __getitem__(self, key: str) -> bytes:
        found = self.find(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self.new or key in self._recalled

    def __iter__(self) -> Iterator[str]:
        yield from self.new
        yield from (key for key in self._recalled if key not in self.new)

    def __len__(self) -> int:
        return len(self.new) + sum(key not in self.new for key in self._recalled)
