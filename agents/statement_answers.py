"""What a payee's statement says of payments in doubt. Pure: no clock, no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.gateways.capabilities import StatementLine
from schemas.entry import EntryKind
from schemas.money import Money
from schemas.outcome import GatewayOutcome, Verdict
from streams.ledger.state import State

# How far the payee's clock may be from ours, and a booking from the last request.
MARGIN_MS = 600_000
CODE = "statement"

_IN_DOUBT = frozenset({EntryKind.UNKNOWN, EntryKind.MANUAL, EntryKind.REVERSAL_MANUAL})


@dataclass(frozen=True, slots=True)
class Doubt:
    """A payment of which it is not known whether it was paid, or given back, though something was sent.

    since: its last change on the ledger, ms UTC: no request of ours is younger. is_asked: its payee is asked about it
    still, so a request may be on its way. is_reversal: it was paid, and perhaps given back. amount: minor units.
    """

    payment: str
    book: str
    partition: int
    tenure: int
    gateway: str
    txn: int
    amount: int
    currency: str
    received_at: int
    since: int
    is_asked: bool
    is_reversal: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """An interval of a statement, from `since` until before `until`, ms UTC, and the payments that must be in it."""

    since: int
    until: int
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The statement has the payment's number, and not as the payment is. text: for people."""

    doubt: Doubt
    text: str


def doubts(state: State, tenure: int, gateways: Collection[str]) -> Iterator[Doubt]:
    """The partition's payments in doubt at these gateways.

    Where nothing was sent, a payee's "paid" is about somebody else's number.
    """
    for payment in state.open.values():
        facts = payment.facts
        if payment.state not in _IN_DOUBT or facts is None or facts.gateway not in gateways:
            continue
        if facts.served or not payment.tries or not facts.txn:
            continue
        yield Doubt(
            payment.id, payment.book, state.partition, tenure, facts.gateway, facts.txn, facts.amount, facts.currency,
            facts.received_at, payment.at, payment.state is EntryKind.UNKNOWN,
            payment.state is EntryKind.REVERSAL_MANUAL,
        )  # fmt: skip


def windows(found: Iterable[Doubt], now: int, complete_ms: int | None) -> list[Window]:
    """The intervals to ask for, as short as they can be and none twice; complete_ms: as in `answer`."""
    spans = sorted(((_span(doubt, now, complete_ms), doubt) for doubt in found), key=lambda one: one[0])
    merged: list[tuple[int, int, list[Doubt]]] = []
    for (since, until), doubt in spans:
        if merged and since <= merged[-1][1]:
            last_since, last_until, held = merged.pop()
            merged.append((last_since, max(until, last_until), [*held, doubt]))
        else:
            merged.append((since, until, [doubt]))
    return [Window(since, until, tuple(held)) for since, until, held in merged]


def answers(
    window: Window, lines: Sequence[StatementLine], complete_ms: int | None
) -> Iterator[tuple[Doubt, GatewayOutcome] | Contradiction]:
    """What the statement of this window settles, and what it contradicts; of the others it says nothing yet."""
    by_txn: dict[int, list[StatementLine]] = defaultdict(list)
    for line in lines:
        by_txn[line.txn].append(line)
    for doubt in window.doubts:
        said = answer(doubt, by_txn[doubt.txn], window.until, complete_ms)
        if isinstance(said, Contradiction):
            yield said
        elif said is not None:
            yield doubt, said


def answer(
    doubt: Doubt, lines: Sequence[StatementLine], until: int, complete_ms: int | None
) -> GatewayOutcome | Contradiction | None:
    """What a statement up to `until` says of one payment.

    | in the statement                | the payee is asked still | in MANUAL                                       |
    |---------------------------------|--------------------------|-------------------------------------------------|
    | paid, our sum                   | PAID                     | PAID                                            |
    | cancelled, our sum              | –: ask it                | FATAL                                           |
    | open                            | –                        | –                                               |
    | not in it                       | –: a request may be on   | FATAL, where the payee's statement is complete  |
    |                                 |   its way                |   by now (`complete_ms` after our last request) |
    | another sum, or more than once  | contradiction            | contradiction                                   |

    Of a reversal in doubt only "cancelled" says something: that the payee gave it back. While it has it a cancel may
    yet be carried out, and one that is not there at all it should have.
    """
    if doubt.is_reversal and (not lines or (len(lines) == 1 and lines[0].state != "cancelled")):
        return None
    if not lines:
        is_complete = complete_ms is not None and until >= doubt.since + complete_ms
        return _never(doubt, "", "the payee's statement, which is complete, does not have it") if is_complete else None
    if len(lines) > 1:
        return Contradiction(doubt, f"has number {doubt.txn} {len(lines)} times")
    (line,) = lines
    if line.amount != doubt.amount:
        theirs, ours = (Money(minor, doubt.currency) for minor in (line.amount, doubt.amount))
        return Contradiction(doubt, f"has number {doubt.txn} with {theirs} {doubt.currency} instead of {ours}")
    if line.state == "paid":
        return GatewayOutcome("status", Verdict.PAID, CODE, line.provider_ref, "the payee's statement has it")
    if line.state == "cancelled":
        return _never(doubt, line.provider_ref, "the payee's statement has it as cancelled")
    return None


def _never(doubt: Doubt, provider_ref: str, comment: str) -> GatewayOutcome | None:
    """It will not be paid under its number; not said while a request may be on its way."""
    if doubt.is_asked:
        return None
    return GatewayOutcome("status", Verdict.FATAL, CODE, provider_ref, comment)


def _span(doubt: Doubt, now: int, complete_ms: int | None) -> tuple[int, int]:
    """Up to now, but where the payee says by when it will have booked what it was sent."""
    since = max(0, doubt.received_at - MARGIN_MS)
    if doubt.is_asked or complete_ms is None:
        return since, max(since, now) + 1
    return since, max(since, min(now, doubt.since + complete_ms + MARGIN_MS)) + 1
