"""Cash that is in the box and money that is not on the account: WAITING_FUNDS, and the hold that ends it.

A payment whose cash was taken is not declined for want of funds. It waits for its payer's money, and all that come
after it wait behind it: oldest first is strict for each payer, whatever the amounts; payers do not wait for each other,
nor does a payer's money in one currency for that in another.
Amount, fee, processing and rewards are those of its receipt, which the payer has on paper; the number at the payee is
given when it is held, since only then may anybody be asked, and it counts for the limits of that day. Whether it may
still be sold is looked at again then: who is stopped and what is beyond a limit by now is declined. A refusal is final,
but its cash is the payer's: where the agent lacks as much, it waits too, and is declined when the money comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from schemas.entry import Cause, Entry, EntryKind, PaymentFacts
from schemas.refusal import Refusal
from streams.ledger.accounts import holding, legs_of
from streams.ledger.change import keeping
from streams.ledger.limits import shortfall
from streams.ledger.objections import Objection, still_objection
from streams.ledger.origins import FUNDS
from streams.ledger.payments import PaymentState
from streams.ledger.queues import Purse
from streams.ledger.spending import business_day, counted_for
from streams.ledger.state import AgentState, Book, State

# The refusals that money, or a further day, can cure.
LIMITS = frozenset({Refusal.AGENT_LACKS_FUNDS, Refusal.UPSTREAM_LACKS_FUNDS})

# Payments that may wait for one payer's money: they stay in memory.
WAITING_MAX = 1_000
# Holds that follow one command, so that a transaction stays small. The rest follow by the timer, as many at a time.
ROUSED_MAX = 200


def in_line(state: State, book: Book, chain: Sequence[AgentState], payer: str, why_not: Objection | None) -> Objection:
    """Why an order must wait or be declined where others wait for its payer's money already."""
    waiting = state.waiting.length(book.id, payer, chain[0].currency)
    if why_not is not None and why_not.refusal is not Refusal.TEMPORARY:
        return why_not
    refusal = Refusal.AGENT_LACKS_FUNDS if payer == chain[0].id else Refusal.UPSTREAM_LACKS_FUNDS
    return Objection(refusal, f"payments whose cash is taken wait for the money of {payer} first: {waiting}")


def is_full(state: State, book: Book, payer: str, currency: str) -> Objection | None:
    """May one more wait for the payer's money?"""
    if state.waiting.length(book.id, payer, currency) < WAITING_MAX:
        return None
    return Objection(Refusal.TEMPORARY, f"{WAITING_MAX} payments wait for the money of {payer} already; repeat later")


def must_wait_to_give_back(state: State, book: Book, chain: Sequence[AgentState], payer: str, amount: int) -> bool:
    """Cash of a declined order is to be kept for the payer, and the agent lacks as much, or others wait before."""
    return bool(state.waiting.length(book.id, payer, chain[0].currency)) or shortfall(chain, amount) is not None


def ready(state: State, at: int) -> list[str]:
    """Books in which some payment that waits could be held, or declined, at that time (ms UTC)."""
    return [
        book for book in state.waiting.books()
        if any(_next(state, state.books[book], purse, at) for purse in state.waiting.payers(book))
    ]  # fmt: skip


def roused(state: State, book: Book, after: Sequence[Entry] | None, at: int) -> Iterator[Entry]:
    """HELD, or the DECLINED that was due, for those whose money has come, ROUSED_MAX at most.

    Fold each entry before asking for the next.

    after: the entries that may have brought the money; None: look at everybody who waits. Payers come in the order of
    their ids: limits they share are the first one's.
    """
    count = 0
    payers = state.waiting.payers(book.id) if after is None else _gainers(state, book, after)
    for purse in sorted(payers):
        while count < ROUSED_MAX and (entry := _next(state, book, purse, at)) is not None:
            yield entry
            count += 1


def _gainers(state: State, book: Book, entries: Sequence[Entry]) -> list[Purse]:
    """Payers who may have more to spend after these entries: their own money came, or somebody above is let off.

    An agent whose terms changed, or who came back from below its limit, is above anybody; so is one to whose day a
    voided payment gave its part back; and those in a line that an operator took one out of.
    """
    gained: dict[Purse, int] = {}
    for entry in entries:
        if entry.agent is not None or entry.kind is EntryKind.VOIDED or _by_hand(entry):
            return state.waiting.payers(book.id)
        for leg in entry.legs:
            kind, _, agent = leg.account.partition(":")
            if kind == "agent":
                gained[agent, leg.currency] = gained.get((agent, leg.currency), 0) + leg.amount
    found = {purse: amount for purse, amount in gained.items() if amount > 0}
    if any(0 <= book.currencies[currency][agent].available < amount for (agent, currency), amount in found.items()):
        return state.waiting.payers(book.id)
    return [purse for purse in state.waiting.payers(book.id) if purse in found]


def _by_hand(entry: Entry) -> bool:
    """An operator declined what waited."""
    return entry.kind is EntryKind.DECLINED and entry.payment is not None and entry.cause.id != entry.payment.id


def _next(state: State, book: Book, purse: Purse, at: int) -> Entry | None:
    """HELD, or DECLINED, for the payer's oldest in that currency when there is money for it."""
    oldest = state.waiting.oldest(book.id, *purse)
    if oldest is None:
        return None
    payment = state.open[oldest]
    facts = payment.facts
    assert facts is not None  # an open payment has them
    line = book.chain(*purse)
    if shortfall(line, facts.held + facts.change if facts.held else facts.collected) is not None:
        return None
    if not facts.held:
        return _declined(book, payment, facts, payment.refusal, payment.reason, at)
    chain = book.chain(facts.agent, facts.currency)
    day = business_day(chain, at)
    why_not = still_objection(chain, facts, day)
    if why_not is None:
        return _held(state, book, facts, chain, day, at)
    if shortfall(line, facts.collected) is not None:
        return None  # the payer's cash is more than what was to be held: it waits for the rest
    return _declined(book, payment, facts, why_not.refusal.code, why_not.reason, at)


def _held(state: State, book: Book, facts: PaymentFacts, chain: Sequence[AgentState], day: str, at: int) -> Entry:
    movements = [*holding(facts), *keeping(facts, facts.change)]
    legs = legs_of(book, facts.currency, movements)
    facts = replace(facts, txn=state.next_txn, day=day, chain=counted_for(chain), held_at=at)
    return Entry(book.id, book.seq + 1, EntryKind.HELD, at, Cause(facts.id, "", FUNDS), legs, facts)


def _declined(book: Book, payment: PaymentState, facts: PaymentFacts, refusal: int, reason: str, at: int) -> Entry:
    legs = legs_of(book, facts.currency, keeping(facts, facts.collected))
    cause = Cause(payment.id, "", FUNDS)
    return Entry(
        book.id, book.seq + 1, EntryKind.DECLINED, at, cause, legs, facts, refusal=refusal, reason=reason
    )  # fmt: skip
