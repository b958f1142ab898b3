"""The server's own fold beside ours: both must come to the same. And what it tells the world: topic `balances`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from pydantic import ValidationError

from console.audit_ledger import LedgerAudit, where
from console.audit_payments import OPEN, PaymentAudit
from console.audit_report import Check
from schemas.balance import Balance, balance_key
from schemas.entry import AgentTerms, Entry
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.state import State

_FURTHER = ("status", "time_zone", "payment_max", "daily_max", "monthly_max", "payees")


class CoreFold:
    """Folds one partition after the other with the core, and holds each fold against our own adding up."""

    def __init__(self) -> None:
        self.check = Check("core.fold")
        self._state: State | None = None
        self._first_account = 0
        self._first_payment = 0

    def begin(self, partition: int, ledger: LedgerAudit, payments: PaymentAudit) -> None:
        """The two others have seen every earlier partition."""
        self._state = State(partition)
        self._first_account = len(ledger.statements)
        self._first_payment = len(payments.index)

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        """After the first entry that the core refuses, nothing more of the partition can be folded."""
        if self._state is None:
            return
        try:
            evolve(self._state, entry)
        except LedgerCorrupt as error:
            self.check.fail(f"{where(partition, offset, entry)}: the core refuses it: {error}")
            self._state = None

    def end(self, ledger: LedgerAudit, payments: PaymentAudit) -> None:
        """The partition has ended: compare, and let the fold go."""
        state, self._state = self._state, None
        if state is None:
            return
        self._compare_accounts(state, ledger)
        self._compare_payments(state, payments)

    def _compare_accounts(self, state: State, ledger: LedgerAudit) -> None:
        theirs = {
            (book.id, account, currency): (end.seq, end.balance)
            for book in state.books.values()
            for (account, currency), end in book.accounts.items()
            if end.seq
        }
        ours = {key: (one.seq, one.total) for key, one in islice(ledger.statements.items(), self._first_account, None)}
        for key in sorted(theirs.keys() | ours.keys()):
            self.check.looked_at += 1
            folded, added = theirs.get(key, (0, 0)), ours.get(key, (0, 0))
            if folded != added:
                book, account, currency = key
                self.check.fail(
                    f"partition {state.partition}: book {book} account {account}: the core has leg {folded[0]} and "
                    f"{folded[1]} {currency}, added up it is leg {added[0]} and {added[1]}"
                )

    def _compare_payments(self, state: State, payments: PaymentAudit) -> None:
        index = payments.index
        ours = {
            index.ids[number]: index.state_of(number)
            for number in range(self._first_payment, len(index))
            if index.state_of(number) in OPEN
        }
        for payment in sorted(state.open.keys() | ours.keys()):
            self.check.looked_at += 1
            found = state.payments.find(payment)
            folded, added = found.state.value if found is not None else "not known", ours.get(payment, "not open")
            if folded != added:
                self.check.fail(f"partition {state.partition}: payment {payment}: the core has {folded}, it is {added}")


def compare_balances(table: Mapping[str, bytes], ledger: LedgerAudit, *, at_rest: bool) -> Check:
    """Key -> newest record of topic `balances`, read after the ledger. at_rest: nothing was decided in between,

    so nothing may be newer than the ledger; otherwise what is newer is passed over.
    """
    check = Check("balances.topic")
    moved_on = 0
    agents = {
        balance_key(book, terms.agent, "" if is_own else terms.currency): (book, terms)
        for book, terms, is_own in ledger.purses.everyone()
    }
    for key in sorted(table.keys() | agents.keys()):
        check.looked_at += 1
        try:
            shown = Balance.model_validate_json(table.get(key, b""))
        except ValidationError:
            check.fail(f"{key}: {'cannot be read' if key in table else 'has no record'}")
            continue
        book = ledger.books.get(shown.tree)
        if not at_rest and shown.seq > (book.seq if book is not None else 0):
            moved_on += 1
        elif key not in agents:
            check.fail(f"{key}: there is no such agent on the ledger")
        elif wrong := _difference(shown, *agents[key], ledger):
            check.fail(f"{key} after entry {shown.seq}: {wrong}")
    check.note = f"{moved_on} moved on while the audit ran" if moved_on else ""
    return check


def _difference(shown: Balance, book: str, terms: AgentTerms, ledger: LedgerAudit) -> str:
    """Column: what the topic shows, what the ledger says. Minor units."""
    agent = terms.agent
    balance = ledger.total_of(book, f"agent:{agent}", terms.currency)
    should: dict[str, object] = {
        "tree": book,
        "agent": agent,
        "parent": terms.parent,
        "name": terms.name,
        "currency": terms.currency,
        "funding": terms.funding,
        "overdraft": terms.overdraft,
        **{name: getattr(terms, name) for name in _FURTHER},
        "balance": balance,
        "held": ledger.total_of(book, f"hold:{agent}", terms.currency),
        "available": balance + terms.overdraft,
    }
    wrong = [f"{name} is {getattr(shown, name)}, should be {value}" for name, value in should.items()
             if getattr(shown, name) != value]  # fmt: skip
    if shown.seq < (touched := ledger.touched[book, agent, terms.currency]):
        wrong.append(f"entry {touched} changed it since")
    if shown.seq > ledger.books[book].seq:
        wrong.append(f"the book ends with entry {ledger.books[book].seq}")
    return "; ".join(wrong)
