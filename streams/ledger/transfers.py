"""An agent's money goes to another agent of its tree, or back to the bank."""

from __future__ import annotations

from dataclasses import replace

from schemas.agent_command import Transfer, Withdraw
from schemas.entry import Entry, EntryKind
from schemas.ids import account_agent
from schemas.money import Money
from schemas.refusal import Refusal
from streams.ledger.accounts import BANK, legs_of
from streams.ledger.agents import agent_at_work
from streams.ledger.currencies import purse_of
from streams.ledger.objections import Objection, no
from streams.ledger.standing import stopped
from streams.ledger.state import AgentState, Book, State


def transfer(state: State, book: Book, order: Transfer, blank: Entry) -> Entry | Objection:
    """From one agent to another. It moves no more than the giver has, with its overdraft."""
    giver, taker = agent_at_work(book, order.giver), agent_at_work(book, order.taker)
    if isinstance(giver, Objection):
        return giver
    if isinstance(taker, Objection):
        return taker
    if giver is taker:
        return no(f"agent {giver.id} cannot transfer to itself")
    for agent in giver, taker:
        if agent.funding == "shared":
            return no(f"agent {agent.id} spends the money of {agent.parent}: transfer from or to that one")
        if isinstance(lacking := purse_of(book, agent, order.currency, "the transfer"), Objection):
            return lacking
    why_not = not_given(state, book, giver, order.amount, order.currency, "transfer")
    if why_not is not None:
        return why_not
    movements = [(account_agent(giver.id), -order.amount), (account_agent(taker.id), order.amount)]
    legs = legs_of(book, order.currency, movements)
    return replace(blank, kind=EntryKind.TRANSFERRED, legs=legs, document=order.document, reason=order.comment)


def withdraw(state: State, book: Book, order: Withdraw, blank: Entry) -> Entry | Objection:
    """To the agent's bank. An agent on a shared limit has its rewards to withdraw, and nothing else."""
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    why_not = not_given(state, book, agent, order.amount, order.currency, "withdrawal")
    if why_not is not None:
        return why_not
    legs = legs_of(book, order.currency, [(account_agent(agent.id), -order.amount), (BANK, order.amount)])
    return replace(blank, kind=EntryKind.WITHDRAWN, legs=legs, document=order.document, reason=order.comment)


def not_given(state: State, book: Book, giver: AgentState, amount: int, currency: str, what: str) -> Objection | None:
    """Why the giver (in whatever currency) does not give so much in this one, if so. what: "transfer", say."""
    if (who := stopped(book.chain(giver.id))) is not None:
        return no(f"{who}: it gives no money away")
    purse = purse_of(book, giver, currency, f"the {what}")
    if isinstance(purse, Objection):
        return purse
    if waiting := state.waiting.length(book.id, giver.id, currency):
        return no(f"{waiting} payments whose cash is taken wait for the money of {giver.id} first")
    if purse.available < amount:
        has = f"{Money(max(purse.available, 0), currency)} {currency}"
        return Objection(Refusal.AGENT_LACKS_FUNDS, f"agent {giver.id} has {has} to give")
    return None
