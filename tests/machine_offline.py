"""The ledger machine's payee that is served offline: registries are cut, delivered, answered, and heard of late."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from schemas.entry import Entry
from schemas.registry import registry_book
from schemas.registry_command import AddToRegistry
from streams.ledger.commands import Instruct
from streams.ledger.decisions import Stale
from tests.builders_offline import answer, cut, deliver, registry_delivered, registry_due, words_by

BOOK = registry_book("water")
_flips = st.lists(st.sampled_from([True, True, False]), min_size=1, max_size=6)
_rarely = st.sampled_from([0] * 9 + [1])
_courses = st.sampled_from([("cut", "deliver", "answer"), ("cut", "deliver", "answer", "answer"), ("cut", "answer"),
                            ("deliver", "answer"), ("cut",), ()])  # fmt: skip
_choices = st.tuples(st.integers(0, 10**6), st.booleans(), _flips, _rarely)


class OfflineRules:
    """A part of LedgerMachine."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[Instruct] = []
        self.words_of = 0  # entries of the log whose words are among these, or were heard

    def queued(self, decision: list[Entry]) -> None:
        """Whatever of water is held is queued with the next entry, and nothing else is."""
        held = [n for n, one in enumerate(decision) if one.kind == "HELD" and one.payment.payee == "water"]
        assert [n + 1 for n in held] == [n for n, one in enumerate(decision) if one.kind == "QUEUED"]
        for n in held:
            payment = decision[n + 1].payment
            assert payment == decision[n].payment
            self.reference.sold[payment.id].state = "QUEUED"

    def words_now(self) -> list[Instruct]:
        self.words += words_by(self.log[self.words_of :])
        self.words_of = len(self.log)
        return self.words

    @rule(
        amounts=st.lists(st.integers(100, 3_000), max_size=3),
        heard=st.lists(st.integers(0, 10**6), max_size=6),
        course=_courses,
        choices=st.lists(_choices, min_size=4, max_size=4),
    )
    def a_day_of_registries(self, amounts, heard, course, choices) -> None:
        """Some is sold, some of what books say is heard, and registries go on."""
        for amount in amounts:
            self.place(("A", "A"), amount, None, amount % 2 == 0, 0, "", "", 1_000, to="water")
        self.books_hear_of_registries(heard)
        for what, (pick, by_hand, flips, wrong) in zip(course, choices, strict=False):
            if what == "cut" and BOOK in self.state.books:
                self.a_registry_is_cut(wrong, by_hand)
            elif what == "deliver" and len(self.reference.registries) > 1:
                self.a_registry_is_delivered(pick, by_hand)
            elif what == "answer" and any(one.is_delivered and one.lines for one in self.reference.registries):
                self.a_payee_answers(pick, flips, wrong)

    def books_hear_of_registries(self, picks) -> None:
        """In any order, each once."""
        for pick in picks:
            if self.words_now():
                self.hear_a_word(self.words.pop(pick % len(self.words)))

    def hear_a_word(self, word: Instruct) -> None:
        order = word.command
        if isinstance(order, AddToRegistry):
            entry = self.ask(word)
            assert entry is not None
            assert (entry.kind, entry.registry.number) == ("REGISTRY_LINE", self.reference.lined(order))
        else:
            self.instructed(word, self.reference.ended_offline(order, self.at + 1))

    def a_registry_is_cut(self, wrong, by_hand) -> None:
        number = len(self.reference.registries) + wrong
        command = cut(number, id=self.new_id()) if by_hand else registry_due(number)
        expected = self.reference.cut(number)
        if expected is None and not by_hand:
            assert isinstance(self.decide(command, self.at), Stale)
            return
        entry = self.ask(command)
        assert entry is not None
        if expected is None:
            assert entry.kind == "REFUSED"
        else:
            assert (entry.registry.cut.lines, entry.registry.cut.total) == expected

    def a_registry_is_delivered(self, pick, by_hand) -> None:
        """Mostly one that waits for it."""
        waiting = [n for n, one in enumerate(self.reference.registries, 1) if one.is_cut and not one.is_delivered]
        number = waiting[pick % len(waiting)] if waiting and pick % 10 else pick % len(self.reference.registries) + 1
        command = deliver(number, id=self.new_id()) if by_hand else registry_delivered(number)
        expected = self.reference.delivered(number)
        if not expected and not by_hand:
            assert isinstance(self.decide(command, self.at), Stale)
            return
        entry = self.ask(command)
        assert entry is not None
        assert entry.kind == ("REGISTRY_DELIVERED" if expected else "REFUSED")

    def a_payee_answers(self, pick, flips, wrong) -> None:
        """To some lines of a registry, answered before or not; wrong: one sum is not the line's."""
        delivered = [n for n, one in enumerate(self.reference.registries, 1) if one.is_delivered and one.lines]
        number = delivered[pick % len(delivered)]
        lines = self.reference.registries[number - 1].lines
        begin = pick % len(lines)
        names = [*lines.items()][begin:][: len(flips)]
        said = [(txn, self.reference.sold[name].amount, flip) for (txn, name), flip in zip(names, flips, strict=False)]
        if wrong:
            said[0] = (said[0][0], said[0][1] + 1, said[0][2])
        command = answer(*said, number=number, id=self.new_id())
        expected = self.reference.answered_lines(command.command)
        entry = self.ask(command)
        assert entry is not None
        if expected is None:
            assert entry.kind == "REFUSED"
        else:
            assert entry.kind == "REGISTRY_ANSWERED"
            assert [one.txn for one in entry.registry.answers] == expected

    @invariant()
    def registries_are_the_references(self) -> None:
        book = self.state.books.get(BOOK)
        if book is None or book.registries is None:
            return
        found = self.reference.registries
        assert (book.registries.current.number, list(book.registries.current.lines)) == (len(found), [*found[-1].lines])
        assert {number: list(one.lines) for number, one in book.registries.under_way.items()} == {
            number: [txn for txn in one.lines if txn not in one.said]
            for number, one in enumerate(found, 1)
            if one.is_cut and not one.is_over
        }
