"""Agents' live balances, as topic `balances` shows them."""

from __future__ import annotations

from schemas.balance import Balance
from schemas.entry import Entry
from schemas.ids import ms_instant
from streams.ledger.state import Book


def touched_agents(book: Book, entry: Entry) -> set[tuple[str, str]]:
    """(agent, currency) of those whose balance, holds or terms the entry, which was just folded in, changed.

    A set has no order: sort what must have one.
    """
    touched = {(one.id, one.currency) for one in book.purses(entry.agent.agent)} if entry.agent is not None else set()
    for leg in entry.legs:
        kind, _, owner = leg.account.partition(":")
        if kind in ("agent", "hold"):
            touched.add((owner, leg.currency))
    return touched


def balance_of(book: Book, agent: str, at: int, currency: str = "") -> Balance:
    """The agent's balance in that currency ("": its tree's own) as it stands after the book's last entry.

    at: that entry's time, ms UTC.

    `seq` is that entry's number: it grows with every change, also with those of a limit or a hold alone. Raises
    KeyError when there is no such agent, or it has no account in the currency.
    """
    found = book.agents_in(currency)[agent]
    return Balance(
        tree=book.id,
        agent=found.id,
        parent=found.parent,
        name=found.name,
        currency=found.currency,
        balance=found.balance,
        held=found.held,
        overdraft=found.overdraft,
        available=found.available,
        funding=found.funding,
        seq=book.seq,
        at=ms_instant(at),
        status=found.status,
        time_zone=found.time_zone,
        payment_max=found.payment_max,
        daily_max=found.daily_max,
        monthly_max=found.monthly_max,
        payees=found.payees,
    )
