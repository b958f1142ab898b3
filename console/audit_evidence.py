"""On whose word a payment changed its state, and whether that word is enough. Pure."""

from __future__ import annotations

from console.audit_registries import doubt_offline
from console.audit_reversals import KINDS as REVERSAL_KINDS
from console.audit_vouchers import doubtful_sale
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.outcome import Verdict

_DISPATCH, _FUNDS = "dispatch", "funds"
UNSIGNED = frozenset({_DISPATCH, _FUNDS, "registry", "timer"})


def is_by_hand(entry: Entry) -> bool:
    """DECLINED by an operator's command, and not in answer to the order or for want of money."""
    is_signed = entry.kind is EntryKind.DECLINED and entry.cause.by not in UNSIGNED
    return is_signed and entry.payment is not None and entry.cause.id != entry.payment.id


def doubt_of(entry: Entry, facts: PaymentFacts, state: str) -> str | None:
    """Why the entry must not be believed, if so: law 6, an unclear answer is never guessed."""
    kind, outcome, cause = entry.kind, entry.outcome, entry.cause
    if kind in REVERSAL_KINDS:
        return None  # for payments.reversals to say
    if is_by_hand(entry):
        return None if state == "WAITING_FUNDS" and entry.legs else "is declined by hand, and did not wait"
    if kind is EntryKind.DECLINED and facts.collected and facts.payer_agent and not entry.legs and entry.refusal != 1:
        return None if entry.refusal == 300 else "is declined, and the payer's cash is nowhere"
    if kind is EntryKind.HELD or kind is EntryKind.DECLINED:
        is_right = cause.id == facts.id and (
            cause.by == _FUNDS if state == "WAITING_FUNDS" else cause.by not in UNSIGNED
        )
        return None if is_right else f"is decided by {cause.by} on {cause.id}"
    if kind is EntryKind.WAITING_FUNDS:
        return None if facts.collected and cause.id == facts.id else "waits for funds, and its cash is not taken"
    if facts.served == "offline":
        return doubt_offline(entry, facts, state)
    if facts.served == "vouchers":
        return doubtful_sale(entry, facts, state)
    if cause.by != _DISPATCH:
        by_hand = state == "MANUAL" and (kind is EntryKind.POSTED or kind is EntryKind.VOIDED)
        return None if by_hand else f"is decided by {cause.by}, and is not MANUAL"
    if (state == "MANUAL" and not _ends_doubt(entry)) or cause.id != facts.id:
        return f"is decided by {cause.by} on {cause.id}"
    said = f"{outcome.verdict} to a {outcome.step}" if outcome is not None else "no answer"
    if kind is EntryKind.POSTED and (outcome is None or outcome.verdict is not Verdict.PAID):
        return f"is posted on {said}"
    if kind is EntryKind.SENT and (outcome is not None or entry.tries != 1):
        return f"is sent after {entry.tries - 1} tries, with {said}"
    if state == "SENT" and kind is EntryKind.DEFERRED and said != "NOT_SENT to a pay":
        return f"was sent, and is deferred on {said}"
    if kind is EntryKind.VOIDED:
        if state == "SENT" and said not in ("FATAL to a pay", "FATAL to a status", "NOT_SENT to a pay"):
            return f"was sent, and is voided on {said}"
        never_sent = outcome is not None and outcome.verdict is not Verdict.PAID and outcome.step != "pay"
        if outcome is None or not (outcome.verdict in (Verdict.FATAL, Verdict.NOT_SENT) or never_sent):
            return f"is voided on {said}"
        if state == "UNKNOWN" and (outcome.verdict, outcome.step) != (Verdict.FATAL, "status"):
            return f"is voided on {said}"
    return None


def _ends_doubt(entry: Entry) -> bool:
    """Was a payment in MANUAL settled by its status at the payee, or its statement, and after something was sent?"""
    said = {EntryKind.POSTED: Verdict.PAID, EntryKind.VOIDED: Verdict.FATAL}.get(entry.kind)
    outcome = entry.outcome
    return outcome is not None and outcome.step == "status" and outcome.verdict is said and entry.tries > 0
