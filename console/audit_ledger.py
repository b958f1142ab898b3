"""The ledger's arithmetic, checked from the entries alone. Pure, and none of the server's own rules is used:

an auditor who borrows the accountant's code proves little. What is wrong is reported and then followed, so that one
missing entry is named once and not again for all that comes after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from console.audit_currencies import Purses
from console.audit_report import Check
from schemas.entry import AgentTerms, Entry, EntryKind, Leg

Key = tuple[str, str, str]  # book, account, currency


@dataclass(slots=True)
class Statement:
    """One account's statement so far: the last leg's number and balance as written, and the amounts as added up here.

    total: sum of all amounts. debit: sum of the negative ones, as a positive number. Minor units.
    """

    seq: int = 0
    balance: int = 0
    total: int = 0
    debit: int = 0


@dataclass(slots=True)
class Book:
    """seq: the number of its last entry. partition: where its first entry was."""

    partition: int
    seq: int = 0


def where(partition: int, offset: int, entry: Entry) -> str:
    """How every failure begins that is about one entry."""
    return f"partition {partition} offset {offset}: book {entry.book} entry {entry.seq} ({entry.kind})"


class LedgerAudit:
    """Sees every entry once, each partition in its order. `statements` and `books` are what it came to."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self.statements: dict[Key, Statement] = {}
        self.purses = Purses()
        self.terms = self.purses.own  # by book and agent, in its tree's own currency
        self.touched: dict[Key, int] = {}  # book, agent, currency -> last entry that changed its money or terms there
        self._books = Check("ledger.books")
        self._zero = Check("ledger.zero")
        self._chain = Check("ledger.statements")
        self._holds = Check("ledger.holds")
        self._limits = Check("ledger.limits")

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        self._count(partition, offset, entry)
        self._zero.looked_at += 1
        if entry.legs:
            self._add_up(partition, offset, entry)
        if entry.agent is not None:
            self.purses.see(entry.book, entry.agent)
            for currency in self.purses.currencies(entry.book, entry.agent.agent):
                self.touched[entry.book, entry.agent.agent, currency] = entry.seq
        if entry.kind is EntryKind.HELD or (entry.kind is EntryKind.DECLINED and entry.legs):
            self._look_at_limits(partition, offset, entry)
        elif entry.kind in (EntryKind.TRANSFERRED, EntryKind.WITHDRAWN, EntryKind.TRANSFER_SENT):
            self._look_at_giver(partition, offset, entry)

    def checks(self) -> list[Check]:
        return [self._books, self._zero, self._chain, self._total(), self._holds, self._limits]

    def total_of(self, book: str, account: str, currency: str) -> int:
        """What the account has by our own adding up, minor units."""
        statement = self.statements.get((book, account, currency))
        return statement.total if statement is not None else 0

    def hold_accounts(self) -> Iterator[tuple[str, str, str, int]]:
        """(book, agent, currency, total in minor units) of every hold account."""
        for (book, account, currency), statement in self.statements.items():
            if account.startswith("hold:"):
                yield book, account.removeprefix("hold:"), currency, statement.total

    def _count(self, partition: int, offset: int, entry: Entry) -> None:
        self._books.looked_at += 1
        book = self.books.get(entry.book)
        if book is None:
            book = self.books[entry.book] = Book(partition)
        if book.partition != partition:
            self._books.fail(f"{where(partition, offset, entry)}: this book is on partition {book.partition}")
        if entry.seq != book.seq + 1:
            self._books.fail(f"{where(partition, offset, entry)}: follows entry {book.seq}")
        book.seq = entry.seq

    def _add_up(self, partition: int, offset: int, entry: Entry) -> None:
        sums: dict[str, int] = {}
        for leg in entry.legs:
            self._follow(partition, offset, entry, leg)
            sums[leg.currency] = sums.get(leg.currency, 0) + leg.amount
        for currency, off in sums.items():
            if off:
                self._zero.fail(f"{where(partition, offset, entry)}: legs sum to {off} {currency}")

    def _follow(self, partition: int, offset: int, entry: Entry, leg: Leg) -> None:
        key = (entry.book, leg.account, leg.currency)
        statement = self.statements.get(key)
        if statement is None:
            statement = self.statements[key] = Statement()
        self._chain.looked_at += 1
        if leg.seq != statement.seq + 1 or leg.balance != statement.balance + leg.amount:
            self._chain.fail(
                f"{where(partition, offset, entry)}: account {leg.account} {leg.currency} leg {leg.seq} of "
                f"{leg.amount} to {leg.balance} follows leg {statement.seq} with {statement.balance}"
            )
        statement.seq, statement.balance = leg.seq, leg.balance
        statement.total += leg.amount
        if leg.amount < 0:
            statement.debit -= leg.amount
        kind, _, owner = leg.account.partition(":")
        if kind == "agent":
            self.touched[entry.book, owner, leg.currency] = entry.seq
        elif kind == "hold":
            self.touched[entry.book, owner, leg.currency] = entry.seq
            self._holds.looked_at += 1
            if leg.balance < 0 or statement.total < 0:
                self._holds.fail(
                    f"{where(partition, offset, entry)}: account {leg.account} has {statement.total} {leg.currency}, "
                    f"written as {leg.balance}"
                )

    def _total(self) -> Check:
        check = Check("ledger.total", len(self.statements))
        sums: dict[str, int] = defaultdict(int)
        for (_, _, currency), statement in self.statements.items():
            sums[currency] += statement.balance
        for currency, off in sums.items():
            if off:
                check.fail(f"the balances of all accounts in {currency} sum to {off}")
        return check

    def _look_at_limits(self, partition: int, offset: int, entry: Entry) -> None:
        """The payer is the nearest agent, upwards, that spends its own money; it and all above keep to their limits."""
        facts = entry.payment
        if facts is None:
            return  # a hold without a payment is for payments.path to say
        self._limits.looked_at += 1
        chain = self.purses.line(entry.book, facts.agent, facts.currency)
        payer = next((place for place, terms in enumerate(chain) if terms.funding == "own"), None)
        if payer is None or chain[payer].agent != facts.payer_agent:
            self._limits.fail(
                f"{where(partition, offset, entry)}: payment {facts.id} of agent {facts.agent} is not "
                f"{facts.payer_agent or 'nobody'}'s to pay"
            )
            return
        for terms in chain[payer:]:
            money = self.total_of(entry.book, f"agent:{terms.agent}", terms.currency)
            if money < -terms.overdraft:
                self._limits.fail(
                    f"{where(partition, offset, entry)}: payment {facts.id} was held while account "
                    f"agent:{terms.agent} has {money} {terms.currency} and its overdraft is {terms.overdraft}"
                )

    def _look_at_giver(self, partition: int, offset: int, entry: Entry) -> None:
        """Nobody gives away what it has not, within its overdraft."""
        self._limits.looked_at += 1
        for leg in entry.legs:
            terms = self.purses.of(entry.book, leg.account.removeprefix("agent:"), leg.currency)
            money = self.total_of(entry.book, leg.account, leg.currency)
            if leg.amount < 0 and terms is not None and money < -terms.overdraft:
                self._limits.fail(
                    f"{where(partition, offset, entry)}: account {leg.account} has {money} {leg.currency} and its "
                    f"overdraft is {terms.overdraft}"
                )

    def chain_of(self, book: str, agent: str) -> list[AgentTerms]:
        """The agent first, the root last, in their tree's own currency."""
        return self.purses.line(book, agent)
