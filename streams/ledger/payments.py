"""The payments a partition knows: open ones in full, final ones packed, since a million of them must fit in memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.entry import FINAL, EntryKind, PaymentFacts

# digest, txn, at, book's number, refusal, tries, state's number; the reason follows as UTF-8.
_PACKED = struct.Struct("<16sqqIHHB")
_STATES = tuple(sorted(FINAL))


@dataclass(slots=True)
class PaymentState:
    """Where a payment stands.

    digest: 16 bytes, by which redelivery is judged. state: HELD, UNKNOWN or MANUAL while open, then DECLINED, POSTED or
    VOIDED. at: its last change, ms UTC. tries: pay requests that may have reached the payee. deferrals: attempts since
    then, in a row, that did not. due_at: when to ask again, ms UTC, 0: not waiting. facts: None once final.
    """

    id: str
    book: str
    digest: bytes
    state: EntryKind
    txn: int
    at: int
    refusal: int = 0
    reason: str = ""
    tries: int = 0
    deferrals: int = 0
    due_at: int = 0
    facts: PaymentFacts | None = None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


class Payments(Mapping[str, PaymentState]):
    """All payments by id. `open` holds those not final, oldest first; of a final one a copy is unpacked when asked for.

    Final payments are `bytes` in a dict: a third of the memory of objects, and the garbage collector never visits them.
    """

    __slots__ = ("_book_numbers", "_books", "_final", "open")

    def __init__(self) -> None:
        self.open: dict[str, PaymentState] = {}
        self._final: dict[str, bytes] = {}
        self._books: list[str] = []
        self._book_numbers: dict[str, int] = {}

    def put(self, payment: PaymentState) -> None:
        """Keep a payment in the state it is in now."""
        if payment.state in FINAL:
            self.open.pop(payment.id, None)
            self._final[payment.id] = self._pack(payment)
        else:
            self.open[payment.id] = payment

    def find(self, payment: str) -> PaymentState | None:
        """What `get` gives, without an exception for each payment that is new."""
        found = self.open.get(payment)
        if found is not None:
            return found
        packed = self._final.get(payment)
        return self._unpack(payment, packed) if packed is not None else None

    def __getitem__(self, payment: str) -> PaymentState:
        found = self.find(payment)
        if found is None:
            raise KeyError(payment)
        return found

    def __contains__(self, payment: object) -> bool:
        return payment in self.open or payment in self._final

    def __len__(self) -> int:
        return len(self.open) + len(self._final)

    def __iter__(self) -> Iterator[str]:
        yield from self._final
        yield from self.open

    def _pack(self, payment: PaymentState) -> bytes:
        number = self._book_numbers.get(payment.book)
        if number is None:
            number = self._book_numbers[payment.book] = len(self._books)
            self._books.append(payment.book)
        packed = _PACKED.pack(
            payment.digest,
            payment.txn,
            payment.at,
            number,
            payment.refusal,
            payment.tries,
            _STATES.index(payment.state),
        )
        return packed + payment.reason.encode() if payment.reason else packed

    def _unpack(self, payment: str, packed: bytes) -> PaymentState:
        digest, txn, at, number, refusal, tries, state = _PACKED.unpack_from(packed)
        return PaymentState(
            id=payment,
            book=self._books[number],
            digest=digest,
            state=_STATES[state],
            txn=txn,
            at=at,
            refusal=refusal,
            reason=packed[_PACKED.size :].decode(),
            tries=tries,
        )
