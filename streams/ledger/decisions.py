"""What `decide` may answer."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.entry import Entry
from schemas.voucher import VoucherNote
from streams.ledger.answered import CommandState
from streams.ledger.payments import PaymentState


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Same id, same content: what was decided before, as it stands now. Either the payment or the command is given.

    voucher: what is said again of a voucher that goes with it, if one does.
    """

    payment: PaymentState | None = None
    command: CommandState | None = None
    voucher: VoucherNote | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Same id, other content: to be quarantined. What was decided before is untouched."""

    detail: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A gateway's answer about a payment that waits for none, or a moment that was kept already: nothing to do."""

    detail: str


Decision = list[Entry] | Duplicate | Conflict | Stale
