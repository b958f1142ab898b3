"""An agent is blocked, unblocked and closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from schemas.agent_command import BlockAgent, CloseAgent, StatusCommand, UnblockAgent
from schemas.change import CHANGE
from schemas.entry import Entry, EntryKind
from schemas.ids import account_agent
from schemas.money import Money
from schemas.refusal import Refusal
from streams.ledger.crossings import leaving_from
from streams.ledger.objections import Objection
from streams.ledger.payments import PaymentState
from streams.ledger.standing import BLOCKED, CLOSED, OPEN
from streams.ledger.state import AgentState, Book, State

_NAMED = 5  # of many agents


def change_status(state: State, book: Book, order: StatusCommand, blank: Entry) -> Entry | Objection:
    """The entry, or a sentence. blank: the entry but for what it says."""
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    match order:
        case BlockAgent():
            kind, status = EntryKind.AGENT_BLOCKED, BLOCKED
            why_not = f"agent {agent.id} is blocked already" if agent.status == BLOCKED else None
        case UnblockAgent():
            kind, status = EntryKind.AGENT_UNBLOCKED, OPEN
            why_not = f"agent {agent.id} is not blocked" if agent.status == OPEN else None
        case CloseAgent():
            kind, status = EntryKind.AGENT_CLOSED, CLOSED
            why_not = _not_closed(state, book, agent)
    if why_not is not None:
        return Objection(Refusal.OTHER, why_not)
    return replace(blank, kind=kind, agent=replace(agent.terms, status=status), reason=order.reason)


def agent_at_work(book: Book, name: str) -> AgentState | Objection:
    """The agent of that id, blocked or not. One that is closed does nothing any more."""
    agent = book.agents.get(name)
    if agent is None:
        return Objection(Refusal.OTHER, f"there is no agent {name} in tree {book.id}")
    if agent.status == CLOSED:
        return Objection(Refusal.OTHER, f"agent {name} is closed")
    return agent


def _not_closed(state: State, book: Book, agent: AgentState) -> str | None:
    """What is still to be settled before the agent may be closed."""
    below = [one.id for one in book.agents.values() if one.parent == agent.id and one.status != CLOSED]
    if below:
        return f"agent {agent.id} has agents below it that are not closed: {_some(below)}"
    for one in book.purses(agent.id):
        if one.held:
            return f"{Money(one.held, one.currency)} {one.currency} of agent {one.id} is held for open payments"
        if one.balance:
            return f"agent {one.id} has {Money(one.balance, one.currency)} {one.currency}; it must have nothing"
    waiting = sum(_concerns(payment, book, agent.id) for payment in state.open.values())
    if agent.parent is None and (kept := _kept(book)):
        return f"tree {book.id} keeps {kept} of payers' change, which nobody could hand out any more"
    if under_way := leaving_from(book, account_agent(agent.id) if agent.parent is not None else ""):
        return f"{under_way} transfers of agent {agent.id} to other trees are under way; they must end before"
    if waiting:
        return f"agent {agent.id} has {waiting} open payments, or a share in them; they must end before"
    return None


def _concerns(payment: PaymentState, book: Book, agent: str) -> bool:
    """Is it a payment of that agent, or of its money, or may it still bring it a reward?"""
    facts = payment.facts
    if facts is None or payment.book != book.id:
        return False
    if agent in (facts.agent, facts.payer_agent):
        return True
    return any(account == account_agent(agent) for account, _ in facts.rewards)


def _kept(book: Book) -> str:
    """The change that the tree owes payers, as a person reads it; "": none."""
    sums = Counter[str]()
    for (name, currency), account in book.accounts.items():
        if name.startswith(CHANGE):
            sums[currency] += account.balance
    return ", ".join(f"{Money(minor, currency)} {currency}" for currency, minor in sorted(sums.items()) if minor)


def _some(names: Iterable[str]) -> str:
    """The names, the first few of many."""
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
