"""How the loader cuts blocks and keeps its place: no broker, no warehouse, a clock that is told the time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from schemas.entry import Entry
from sinks.errors import KafkaRefused, LedgerMismatch, LedgerUnreadable
from tests.sink_builders import Bookkeeper, facts
from tests.sink_fakes import WITHIN_MS, FakeMessage, Turn, Turns


def ledger(entries: Sequence[Entry], first: int = 0) -> list[FakeMessage]:
    return [FakeMessage(first + n, entry.encode()) for n, entry in enumerate(entries)]


def paid(count: int) -> list[Entry]:
    """Entries of so many payments, HELD (2 legs) and POSTED (7 legs) in turns."""
    book = Bookkeeper()
    return [entry for number in range(1, count + 1) for entry in book.pay(facts(number))]


def test_a_block_is_cut_by_rows_and_never_inside_a_record() -> None:
    turns = Turns(lambda _: ledger(paid(12))).run()
    assert turns.inserter.of("entries") == [(0, 19, 20), (20, 23, 4)]
    assert turns.inserter.of("legs") == [(0, 4, 20), *((n, n + 3, 18) for n in range(5, 21, 4)), (21, 23, 16)]
    assert turns.inserter.of("payment_states") == [(0, 19, 20), (20, 23, 4)]


def test_a_record_with_more_rows_than_a_block_may_have_is_a_block_of_its_own() -> None:
    movements = [("bank", -30), *((f"agent:{n}", 1) for n in range(30))]
    entry = Bookkeeper().entry(Bookkeeper().deposit("S", 1).kind, movements)
    turns = Turns(lambda _: ledger([entry, entry])).run()
    assert turns.inserter.of("legs") == [(0, 0, 31), (1, 1, 31)]


def test_a_block_is_cut_by_age() -> None:
    entries = paid(2)
    blocks: list[int] = []

    def after(ms: int, messages: list[FakeMessage]) -> Turn:
        def turn(turns: Turns) -> list[FakeMessage]:
            blocks.append(len(turns.inserter.blocks))
            turns.now_s += ms / 1_000
            return messages

        return turn

    turns = Turns(
        after(0, ledger(entries[:1])),
        after(WITHIN_MS - 1, ledger(entries[1:2], first=1)),
        after(1, []),
        after(0, ledger(entries[2:3], first=2)),
    ).run()
    assert blocks == [0, 0, 0, 3]  # in the third turn the first record was old enough, and the second went with it
    assert turns.inserter.of("entries") == [(0, 1, 2), (2, 2, 1)]


def test_each_table_takes_only_what_it_has_not() -> None:
    turns = Turns(lambda _: ledger(paid(2), first=0), entries=2, legs=0, payment_states=1).run()
    assert turns.consumer.starts == [1]
    assert turns.inserter.of("entries") == [(3, 3, 1)]
    assert turns.inserter.of("legs") == [(1, 3, 16)]
    assert turns.inserter.of("payment_states") == [(2, 3, 2)]


def test_when_a_mark_moved_everything_is_read_again_from_the_marks() -> None:
    entries = paid(4)

    def moved(turns: Turns) -> list[FakeMessage]:
        turns.inserter.moved = {"legs"}
        turns.inserter.marks["entries"] = 1
        turns.now_s += 1
        return ledger(entries[4:], first=4)

    turns = Turns(lambda _: ledger(entries[:4]), moved, lambda _: ledger(entries)).run()
    assert turns.consumer.starts == [0, 0]
    assert turns.inserter.of("legs") == [(0, 4, 20), (5, 7, 16)]
    assert [last for _, last, _ in turns.inserter.of("entries")][-1] == 7


def test_a_partition_that_is_taken_away_is_dropped_with_what_was_gathered() -> None:
    def revoked(turns: Turns) -> list[FakeMessage]:
        turns.consumer.revoke()
        return ledger(paid(1), first=2)

    turns = Turns(lambda _: ledger(paid(1)), revoked).run()
    assert turns.inserter.blocks == []


def test_what_kafka_is_told_is_what_the_tables_have() -> None:
    turns = Turns(lambda _: ledger(paid(2))).run()
    assert turns.consumer.committed == [4]


def test_records_before_an_unreadable_one_are_loaded() -> None:
    messages = [*ledger(paid(1)), FakeMessage(2, b'{"kind":"HELD"}'), *ledger(paid(1), first=3)]
    turns = Turns(lambda _: messages)
    with pytest.raises(LedgerUnreadable, match="ledger partition 0 offset 2 cannot be read: book: Field required"):
        turns.run()
    assert turns.inserter.of("entries") == [(0, 1, 2)]


@pytest.mark.parametrize("value", [b"", None, b"null", b"\xff", b"[]", b'{"book":1}'])
def test_whatever_is_no_entry_is_unreadable(value: bytes | None) -> None:
    with pytest.raises(LedgerUnreadable) as stopped:
        Turns(lambda _: [FakeMessage(7, value)]).run()
    assert (stopped.value.topic, stopped.value.partition, stopped.value.offset) == ("ledger", 0, 7)


def end(offset: int) -> FakeMessage:
    """What the client library says when it has read to the end."""
    return FakeMessage(offset, None, error=KafkaError(KafkaError._PARTITION_EOF))


def test_at_the_end_it_rests_until_there_is_news_and_reads_on_where_it_was() -> None:
    assigned: list[int] = []

    def step(messages: list[FakeMessage], ends_at: int, now_s: float) -> Turn:
        def turn(turns: Turns) -> list[FakeMessage]:
            assigned.append(turns.consumer.assigned)
            turns.ends.end, turns.now_s = ends_at, now_s
            return messages

        return turn

    turns = Turns(
        step(ledger(paid(1)), 3, 0.0),
        step([end(3)], 3, 0.1),  # a marker behind them; but the block is not old enough yet: no rest
        step([], 3, 1.0),  # now it is
        step([], 3, 1.0),  # nothing left to do: from here on it rests
        step([], 3, 1.0),
        step([], 10, 1.0),
        step(ledger(paid(1), first=8), 10, 1.0),
    ).run()
    assert assigned == [1, 1, 1, 1, 0, 0, 1]
    assert turns.consumer.starts == [0, 2]
    assert turns.inserter.of("entries") == [(0, 1, 2), (8, 9, 2)]


def test_it_reads_on_every_few_seconds_without_news_too() -> None:
    assigned: list[int] = []

    def quiet(turns: Turns) -> list[FakeMessage]:
        assigned.append(turns.consumer.assigned)
        turns.now_s += 2
        return []

    Turns(*[quiet] * 7).run()
    assert assigned == [1, 0, 0, 0, 1, 0, 0]


def test_it_does_not_rest_while_a_fetch_takes_its_time() -> None:
    assigned: list[int] = []

    def slow(turns: Turns) -> list[FakeMessage]:
        assigned.append(turns.consumer.assigned)
        turns.ends.end = 2
        return []

    Turns(slow, slow, slow, lambda _: ledger(paid(1))).run()
    assert assigned == [1, 1, 1]


def test_silence_of_a_broker_that_has_something_is_told() -> None:
    def silent(turns: Turns) -> list[FakeMessage]:
        turns.ends.end = 2
        turns.now_s += 4
        return []

    with capture_logs() as logs:
        Turns(*[silent] * 8, lambda _: ledger(paid(1))).run()
    assert [line["seconds"] for line in logs if line["log_level"] == "warning"] == [12, 12]


@pytest.mark.parametrize(
    ("first", "end", "mark", "complaint"),
    [
        (0, 10, 9, None),
        (0, 10, 10, "ends before offset 10, but the warehouse has offset 10"),
        (5, 10, 4, None),
        (6, 10, 4, "begins at offset 6, but the warehouse needs it from 5 on"),
    ],
)
def test_the_ledger_must_be_the_one_that_was_loaded(first: int, end: int, mark: int, complaint: str | None) -> None:
    turns = Turns(lambda _: [], entries=mark, legs=mark, payment_states=mark)
    turns.consumer.first, turns.consumer.end = first, end
    if complaint is None:
        turns.run()
        assert turns.consumer.starts[0] == mark + 1
        return
    with pytest.raises(LedgerMismatch, match=complaint):
        turns.run()


def test_a_compacted_topic_may_begin_later() -> None:
    turns = Turns(lambda _: [], topic="payees", payees=4)
    turns.consumer.first = 70
    assert turns.run().consumer.starts[0] == 70


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        (KafkaError._PARTITION_EOF, True),
        (KafkaError._ALL_BROKERS_DOWN, True),
        (KafkaError._MAX_POLL_EXCEEDED, True),
        (KafkaError._AUTO_OFFSET_RESET, False),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, False),
        (KafkaError.FENCED_INSTANCE_ID, False),
    ],
)
def test_trouble_that_passes_is_told_from_trouble_that_does_not(code: int, passes: bool) -> None:
    turns = Turns(lambda _: [FakeMessage(0, None, error=KafkaError(code))])
    if passes:
        turns.run()
        return
    with pytest.raises(KafkaRefused):
        turns.run()


def test_a_broker_that_falls_out_while_it_is_asked_where_a_topic_ends_is_asked_again() -> None:
    turns = Turns(lambda _: ledger(paid(1)))
    turns.consumer.span_fails = [KafkaError._DESTROY_BROKER, KafkaError._TRANSPORT]  # one ended a sink in a faults run
    turns.run()
    assert turns.inserter.of("entries") == [(0, 1, 2)]
