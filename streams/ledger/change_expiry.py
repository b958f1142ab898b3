"""Change that nobody touched for years goes to an account of its own, and from there to whoever comes after all."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from schemas.change import ChangeNote, account_meant
from schemas.change_command import ReclaimChange
from schemas.entry import Cause, Entry, EntryKind, Leg
from schemas.ids import account_agent
from schemas.refusal import Refusal
from streams.ledger.accounts import UNCLAIMED, legs_of
from streams.ledger.agents import agent_at_work
from streams.ledger.change_block import blocked
from streams.ledger.commands import ChangeDue
from streams.ledger.currencies import purse_of
from streams.ledger.decisions import Stale
from streams.ledger.limits import payer_position
from streams.ledger.objections import Objection
from streams.ledger.origins import TIMER
from streams.ledger.state import Book

_DAY_MS = 86_400_000
# Accounts in one entry, so that it fits into a record. The rest follow when the timer fires next.
EXPIRED_MAX = 200


def has_due(book: Book, days: int, at: int) -> bool:
    """Is there change that nobody has touched for so many days at that time (ms UTC)?"""
    return next(book.change.untouched_since(at - days * _DAY_MS), None) is not None


def expire_when_due(book: Book | None, command: ChangeDue, at: int) -> Entry | Stale:
    """CHANGE_EXPIRED, or Stale when nothing is due: what has expired is empty, so it expires once whoever fires it."""
    before = at - command.days * _DAY_MS
    due = list(islice(book.change.untouched_since(before), EXPIRED_MAX)) if book is not None else []
    if book is None or not due:
        return Stale(f"no change in {command.book} was left untouched for {command.days} days")
    legs: list[Leg] = []
    for currency in sorted({currency for _, currency in due}):
        taken = [(account, -book.accounts[account, coin].balance) for account, coin in due if coin == currency]
        legs += legs_of(book, currency, [*taken, (UNCLAIMED, -sum(amount for _, amount in taken))])
    cause = Cause(f"change/{book.seq + 1}", "", TIMER)
    return Entry(
        book.id, book.seq + 1, EntryKind.CHANGE_EXPIRED, at, cause, tuple(legs), change=ChangeNote(days=command.days)
    )  # fmt: skip


def reclaim(book: Book, order: ReclaimChange, blank: Entry) -> Entry | Objection:
    """It comes back to where it was kept and is handed out from there, so that its statement tells all of it."""
    account = account_meant(order.code, order.payment)
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    if (stopped := blocked(book, account)) is not None:
        return stopped
    expired = book.change.expired.get((account, order.currency), 0)
    if not expired:
        return Objection(Refusal.OTHER, f"no change in {order.currency} under this has expired in tree {order.tree}")
    if expired < order.amount:
        return Objection(Refusal.OTHER, f"{expired} minor units of this change have expired, not {order.amount}")
    if isinstance(lacking := purse_of(book, agent, order.currency, "the change"), Objection):
        return lacking
    chain = book.chain(agent.id, order.currency)
    payer = account_agent(chain[payer_position(chain)].id)
    back = [(UNCLAIMED, -order.amount), (account, order.amount), (account, -order.amount), (payer, order.amount)]
    legs = legs_of(book, order.currency, back)
    return replace(blank, kind=EntryKind.CHANGE_RECLAIMED, legs=legs, document=order.evidence)
