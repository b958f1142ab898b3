"""A fold as plain data, and back: what a snapshot keeps of it.

Final payments and answered commands are not in it: they are archived (see memory.py) before an image is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.correction import Correction
from schemas.crossing import Crossing
from schemas.entry import AgentTerms, DirectoryRecord, EntryKind, PaymentFacts
from schemas.registry import RegistryCut, RegistryLine
from schemas.reversal import Posted
from streams.ledger.payments import PaymentState
from streams.ledger.registry_state import OpenRegistry, Registries, RegistryUnderWay
from streams.ledger.state import Account, Book, OpenWindow, State
from streams.ledger.stock_image import StockImage, stock_image, stock_of
from streams.ledger.tills import Till

# Of the rules by which entries become a state: to be raised when `evolve` makes something else of the same entries, or
# when what is packed is packed otherwise. A change of the classes below is noticed without it.
VERSION = 7


@dataclass(frozen=True, slots=True)
class UnderWayImage:
    """A registry that is cut; as in RegistryUnderWay."""

    number: int
    cut: RegistryCut
    lines: tuple[RegistryLine, ...]
    delivered_at: int
    answered: tuple[tuple[int, bool], ...]


@dataclass(frozen=True, slots=True)
class RegistriesImage:
    """A payee's registries: what the open one has, and those under way."""

    number: int
    since: int
    digest: str
    lines: tuple[RegistryLine, ...]
    under_way: tuple[UnderWayImage, ...]


@dataclass(frozen=True, slots=True)
class BookImage:
    """accounts: name, currency, last leg's number, balance in minor units. agents: parents before their sub-agents, the
    tree's own currency before further ones.

    sold: agent, currency, day, amounts of its day and month. windows: subject, number, opened_at, first_entry, and its
    marks in the form of accounts. change_…: as in KeptChange, in its order. tills: terminal,
    agent, currency, expected minor units, collections, first_entry. charged: plan, agent, last period. opened: agent,
    currency, ms UTC.
    """

    id: str
    seq: int
    accounts: tuple[tuple[str, str, int, int], ...]
    agents: tuple[AgentTerms, ...]
    record: DirectoryRecord | None
    keys: dict[str, dict[str, object]]
    sold: tuple[tuple[str, str, str, int, int], ...]
    windows: tuple[tuple[str, int, int, int, tuple[tuple[str, str, int, int], ...]], ...] = ()
    under_way: tuple[Crossing, ...] = ()
    change_touched: tuple[tuple[str, str, int], ...] = ()
    change_expired: tuple[tuple[str, str, int], ...] = ()
    tills: tuple[tuple[str, str, str, int, int, int], ...] = ()
    charged: tuple[tuple[str, str, str], ...] = ()
    opened: tuple[tuple[str, str, int], ...] = ()
    change_blocked: tuple[str, ...] = ()
    proposals: tuple[Correction, ...] = ()
    stock: StockImage | None = None
    registries: RegistriesImage | None = None


@dataclass(frozen=True, slots=True)
class PaymentImage:
    """An open payment; digest in hex, the rest as in PaymentState."""

    id: str
    book: str
    digest: str
    state: str
    txn: int
    at: int
    refusal: int
    reason: str
    tries: int
    deferrals: int
    due_at: int
    facts: PaymentFacts | None
    kept: int
    posted: Posted | None = None


@dataclass(frozen=True, slots=True)
class StateImage:
    """payments: the open ones, oldest first."""

    partition: int
    next_txn: int
    books: tuple[BookImage, ...]
    payments: tuple[PaymentImage, ...]


def image_of(state: State) -> StateImage:
    """The state without what is final."""
    books = tuple(_book_image(book) for book in state.books.values())
    return StateImage(state.partition, state.next_txn, books, tuple(map(_payment_image, state.open.values())))


def state_of(image: StateImage) -> State:
    """The state again, with nothing final in its memory."""
    state = State(image.partition, next_txn=image.next_txn)
    state.books = {book.id: _book(book) for book in image.books}
    for payment in image.payments:
        state.keep(_payment(payment))
    return state


def _book_image(book: Book) -> BookImage:
    accounts = tuple((name, currency, end.seq, end.balance) for (name, currency), end in book.accounts.items())
    agents = [one for agents in book.currencies.values() for one in agents.values()]
    terms = tuple(one.terms for one in agents)
    sold = tuple((one.id, one.currency, one.day, one.sold_day, one.sold_month) for one in agents if one.day)
    windows = tuple(
        (subject, one.number, one.opened_at, one.first_entry, tuple((*key, *mark) for key, mark in one.marks.items()))
        for subject, one in book.windows.items()
    )
    return BookImage(
        book.id, book.seq, accounts, terms, book.record, book.keys, sold, windows,
        under_way=tuple(book.under_way.values()),
        change_touched=tuple((*key, at) for key, at in book.change.touched.items()),
        change_expired=tuple((*key, amount) for key, amount in book.change.expired.items()),
        tills=tuple((*key, one.expected, one.collections, one.first_entry) for key, one in book.tills.items()),
        charged=tuple((*key, period) for key, period in book.charged.items()),
        opened=tuple((one.id, one.currency, one.opened_at) for one in agents),
        change_blocked=tuple(sorted(book.change.blocked)),
        proposals=tuple(book.proposals.values()),
        stock=stock_image(book.stock) if book.stock is not None else None,
        registries=_registries_image(book.registries) if book.registries is not None else None,
    )  # fmt: skip


def _book(image: BookImage) -> Book:
    book = Book(image.id, image.seq, record=image.record, keys=dict(image.keys))
    for name, currency, seq, balance in image.accounts:
        book.accounts[name, currency] = Account(seq, balance)
    for terms in image.agents:
        book.open_agent(terms)
    for name, currency, day, sold_day, sold_month in image.sold:
        agent = book.currencies[currency][name]
        agent.day, agent.sold_day, agent.sold_month = day, sold_day, sold_month
    for subject, number, opened_at, first_entry, marks in image.windows:
        by_account = {(name, currency): (seq, balance) for name, currency, seq, balance in marks}
        book.windows[subject] = OpenWindow(number, opened_at, first_entry, by_account)
    book.under_way = {one.number: one for one in image.under_way}
    book.change.touched = {(account, currency): at for account, currency, at in image.change_touched}
    book.change.expired = {(account, currency): amount for account, currency, amount in image.change_expired}
    for terminal, owner, coin, expected, collections, first_entry in image.tills:
        book.tills[terminal, owner, coin] = Till(expected, collections, first_entry)
    for name, currency, opened in image.opened:
        book.currencies[currency][name].opened_at = opened
    book.proposals = {one.proposal: one for one in image.proposals}
    book.charged = {(plan, name): period for plan, name, period in image.charged}
    book.change.blocked = set(image.change_blocked)
    book.stock = stock_of(image.stock) if image.stock is not None else None
    book.registries = _registries(image.registries) if image.registries is not None else None
    return book


def _registries_image(found: Registries) -> RegistriesImage:
    under_way = tuple(
        UnderWayImage(one.number, one.cut, tuple(one.lines.values()), one.delivered_at, tuple(one.answered.items()))
        for one in found.under_way.values()
    )
    return RegistriesImage(
        found.current.number, found.current.since, found.current.digest, tuple(found.current.lines.values()), under_way
    )  # fmt: skip


def _registries(image: RegistriesImage) -> Registries:
    lines = {line.txn: line for line in image.lines}
    total, currency = sum(line.amount for line in image.lines), image.lines[0].currency if image.lines else ""
    under_way = {
        one.number: RegistryUnderWay(
            one.number, one.cut, {line.txn: line for line in one.lines}, one.delivered_at, dict(one.answered)
        )
        for one in image.under_way
    }
    return Registries(OpenRegistry(image.number, image.since, lines, total, currency, image.digest), under_way)


def _payment_image(payment: PaymentState) -> PaymentImage:
    return PaymentImage(
        payment.id, payment.book, payment.digest.hex(), payment.state, payment.txn, payment.at, payment.refusal,
        payment.reason, payment.tries, payment.deferrals, payment.due_at, payment.facts, payment.kept, payment.posted,
    )  # fmt: skip


def _payment(image: PaymentImage) -> PaymentState:
    return PaymentState(
        image.id, image.book, bytes.fromhex(image.digest), EntryKind(image.state), image.txn, image.at, image.refusal,
        image.reason, image.tries, image.deferrals, image.due_at, image.facts, image.kept, image.posted,
    )  # fmt: skip
