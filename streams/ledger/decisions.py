"""What `decide` may answer."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.entry import Entry
from streams.ledger.answered import CommandState
from streams.ledger.payments import PaymentState


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Same id, same content: what was decided before, as it stands now. Exactly one of the two is given."""

    payment: PaymentState | None = None
    command: CommandState | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Same id, other content: to be quarantined. What was decided before is untouched."""

    detail: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A gateway's answer about a payment that waits for none, or a moment that was kept already: nothing to do."""

    detail: str


Decision = list[Entry] | Duplicate | Conflict | Stale
