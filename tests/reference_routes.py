"""A second opinion on routes: which gateway is whose turn, from the rules in docs/decisions/0026."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.outcome import Verdict
from streams.ledger.commands import Place, Settle

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass
class Ways:
    """The queue of gateways of one payment: the first is its turn. moves: turns that ended without a request."""

    line: list[str] = field(default_factory=list)
    moves: int = 0

    def answered(self, command: Settle) -> bool:
        """Nothing can have been sent to the one whose turn it is. Does the next one get its turn?"""
        outcome = command.outcome
        is_check = outcome.step == "check"
        if len(self.line) < 2:
            return False
        if outcome.verdict is Verdict.FATAL and is_check and outcome.code in command.technical:
            del self.line[0]
            return True
        unsent = outcome.verdict is Verdict.NOT_SENT and outcome.step != "status"
        if not (unsent or (outcome.verdict is Verdict.UNCLEAR and is_check)):
            return False
        if (self.moves + 1) // len(self.line) >= command.retry.budget:
            return False
        self.moves += 1
        self.line.append(self.line.pop(0))
        return True


def ways_of(command: Place, full: set[str], at: int) -> Ways:
    """For payees in UTC whose routes differ in priority and are for whole days; full: have too long a line."""
    payee = command.payee
    if payee is None:
        return Ways()
    today = _DAYS[(at // 86_400_000 + 3) % 7]  # 1970 began on a Thursday
    found = [one for one in payee.routes if not one.weekdays or today in one.weekdays] if payee.routes else []
    line = [one.gateway for one in sorted(found, key=lambda one: one.priority)] or [payee.gateway]
    out = command.unwell | full
    return Ways([one for one in line if one not in out] + [one for one in line if one in out])
