"""What must follow from a payee's answer, as docs/money.md draws the states of a payment."""

from __future__ import annotations

import re
from collections.abc import Iterable

from schemas.entry import Entry
from schemas.gateway import RetrySchedule
from schemas.outcome import GatewayOutcome, Verdict
from tests.chaos.model_terms import Expected, Moves, Sale, kept_for, moves_of

_A_PAYEE_MAY_SAY = {4, 5, 7, 8, 79, 241, 242, 243, 300}
_LONGEST_WAIT_MS = 86_400_000
_LONGEST_OPEN_MS = 3_600_000


def answered(
    sale: Sale, outcome: GatewayOutcome, schedule: RetrySchedule, at: int, *, asked_before: bool, is_last: bool
) -> Expected:
    """asked_before: whoever asks cannot know whether a worker before it had asked. is_last: nobody can ask again."""
    expected = _answered(sale, outcome, schedule, at, asked_before=asked_before)
    if expected.kind != "UNKNOWN" or not is_last:
        return expected
    return changed(sale, "MANUAL", expected.tries, unreached=expected.deferrals)


def _answered(sale: Sale, outcome: GatewayOutcome, schedule: RetrySchedule, at: int, *, asked_before: bool) -> Expected:
    is_pay = outcome.step == "pay"
    # In SENT the one request is counted before it is answered.
    sent = (0 if sale.state == "SENT" and is_pay else sale.sent) or int(asked_before)
    if outcome.verdict is Verdict.PAID:
        if is_pay or sent:
            return changed(sale, "POSTED", sent + is_pay)
        return changed(sale, "MANUAL", 0)
    if outcome.verdict is Verdict.FATAL:
        if outcome.step == "status":
            return changed(sale, "VOIDED", sent, refusal=code_of(outcome.code))
        if sent:
            return changed(sale, "MANUAL", sent + is_pay)
        return changed(sale, "VOIDED", int(is_pay), refusal=code_of(outcome.code))
    if is_pay and outcome.verdict is not Verdict.NOT_SENT:
        if sent + 1 >= schedule.budget:
            return changed(sale, "MANUAL", sent + 1)
        return changed(sale, "UNKNOWN", sent + 1, due_at=at + wait_of(schedule, sent + 1))
    unreached = sale.unreached + 1
    if unreached < schedule.budget:
        state = "UNKNOWN" if sent else "DEFERRED"
        return changed(sale, state, sent, unreached=unreached, due_at=at + wait_of(schedule, unreached))
    if sent:
        return changed(sale, "MANUAL", sent, unreached=unreached)
    return changed(sale, "VOIDED", 0, unreached=unreached, refusal=243 if outcome.step == "check" else 300)


def left_alone(expected: Expected, outcome: GatewayOutcome, entry: Entry) -> Expected:
    """Where the gateway's breaker was open, the payment waits for it too: how long that is the worker alone knows."""
    is_open = outcome.code == "breaker-open" and outcome.verdict is Verdict.NOT_SENT and expected.due_at
    if not is_open or entry.due_at > entry.at + _LONGEST_OPEN_MS:
        return expected
    return expected._replace(due_at=max(expected.due_at, entry.due_at))


def sent(sale: Sale) -> Iterable[Expected]:
    """A pay that must not be repeated is about to leave: only the first may."""
    if sale.state == "HELD":
        yield changed(sale, "SENT", 1, unreached=sale.unreached)


def told_of(sale: Sale, outcome: GatewayOutcome) -> list[Expected]:
    """What the payee says of a payment in MANUAL itself; nothing, where the payment stays an operator's."""
    if outcome.step != "status" or not sale.sent:
        return []
    if outcome.verdict is Verdict.PAID:
        return [changed(sale, "POSTED", sale.sent)]
    if outcome.verdict is Verdict.FATAL:
        return [changed(sale, "VOIDED", sale.sent, refusal=code_of(outcome.code))]
    return []


def resolved(sale: Sale, *, paid: bool) -> Expected:
    """An operator has evidence about a payment in MANUAL."""
    return changed(sale, "POSTED", sale.sent) if paid else changed(sale, "VOIDED", sale.sent, refusal=300)


def queued_ends(sale: Sale, *, accepted: bool) -> Expected:
    """Its payee has answered to its line of a registry."""
    return changed(sale, "POSTED", 0) if accepted else changed(sale, "VOIDED", 0, refusal=300)


def changed(sale: Sale, kind: str, sent: int, *, unreached: int = 0, due_at: int = 0, refusal: int = 0) -> Expected:
    """The payment in its next state, with what that moves."""
    facts = sale.facts
    return Expected(
        kind, refusal, _moves(sale, kind), sent, unreached, due_at, facts=facts, fields=tuple(facts.subscriber)
    )


def _moves(sale: Sale, kind: str) -> Moves:
    facts = sale.facts
    agent, hold, payee = f"agent:{facts.payer_agent}", f"hold:{facts.payer_agent}", f"payee:{facts.payee}"
    if kind == "VOIDED":
        spent = sum(amount for _, amount in facts.spent)
        cash = facts.amount + facts.fee - spent if facts.collected else 0
        back = [(f"change:{mark}", amount) for mark, amount in facts.spent]
        moves = (hold, -facts.held), (agent, facts.held), (agent, -spent - cash), *back, kept_for(facts, cash)[1]
        return moves_of(facts.currency, *moves)
    if kind != "POSTED":
        return ()
    given = sum(share for _, share in facts.rewards)
    paid = (hold, -facts.held), (payee, facts.amount), ("fee", facts.held - facts.amount), (payee, -given)
    return moves_of(facts.currency, *paid, *facts.rewards)


def code_of(said: str) -> int:
    """A payee's result code as our refusal."""
    return int(said) if re.fullmatch(r"[0-9]{1,3}", said) and int(said) in _A_PAYEE_MAY_SAY else 300


def wait_of(schedule: RetrySchedule, nth: int) -> int:
    """How long to wait after the n-th try; ms."""
    wait = schedule.interval_ms
    for _ in range(1, nth):
        wait = min(wait * schedule.factor_pct // 100, _LONGEST_WAIT_MS)
    return wait
