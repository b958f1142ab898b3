"""What simulated payees decide: which fault a question meets, what is booked, what is answered. No sockets here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.gateways.simulator_book import Journal, Paid, PayeeBook, Refused
from agents.gateways.simulator_faults import Behaviour, Dice, Fault

OK = 0
OTHER = 300  # also: a number that comes again with another account or sum

_TXN = re.compile(r"\d{1,20}", re.ASCII)
_SUM = re.compile(r"\d{1,13}(\.\d{1,3})?", re.ASCII)


class BadRequest(ValueError):
    """Not a request of the protocol."""


@dataclass(frozen=True, slots=True)
class Question:
    """One well-formed request to one payee. sum: major units, as it came."""

    payee: str
    command: str
    txn: int
    account: str
    sum: str

    @classmethod
    def read(cls, payee: str, command: str, txn: str, account: str, amount: str) -> Question:
        """Raises BadRequest when a parameter is missing or cannot be meant."""
        if (
            command not in ("check", "pay", "cancel")
            or not _TXN.fullmatch(txn)
            or not account
            or not _SUM.fullmatch(amount)
        ):
            raise BadRequest(
                "expected command=check|pay|cancel, txn_id of up to 20 digits, account, and sum such as 200.00"
            )
        return cls(payee, command, int(txn), account, amount)


@dataclass(frozen=True, slots=True)
class Answer:
    """A result code; prv_txn is the payee's number of the payment, 0 where it has none."""

    result: int
    prv_txn: int = 0


class Payees:
    """All payees of one simulator: their behaviour and their books."""

    def __init__(self, behaviours: dict[str, Behaviour], seed: int, journal: Journal | None = None) -> None:
        self.behaviours = dict(behaviours)
        self.books = {payee: PayeeBook() for payee in behaviours}
        self._dice = Dice(seed)
        self._journal = journal
        for payee, txn, entry in journal.read() if journal else ():
            self.books.setdefault(payee, PayeeBook()).write(txn, entry)

    def behave(self, payee: str, behaviour: Behaviour) -> None:
        """From the next request on this payee behaves so; it is introduced if it is new."""
        self.behaviours[payee] = behaviour
        self.books.setdefault(payee, PayeeBook())

    def delay_ms(self, question: Question) -> int:
        """How long the payee thinks before it decides."""
        behaviour = self.behaviours[question.payee]
        if behaviour.jitter_ms == 0:
            return behaviour.delay_ms
        drawn = self._dice.number("jitter", question.payee, question.command, question.txn)
        return behaviour.delay_ms + drawn % (behaviour.jitter_ms + 1)

    def meet(self, question: Question) -> Fault | None:
        """Count the asking, and say which fault it meets, if any."""
        asked = self.books[question.payee].ask(question.command, question.txn)
        behaviour = self.behaviours[question.payee]
        return self._dice.fault(behaviour, asked, question.payee, question.command, question.txn)

    def answer(self, question: Question, at: int) -> Answer:
        """The payee's true answer at `at` (ms UTC). The first pay of a number is booked, later ones get its result."""
        book = self.books[question.payee]
        stored = book.stored(question.txn)
        if stored is None:
            return self._decide(book, question, at)
        if (stored.account, stored.sum) != (question.account, question.sum):
            book.inconsistencies += 1
            return Answer(OTHER)
        if isinstance(stored, Refused):
            return Answer(OTHER if question.command == "cancel" else stored.result)
        if question.command == "cancel":
            return self._cancel(stored, question, at)
        if stored.cancelled_at:
            return Answer(OTHER)  # what was given back is not paid again under its number
        return Answer(OK, stored.prv_txn if question.command == "pay" else 0)

    def _cancel(self, paid: Paid, question: Question, at: int) -> Answer:
        """Given back, or given back before; or the code with which it is kept."""
        if not paid.cancelled_at:
            behaviour = self.behaviours[question.payee]
            if code := self._dice.keeps(behaviour, question.payee, question.txn, at - paid.paid_at):
                return Answer(code)
            paid.cancelled_at = at
            if self._journal:
                self._journal.write(question.payee, question.txn, paid)
        return Answer(OK, paid.prv_txn)

    def _decide(self, book: PayeeBook, question: Question, at: int) -> Answer:
        result = self._dice.decline(self.behaviours[question.payee], question.payee, question.account)
        if question.command == "check":
            return Answer(result)
        if question.command == "cancel":
            return Answer(OTHER)  # nobody paid under this number
        entry: Paid | Refused
        if result:
            entry, answer = Refused(question.account, question.sum, result), Answer(result)
        else:
            prv_txn = self._dice.number("prv_txn", question.payee, question.txn)
            asked = book.asked[question.command, question.txn]
            entry, answer = Paid(question.account, question.sum, at, asked, prv_txn), Answer(OK, prv_txn)
        if self._journal:
            self._journal.write(question.payee, question.txn, entry)
        book.write(question.txn, entry)
        return answer
