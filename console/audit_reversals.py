"""Reversals, checked from the entries alone: what was posted is taken back exactly, and on the payee's word."""

from __future__ import annotations

from array import array

from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.outcome import Verdict
from schemas.reversal import Posted

KINDS = frozenset(
    {EntryKind.REVERSING, EntryKind.REVERSED, EntryKind.REVERSAL_REFUSED, EntryKind.REVERSAL_MANUAL}
)  # fmt: skip
_DISPATCH = "dispatch"
_UNSIGNED = frozenset({_DISPATCH, "funds", "registry", "timer"})
_BY_HAND = frozenset({EntryKind.REVERSED, EntryKind.REVERSAL_REFUSED})


class ReversalAudit:
    """Sees every entry about a payment once, each partition in its order. posted_at: by the payment's number."""

    def __init__(self) -> None:
        self.check = Check("payments.reversals")
        self._posted_at = array("q")
        self._under_way: dict[str, Posted] = {}
        self._closed: set[tuple[str, str]] = set()  # book, account of an agent that is closed

    def terms(self, entry: Entry) -> None:
        """An agent's terms were set."""
        if entry.agent is not None and entry.agent.status == "closed":
            self._closed.add((entry.book, f"agent:{entry.agent.agent}"))

    def see(self, partition: int, offset: int, entry: Entry, facts: PaymentFacts, number: int, state: str) -> None:
        """number: the payment's. state: before the entry."""
        if entry.kind is EntryKind.POSTED:
            self._posted_at.extend([0] * (number + 1 - len(self._posted_at)))
            self._posted_at[number] = entry.at
        if entry.kind not in KINDS:
            return
        self.check.looked_at += 1
        wrongs = (
            self._not_so_posted(entry, facts, number, state),
            _doubt(entry, facts, state),
            self._unlike(entry, facts),
        )
        for wrong in filter(None, wrongs):
            self.check.fail(f"{where(partition, offset, entry)}: payment {facts.id} {wrong}")
        if entry.posted is not None and entry.kind not in _BY_HAND:
            self._under_way[facts.id] = entry.posted
        elif entry.kind in _BY_HAND:
            self._under_way.pop(facts.id, None)

    def _not_so_posted(self, entry: Entry, facts: PaymentFacts, number: int, state: str) -> str | None:
        posted = entry.posted
        if posted is None or not posted.refund:
            return "does not say how it was posted, or how the payer is paid back"
        if state == "POSTED" and (len(self._posted_at) <= number or posted.at != self._posted_at[number]):
            return f"says it was posted at {posted.at}"
        if state != "POSTED" and posted != self._under_way.get(facts.id):
            return "says something else of its posting than when its reversal was asked for"
        return None

    def _unlike(self, entry: Entry, facts: PaymentFacts) -> str | None:
        """What it moved that is not its posting the other way. In which order is not ours to say."""
        due = self._due(entry, facts) if entry.kind is EntryKind.REVERSED else []
        moved = sorted((leg.account, leg.amount) for leg in entry.legs)
        if moved != sorted(line for line in due if line[1]):
            return f"should move {due}, moved {moved}"
        if any(leg.currency != facts.currency for leg in entry.legs):
            return f"is in {facts.currency}, and moved something else"
        return None

    def _due(self, entry: Entry, facts: PaymentFacts) -> list[tuple[str, int]]:
        money, payee = f"agent:{facts.payer_agent}", f"payee:{facts.payee}"
        lines = [(payee, -facts.amount), ("fee", -facts.processing), (money, facts.amount + facts.processing)]
        for account, share in facts.rewards:
            bearer = "reward" if (entry.book, account) in self._closed else account
            lines.append((bearer, -share))
        lines.append((payee, sum(share for _, share in facts.rewards)))
        if entry.posted is not None and entry.posted.refund == "change":
            back = facts.amount + facts.fee
            change = f"change:{facts.change_to}" if facts.change_to else f"change:payment:{facts.id}"
            lines += [(money, -back), (change, back)]
        return lines


def _doubt(entry: Entry, facts: PaymentFacts, state: str) -> str | None:
    """Why the entry must not be believed, if so: law 6, an unclear answer is never guessed."""
    kind, outcome, by = entry.kind, entry.outcome, entry.cause.by
    if state == "POSTED":
        return f"is asked back by {by}" if by in _UNSIGNED else None
    if state == "REVERSAL_MANUAL":
        by_hand = kind in _BY_HAND and by not in _UNSIGNED
        is_told = kind is EntryKind.REVERSED and by == _DISPATCH and entry.cause.id == facts.id
        is_told = is_told and outcome is not None and (outcome.step, outcome.verdict) == ("status", Verdict.FATAL)
        return None if by_hand or is_told else f"is decided by {by} on {entry.cause.id}, and is an operator's to decide"
    if by != _DISPATCH or entry.cause.id != facts.id or outcome is None or outcome.step != "cancel":
        return f"is decided by {by} on {entry.cause.id}, and no cancel was answered"
    if (kind is EntryKind.REVERSED) != (outcome.verdict is Verdict.CANCELLED):
        return f"is {kind} on {outcome.verdict} to a cancel"
    if kind is EntryKind.REVERSAL_REFUSED:
        is_clear = (outcome.verdict is Verdict.FATAL and entry.tries == 1) or (
            outcome.verdict is Verdict.NOT_SENT and entry.tries == 0
        )
        return None if is_clear else f"is {kind} on {outcome.verdict} to cancel {entry.tries}"
    return None
