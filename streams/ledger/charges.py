"""Periodic fees of agents: each period once, in order, whoever says that it has begun.

A fee is charged whatever the balance is: the agent owes it, and sells nothing while it is below its limit by it.
"""

from __future__ import annotations

from schemas.calendar import day_of
from schemas.entry import Cause, Entry, EntryKind
from schemas.ids import account_agent
from schemas.period import first_day, following, kind_of, period_of
from schemas.plan import Charge, Plan
from streams.ledger.accounts import AGENT_FEES, legs_of
from streams.ledger.commands import FeeDue
from streams.ledger.decisions import Stale
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.limits import payer_position
from streams.ledger.origins import TIMER
from streams.ledger.standing import CLOSED
from streams.ledger.state import AgentState, Book


def today_of(book: Book, at: int) -> str:
    """The tree's day at that time (ms UTC): "2026-11-24"."""
    return day_of(at, book.agents[book.id].time_zone)


def next_charge(book: Book, plan: Plan, agent: AgentState, today: str) -> tuple[str, str] | None:
    """(period, since) that is to be charged now; None: none is, or the agent has no such money, or is closed."""
    current = period_of(today, plan.period)
    last = book.charged.get((plan.id, agent.id), "")
    purse = book.agents_in(plan.currency).get(agent.id)
    if last >= current or agent.status == CLOSED or purse is None:
        return None
    period, since = plan.next_period(last, today_of(book, purse.opened_at), today)
    return (period, since) if period <= current else None


def charge(book: Book | None, command: FeeDue, at: int) -> Entry | Stale:
    """FEE_CHARGED, or Stale when that period is not the one to be charged next: so it is charged once."""
    agent = book.agents.get(command.agent) if book is not None else None
    if book is None or agent is None or agent.status == CLOSED:
        return Stale(f"there is no agent {command.agent} in tree {command.book} to be charged")
    last = book.charged.get((command.plan, agent.id), "")
    if last and kind_of(last) != kind_of(command.period):
        return Stale(f"plan {command.plan} charged agent {agent.id} for {last}: that is no {kind_of(command.period)}")
    due = max(command.since, following(last)) if last else command.since
    if command.period != due or first_day(due) > today_of(book, at):
        return Stale(f"plan {command.plan} has charged agent {agent.id} for {last or 'nothing'}: {due} is next")
    chain = book.chain(agent.id, command.currency)
    if not chain:
        return Stale(f"agent {agent.id} has no money in {command.currency}")
    payer = chain[payer_position(chain)]
    amount = command.fixed + command.per_terminal * command.terminals
    charged = Charge(
        plan=command.plan,
        agent=agent.id,
        payer=payer.id,
        period=command.period,
        since=command.since,
        currency=command.currency,
        fixed=command.fixed,
        per_terminal=command.per_terminal,
        terminals=command.terminals,
        amount=amount,
        plan_digest=command.plan_digest,
    )
    cause = Cause(f"fee/{command.plan}/{agent.id}/{command.period}", "", TIMER)
    legs = legs_of(book, command.currency, [(account_agent(payer.id), -amount), (AGENT_FEES, amount)])
    document = f"{charged.plan}, {charged.period}, agent {agent.id}"
    return Entry(
        book.id, book.seq + 1, EntryKind.FEE_CHARGED, at, cause, legs, document=document, charge=charged
    )  # fmt: skip


def fold_charge(book: Book, entry: Entry, charged: Charge) -> None:
    """For `evolve`. Raises LedgerCorrupt when the period was charged before."""
    key = charged.plan, charged.agent
    last = book.charged.get(key, "")
    if charged.period <= last:
        raise LedgerCorrupt(
            f"book {book.id} entry {entry.seq}: plan {charged.plan} charged agent {charged.agent} for {last} already, "
            f"not for {charged.period}"
        )
    book.charged[key] = charged.period
