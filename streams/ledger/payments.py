"""The payments a partition knows: open ones in full, final ones packed, since a million of them must fit in memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.change import account_change, account_change_of
from schemas.entry import FINAL, EntryKind, PaymentFacts
from schemas.packed_facts import pack_facts, unpack_facts
from schemas.reversal import Posted
from streams.ledger.kept import Kept

# digest, txn, at, kept, refusal, tries, lengths of book and state; these two and the reason follow as UTF-8, and behind
# a line break of a posted payment what its reversal needs, of another the fingerprint of what is kept. It is on disk
# too: whoever changes it gives the image another version (streams/ledger/image.py).
_PACKED = struct.Struct("<16sqqqHHBB")

_OUTSTANDING = frozenset({EntryKind.HELD, EntryKind.SENT, EntryKind.UNKNOWN, EntryKind.REVERSING})


@dataclass(slots=True)
class PaymentState:
    """Where a payment stands.

    digest: 16 bytes, by which redelivery is judged. state: WAITING_FUNDS, HELD, QUEUED, SENT, UNKNOWN or MANUAL
    while open, then DECLINED, POSTED or VOIDED; a posted one opens again as REVERSING or REVERSAL_MANUAL, and is
    POSTED or REVERSED then. at: its last change, ms UTC. tries: pay (in a reversal: cancel) requests that may have
    reached the payee. deferrals: attempts since then, in a row, that did not. due_at: when to ask again, ms UTC, 0:
    not waiting. facts: None once it is final for ever. kept: what of the payer's cash is on a change account
    because of it, minor units. posted: of what is POSTED or in a reversal. mark: of one that is final for ever, under
    which fingerprint that is, "" where the order gave none.
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
    kept: int = 0
    posted: Posted | None = None
    mark: str = ""

    @property
    def is_outstanding(self) -> bool:
        """Has a gateway yet to answer? Never so where the payee is not asked online."""
        return self.state in _OUTSTANDING and self.facts is not None and not self.facts.served

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def kept_on(self) -> str:
        """The account on which its `kept` is; "" when nothing is."""
        mark = self.facts.change_to if self.facts is not None else self.mark
        return (account_change(mark) if mark else account_change_of(self.id)) if self.kept else ""


class Payments(Mapping[str, PaymentState]):
    """Payments by id. `open` holds those not final, oldest first; of a final one a copy is unpacked when asked for.

    Final ones leave memory once they are archived, and are recalled for as long as it takes to decide about them.
    """

    __slots__ = ("final", "open")

    def __init__(self) -> None:
        self.open: dict[str, PaymentState] = {}
        self.final = Kept()

    def put(self, payment: PaymentState) -> None:
        """Keep a payment in the state it is in now."""
        if payment.state in FINAL:
            self.open.pop(payment.id, None)
            self.final.put(payment.id, pack(payment))
        else:
            self.final.drop(payment.id)  # a posted one that is to be reversed is not final any more
            self.open[payment.id] = payment

    def find(self, payment: str) -> PaymentState | None:
        """What `get` gives, without an exception for each payment that is new."""
        found = self.open.get(payment)
        if found is not None:
            return found
        packed = self.final.find(payment)
        return unpack(payment, packed) if packed is not None else None

    def __getitem__(self, payment: str) -> PaymentState:
        found = self.find(payment)
        if found is None:
            raise KeyError(payment)
        return found

    def __contains__(self, payment: object) -> bool:
        return payment in self.open or payment in self.final

    def __len__(self) -> int:
        return len(self.open) + len(self.final)

    def __iter__(self) -> Iterator[str]:
        yield from self.final
        yield from self.open


def pack(payment: PaymentState) -> bytes:
    """A final payment; its facts are kept only where it may yet be reversed. `unpack` gives it back."""
    book, state = payment.book.encode(), payment.state.encode()
    numbers = payment.txn, payment.at, payment.kept, payment.refusal, payment.tries, len(book), len(state)
    packed = _PACKED.pack(payment.digest, *numbers) + book + state + payment.reason.encode()
    if payment.state is not EntryKind.POSTED:
        mark = payment.facts.change_to if payment.facts is not None and payment.kept else payment.mark
        return packed + b"\n" + mark.encode()
    assert payment.facts is not None
    assert payment.posted is not None
    return packed + b"\n" + pack_facts(payment.facts, payment.posted)


def unpack(payment: str, packed: bytes) -> PaymentState:
    """What `pack` made of the payment with this id."""
    digest, txn, at, kept, refusal, tries, book_ends, state_length = _PACKED.unpack_from(packed)
    book_ends += _PACKED.size
    state_ends = book_ends + state_length
    state, rest = EntryKind(packed[book_ends:state_ends].decode()), packed[state_ends:]
    rest, _, more = rest.rpartition(b"\n")  # there is none in what follows, whatever the reason has
    is_posted = state is EntryKind.POSTED
    facts, posted = unpack_facts(payment, txn, more) if is_posted else (None, None)
    return PaymentState(
        id=payment,
        book=packed[_PACKED.size : book_ends].decode(),
        digest=digest,
        state=state,
        txn=txn,
        at=at,
        refusal=refusal,
        reason=rest.decode(),
        tries=tries,
        facts=facts,
        kept=kept,
        mark="" if is_posted else more.decode(),
        posted=posted,
    )
