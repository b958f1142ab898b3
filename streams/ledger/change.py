"""The payer's own money: change, and cash that was taken for a payment which was not made."""

from __future__ import annotations

from schemas.change import CHANGE, account_change, account_change_of, account_meant
from schemas.command import PayOutChange
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.ids import account_agent
from schemas.payment import PaymentOrder
from schemas.refusal import Refusal
from streams.ledger.accounts import Movements, legs_of
from streams.ledger.agents import agent_at_work
from streams.ledger.change_block import blocked
from streams.ledger.currencies import purse_of
from streams.ledger.limits import payer_position
from streams.ledger.objections import Objection
from streams.ledger.state import AgentState, Book

# Entries of a payment that come after its hold, which put what was beyond the price on the change account.
_AFTER_THE_HOLD = frozenset(
    {
        EntryKind.DEFERRED,
        EntryKind.REROUTED,
        EntryKind.QUEUED,
        EntryKind.SENT,
        EntryKind.UNKNOWN,
        EntryKind.MANUAL,
        EntryKind.POSTED,
        EntryKind.VOIDED,
        EntryKind.REVERSING,
        EntryKind.REVERSED,
        EntryKind.REVERSAL_REFUSED,
        EntryKind.REVERSAL_MANUAL,
    }
)


def beyond(order: PaymentOrder) -> int:
    """What was put in beyond amount and fee, of which change that is spent pays first; minor units."""
    return max(0, order.collected + order.from_change - order.amount - order.fee) if order.collected else 0


def account_of(facts: PaymentFacts) -> str:
    """Where the payer's money of this payment is kept."""
    return account_change(facts.change_to) if facts.change_to else account_change_of(facts.id)


def keeping(facts: PaymentFacts, amount: int) -> Movements:
    """The agent has the payer's cash, so the payer has as much of the agent's money. Ex. 3's second line."""
    return [(account_agent(facts.payer_agent), -amount), (account_of(facts), amount)]


def giving_back(facts: PaymentFacts) -> Movements:
    """Of a payment that was held and is not made: change that was spent is under its codes again, and cash for the
    rest of amount and fee is change, since what was beyond is the payer's already."""
    spent = facts.from_change
    cash = facts.amount + facts.fee - spent if facts.collected else 0
    back = [(account_change(mark), amount) for mark, amount in facts.spent]
    return [(account_agent(facts.payer_agent), -spent - cash), *back, (account_of(facts), cash)]


def may_give_back(order: PaymentOrder, chain: list[AgentState]) -> bool:
    """Can cash of a declined order be kept for the payer? Not where no agent has money of that currency."""
    return bool(order.collected and chain) and chain[payer_position(chain)].currency == order.currency


def kept_after(entry: Entry) -> int:
    """What is kept of the payer's cash because of the payment this entry is about, after it; minor units."""
    now = sum(leg.amount for leg in entry.legs if leg.account.startswith(CHANGE))
    facts = entry.payment
    if facts is None:
        return now
    if facts.spent:  # that was change before, and is no cash
        now += {EntryKind.HELD: facts.from_change, EntryKind.VOIDED: -facts.from_change}.get(entry.kind, 0)
    return now + (facts.change if entry.kind in _AFTER_THE_HOLD else 0)


def pay_out(book: Book, order: PayOutChange, blank: Entry) -> Entry | Objection:
    """The agent gave cash for the change: the change is the agent's now, wholly or partly."""
    account = account_meant(order.code, order.payment)
    kept = book.accounts.get((account, order.currency))
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    if kept is None:
        return Objection(Refusal.OTHER, f"no change in {order.currency} is kept under this in tree {order.tree}")
    if (stopped := blocked(book, account)) is not None:
        return stopped
    if kept.balance < order.amount:
        return Objection(Refusal.OTHER, f"{kept.balance} minor units of change are left, not {order.amount}")
    if isinstance(lacking := purse_of(book, agent, order.currency, "the change"), Objection):
        return lacking
    chain = book.chain(agent.id, order.currency)
    payer = chain[payer_position(chain)]
    legs = legs_of(book, order.currency, [(account, -order.amount), (account_agent(payer.id), order.amount)])
    return Entry(
        book=blank.book, seq=blank.seq, kind=EntryKind.CHANGE_PAID_OUT, at=blank.at, cause=blank.cause, legs=legs,
        document=order.evidence,
    )  # fmt: skip
