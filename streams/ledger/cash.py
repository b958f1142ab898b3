"""Cash in terminals: what payments put in, and what is found when one is emptied.

These are memo accounts: cash is the agent's own affair, and no money between it and the operator moves with it. The
order of the ledger counts: what was put in is expected from the entry on that says so, also where it came late.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.cash import CollectCash, Collection
from schemas.change import CHANGE
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.money import MAX_MINOR, Money
from schemas.refusal import Refusal
from streams.ledger.accounts import Movements, account_cash, account_cash_taken, legs_of
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.objections import Objection
from streams.ledger.origins import UNSIGNED
from streams.ledger.state import Book
from streams.ledger.tills import Till

_TAKEN = frozenset({EntryKind.HELD, EntryKind.WAITING_FUNDS})


def cash_of(entry: Entry, facts: PaymentFacts) -> int:
    """What the entry says was put into the payment's terminal; minor units.

    Cash that was collected is in the box at the receipt of its order; of an order that is declined at once only what is
    kept for the payer, the rest is given back. Else the cashier takes it when the payee has the payment: what
    change that was spent did not pay.
    """
    if not facts.collected:
        return max(0, facts.amount + facts.fee - facts.from_change) if entry.kind is EntryKind.POSTED else 0
    if entry.cause.id != facts.id or entry.cause.by in UNSIGNED:
        return 0
    if entry.kind is EntryKind.DECLINED:
        return sum(leg.amount for leg in entry.legs if leg.account.startswith(CHANGE))
    return facts.collected if entry.kind in _TAKEN else 0


def fold_cash(book: Book, entry: Entry, facts: PaymentFacts) -> None:
    """For `evolve`: an entry about a payment."""
    if amount := cash_of(entry, facts):
        key = facts.terminal, facts.agent, facts.currency
        till = book.tills.get(key)
        if till is None:
            till = book.tills[key] = Till()
        till.expected += amount


def collect(book: Book, order: CollectCash, blank: Entry) -> Entry | Objection:
    """CASH_COLLECTED. An agent that is closed may still have cash in its terminals."""
    till = book.tills.get((order.terminal, order.agent, order.currency))
    if till is None:
        return Objection(Refusal.OTHER, _why_none(book, order))
    if order.total > MAX_MINOR:
        most = Money(MAX_MINOR, order.currency)
        return Objection(Refusal.OTHER, f"{Money(order.total, order.currency)} is more than any count, {most}")
    found = Collection(
        terminal=order.terminal,
        agent=order.agent,
        currency=order.currency,
        number=till.collections + 1,
        expected=till.expected,
        counted=order.total,
        shortage=till.expected - order.total,
        denominations=tuple(sorted(((int(worth), pieces) for worth, pieces in order.counted.items()), reverse=True)),
        first_entry=till.first_entry,
        last_entry=blank.seq,
    )
    return replace(
        blank, kind=EntryKind.CASH_COLLECTED, legs=legs_of(book, order.currency, _movements(found)), cash=found,
        document=order.bag, reason=order.comment,
    )  # fmt: skip


def _movements(found: Collection) -> Movements:
    """What was in it, by the payments; then what was taken out, by the count. What differs stays on the terminal's."""
    terminal, taken = account_cash(found.terminal), account_cash_taken(found.agent)
    return [(terminal, -found.expected), (taken, found.expected), (terminal, found.counted), (taken, -found.counted)]


def _why_none(book: Book, order: CollectCash) -> str:
    """Why this terminal has no cash of that agent and currency."""
    of_it = [(agent, currency) for terminal, agent, currency in book.tills if terminal == order.terminal]
    if not of_it:
        return f"terminal {order.terminal} has taken no cash in tree {order.tree}"
    agents = sorted({agent for agent, _ in of_it})
    if order.agent not in agents:
        return f"terminal {order.terminal} took cash for agent {', '.join(agents)}, not for {order.agent}"
    currencies = sorted({currency for agent, currency in of_it if agent == order.agent})
    return f"terminal {order.terminal} took {', '.join(currencies)}, and never {order.currency}"


def fold_collection(book: Book, entry: Entry, found: Collection) -> None:
    """For `evolve`: the terminal is empty. Raises LedgerCorrupt when that is not what was expected to be in it."""
    till = book.tills.get((found.terminal, found.agent, found.currency))
    stands = (till.collections + 1, till.expected, till.first_entry) if till is not None else None
    if till is None or stands != (found.number, found.expected, found.first_entry):
        raise LedgerCorrupt(
            f"book {book.id} entry {entry.seq}: collection {found.number} of terminal {found.terminal} expects "
            f"{found.expected} since entry {found.first_entry}; number, amount and entry must be {stands}"
        )
    till.expected, till.collections, till.first_entry = 0, found.number, entry.seq + 1
