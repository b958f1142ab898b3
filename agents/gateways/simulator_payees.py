"""What simulated payees decide: which fault a question meets, what is booked, what is answered. No sockets here."""

from __future__ import annotations

from agents.gateways.simulator_book import Entry, Journal, Paid, PayeeBook, Refused
from agents.gateways.simulator_faults import Behaviour, Dice, Fault
from agents.gateways.simulator_question import Answer, Question, Said


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
        book, behaviour = self.books[question.payee], self.behaviours[question.payee]
        asked = book.ask(question.command, question.txn)
        if question.part_of != question.command:
            asked = book.asked[question.part_of, question.txn]
        return self._dice.fault(behaviour, asked, question.payee, question.part_of, question.txn)

    def answer(self, question: Question, at: int) -> Answer:
        """The payee's true answer at `at` (ms UTC). The first pay of a number is booked, later ones get its result."""
        book = self.books[question.payee]
        if question.command == "statement":
            lines = tuple(book.booked(question.since, question.until))
            return Answer(Said.OK, lines=lines)
        stored = book.stored(question.txn)
        if stored is None:
            return self._decide(book, question, at)
        if (stored.account, stored.sum) != (question.account, question.sum) and question.has_terms:
            book.inconsistencies += 1
            return Answer(Said.INCONSISTENT)
        if isinstance(stored, Refused):
            return Answer(Said.NOT_PAID) if question.command == "cancel" else Answer(Said.REFUSED, stored.result)
        if question.command == "cancel":
            return self._cancel(stored, question, at)
        if stored.cancelled_at:  # what was given back is not paid again under its number
            return Answer(Said.CANCELLED, paid=stored)
        return Answer(Said.OK, paid=None if question.command == "check" else stored)

    def write(self, question: Question, entry: Entry) -> None:
        """Book it, on file first where there is a journal."""
        if self._journal:
            self._journal.write(question.payee, question.txn, entry)
        self.books[question.payee].write(question.txn, entry)

    def _cancel(self, paid: Paid, question: Question, at: int) -> Answer:
        """Given back, or given back before; or why it is kept."""
        if not paid.cancelled_at:
            behaviour = self.behaviours[question.payee]
            if why := self._dice.keeps(behaviour, question.payee, question.txn, at - paid.paid_at):
                return Answer(why, paid=paid)
            paid.cancelled_at = at
            self.write(question, paid)
        return Answer(Said.OK, paid=paid)

    def _decide(self, book: PayeeBook, question: Question, at: int) -> Answer:
        """The answer to a number nobody was paid or refused under yet."""
        match question.command:
            case "status":
                return Answer(Said.ABSENT)
            case "cancel":
                return Answer(Said.NOT_PAID)
        code = self._dice.decline(self.behaviours[question.payee], question.payee, question.account)
        refused = None if code is None else Answer(Said.REFUSED, code)
        if question.command == "check":
            return refused or Answer(Said.OK)
        entry: Paid | Refused
        if code is not None:
            entry = Refused(question.account, question.sum, code)
        else:
            prv_txn = self._dice.number("prv_txn", question.payee, question.txn)
            entry = Paid(question.account, question.sum, at, book.asked[question.command, question.txn], prv_txn)
        self.write(question, entry)
        return refused or Answer(Said.OK, paid=book.paid[question.txn])
