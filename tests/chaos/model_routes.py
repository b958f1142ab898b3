"""Which gateway a payment may be with, as docs/decisions/0026 has it. Who was not well then is not on the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from schemas.entry import Entry, PaymentFacts
from schemas.gateway import RetrySchedule
from schemas.outcome import GatewayOutcome, Verdict
from schemas.payee import Payee
from schemas.route import Route
from tests.chaos.model_answer import wait_of
from tests.chaos.model_terms import Expected, Known, Sale

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def line_of(payee: Payee | None, at: int, said: PaymentFacts | None) -> tuple[str, ...]:
    """The gateways in the order the entry says, if it may be so; else in the order of their priorities.

    It may be so when the entry names every gateway whose time it is, those that are well by priority, then the others.
    """
    if payee is None:
        return ("",)
    best = _priorities(payee, at)
    if not best:
        return (payee.gateway,)
    line = (said.gateway, *said.routes) if said is not None else ()
    is_whole = sorted(line) == sorted(best)
    falls = sum(best[a] > best[b] for a, b in pairwise(line)) if is_whole else 2
    # Routes of one gateway may have two priorities: it stands where the better one puts it.
    return line if falls <= 1 else tuple(sorted(best, key=lambda gateway: best[gateway]))


def _priorities(payee: Payee, at: int) -> dict[str, int]:
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(ZoneInfo(payee.time_zone))
    found: dict[str, int] = {}
    for route in payee.routes:
        if _is_open(route, moment):
            found[route.gateway] = min(route.priority, found.get(route.gateway, route.priority))
    return found


def _is_open(route: Route, moment: datetime) -> bool:
    days, time = route.weekdays or _DAYS, f"{moment:%H:%M}"
    today, yesterday = _DAYS[moment.weekday()] in days, _DAYS[moment.weekday() - 1] in days
    if route.begins < route.ends:
        return today and route.begins <= time < route.ends
    return (today and route.begins <= time) or (yesterday and time < route.ends)


def passed_on(sale: Sale, entry: Entry, schedule: RetrySchedule, known: Known) -> Iterator[Expected]:
    """Every entry that gives it to another gateway and would be right; none: it stays with its own."""
    assert entry.outcome is not None
    for technical in known.technical(sale.facts.payee, sale.facts.gateway, entry.at):
        another = _passed_on(sale, entry.outcome, schedule, technical, entry.at)
        if another is not None:
            yield another


def _passed_on(
    sale: Sale, outcome: GatewayOutcome, schedule: RetrySchedule, technical: frozenset[str], at: int
) -> Expected | None:
    facts = sale.facts
    if sale.state != "HELD" or sale.sent or not facts.routes:
        return None
    unsent = outcome.verdict is Verdict.NOT_SENT and outcome.step in ("check", "pay")
    unsent |= outcome.verdict is Verdict.UNCLEAR and outcome.step == "check"
    refused = outcome.verdict is Verdict.FATAL and outcome.step == "check" and outcome.code in technical
    if not (unsent or refused):
        return None
    unreached, due_at, behind = sale.unreached, 0, ()
    if unsent:
        unreached, behind = unreached + 1, (facts.gateway,)
        rounds, turn = divmod(unreached, 1 + len(facts.routes))  # how often every gateway of the payment had its turn
        if rounds >= schedule.budget:
            return None
        due_at = 0 if turn else at + wait_of(schedule, rounds)
    left = dict.fromkeys((*facts.rerouted_from, facts.gateway))
    facts = replace(
        facts, gateway=facts.routes[0], routes=(*facts.routes[1:], *behind), rerouted_from=tuple(left)
    )  # fmt: skip
    return Expected("REROUTED", 0, (), 0, unreached, due_at, facts=facts, fields=tuple(facts.subscriber))
