"""One block, one table: in once, whatever becomes of the answer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from structlog.testing import capture_logs

from schemas.entry import Entry, EntryKind
from sinks.blocks import Block
from sinks.columns import ALL, ENTRIES, LEGS
from sinks.errors import Stopped, WarehouseAway, WarehouseRefused
from sinks.inserts import Inserter, MarkMoved
from sinks.positions import NOTHING, is_insert_under_way, mark, query_id
from sinks.rows import Place, entry_row
from sinks.warehouse import Patience, connect, rows, translated
from streams.settings import Settings
from tests.sink_builders import Bookkeeper, facts
from tests.sink_loading import eventually, load_directory, load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration

KILOBYTE = "x" * 1_024


class Flaky:
    """A client whose inserts fail as told: before they are sent, or after they were carried out."""

    def __init__(self, client: Client, *faults: str) -> None:
        self._client = client
        self._faults = list(faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def insert(self, **arguments: Any) -> Any:
        fault = self._faults.pop(0) if self._faults else ""
        if fault == "not sent":
            raise OperationalError("connection refused")
        done = self._client.insert(**arguments)
        if fault == "answer lost":
            raise OperationalError("timed out")
        return done


def inserter(client: Any) -> Inserter:
    return Inserter(client, threading.Event())


@pytest.fixture
def partition() -> int:
    """One no other test has rows of."""
    return next(_partitions)


_partitions = itertools.count(10)


def entries_block(partition: int, after: int, offsets: range, reason: str = "") -> Block:
    entry = Bookkeeper().entry(EntryKind.AGENT_OPENED, reason=reason)
    made = [entry_row(Place(partition, offset, 0), entry) for offset in offsets]
    return Block(ENTRIES, partition, after, offsets[0], offsets[-1], made)


def stored(client: Client, partition: int) -> list[int]:
    found = rows(client, "SELECT offset FROM entries WHERE partition = {p:UInt16} ORDER BY offset", {"p": partition})
    return [row[0] for row in found]


@pytest.mark.parametrize(
    "faults", [(), ("not sent",), ("answer lost",), ("not sent", "answer lost"), ("not sent",) * 3]
)
def test_a_block_is_in_once_whatever_becomes_of_the_answer(
    shared_client: Client, partition: int, faults: tuple[str, ...]
) -> None:
    with capture_logs() as logs:
        inserter(Flaky(shared_client, *faults)).insert(entries_block(partition, NOTHING, range(3)))
    assert stored(shared_client, partition) == [0, 1, 2]
    assert [line["event"] for line in logs] == (["warehouse away", "warehouse back"] if faults else [])


def test_the_same_block_sent_twice_is_stored_once(shared_client: Client, partition: int) -> None:
    """What happens when the first one is still under way when the answer is given up: both are sent."""
    block = entries_block(partition, NOTHING, range(3))
    inserter(shared_client).send(block)
    inserter(shared_client).send(block)
    assert stored(shared_client, partition) == [0, 1, 2]


def test_a_block_is_known_by_its_place_and_not_by_its_content(shared_client: Client, partition: int) -> None:
    """A release in between may have changed what a row looks like; the records are the same."""
    inserter(shared_client).send(entries_block(partition, NOTHING, range(3), reason="as it was written"))
    inserter(shared_client).send(entries_block(partition, NOTHING, range(3), reason="as it is written now"))
    assert stored(shared_client, partition) == [0, 1, 2]


@pytest.mark.parametrize("after", [0, 2, 4, 7])
def test_a_block_does_not_go_where_the_table_is_not_what_it_was(
    shared_client: Client, partition: int, after: int
) -> None:
    inserter(shared_client).insert(entries_block(partition, NOTHING, range(4)))
    block = entries_block(partition, after, range(after + 1, after + 9))
    with pytest.raises(MarkMoved, match=f"the table ends at 3, expected {after}"):
        inserter(shared_client).insert(block)
    assert stored(shared_client, partition) == [0, 1, 2, 3]


def test_a_block_is_one_part_however_large(shared_client: Client, partition: int) -> None:
    """Some 20 MB in 20,000 rows: were it several parts, a crash between them would lose the rest of the block."""
    inserter(shared_client).insert(entries_block(partition, NOTHING, range(20_000), reason=KILOBYTE))
    parts = rows(
        shared_client,
        "SELECT sum(rows), count() FROM system.parts "
        "WHERE active AND table = 'entries' AND database = currentDatabase() AND partition = {p:String}",
        {"p": str(partition)},
    )
    assert parts == [(20_000, 1)]


def test_rows_that_do_not_fit_are_refused_naming_the_block(shared_client: Client, partition: int) -> None:
    entry: Entry = Bookkeeper().hold(facts(txn=1 << 64))
    block = Block(ENTRIES, partition, NOTHING, 5, 5, [entry_row(Place(partition, 5, 0), entry)])
    with pytest.raises(WarehouseRefused, match=f"entries-{partition}-5-5"):
        inserter(shared_client).insert(block)
    assert stored(shared_client, partition) == []


def test_a_missing_table_is_refused_and_not_waited_for(client: Client, partition: int) -> None:
    client.command("RENAME TABLE entries TO gone")
    with pytest.raises(WarehouseRefused, match="UNKNOWN_TABLE"):
        inserter(client).insert(entries_block(partition, NOTHING, range(3)))
    client.command("RENAME TABLE gone TO entries")  # the file's tests share it


def test_a_mark_is_not_read_while_an_earlier_insert_is_running(client: Client, sink_settings: Settings) -> None:
    """A loader was killed in the middle of an insert, and the server goes on with it."""
    slow = "INSERT INTO legs (partition, offset, leg_no) SELECT 3, 77, 1 WHERE sleepEachRow(1) = 0"
    other = connect(sink_settings)
    left_behind = threading.Thread(
        target=other.command,
        args=(slow,),
        kwargs={"settings": {"query_id": query_id(sink_settings.database, LEGS, 3, "77-77")}},
    )
    left_behind.start()
    eventually("it runs", lambda: is_insert_under_way(client, LEGS, 3))
    assert not is_insert_under_way(client, LEGS, 33)
    assert not is_insert_under_way(client, ENTRIES, 3)
    assert inserter(client).mark(LEGS, 3) == 77
    left_behind.join()
    other.close()


def test_every_table_has_a_mark_of_its_own(client: Client) -> None:
    book = Bookkeeper()
    book.open_agent("S")
    book.hold(facts())
    book.open_agent("T")
    load_entries(client, book.entries, partition=2, first_offset=10)
    load_directory(client, "payees", [(b"a", b"{}"), (b"a", None)])
    marks = {table.name: mark(client, table, 2) for table in ALL}
    assert marks == dict.fromkeys(marks, NOTHING) | {"entries": 12, "legs": 11, "payment_states": 11}
    assert mark(client, LEGS, 0) == NOTHING
    client.command("OPTIMIZE TABLE payees FINAL")
    assert mark(client, next(table for table in ALL if table.name == "payees"), 0) == 1


def test_a_mark_is_found_whatever_was_expected(client: Client) -> None:
    load_entries(client, Bookkeeper().pay(facts()), first_offset=10)
    for expected in (NOTHING, 0, 10, 11, 12, 500):
        assert [mark(client, table, 0, expected) for table in ALL[:3]] == [11, 11, 11], expected


def test_a_stop_ends_the_waiting() -> None:
    stop = threading.Event()

    def away() -> None:
        stop.set()
        raise WarehouseAway("gone")

    with pytest.raises(Stopped):
        Patience(stop).until_there(away)


def test_waits_double_up_to_a_bound() -> None:
    waits: list[float] = []

    class Clock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            return len(waits) == 9

    def away() -> None:
        raise WarehouseAway("gone")

    with pytest.raises(Stopped):
        Patience(Clock()).until_there(away)
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def raised(error: Exception) -> Callable[[], None]:
    def act() -> None:
        with translated():
            raise error

    return act


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (OperationalError("timed out"), WarehouseAway),
        (DatabaseError("HTTP driver received HTTP status 502"), WarehouseAway),
        (DatabaseError("memory", code=241), WarehouseAway),
        (DatabaseError("too many parts", code=252), WarehouseAway),
        (OperationalError("the same insert is still running", code=216), WarehouseAway),
        (ConnectionResetError(), WarehouseAway),
        (DatabaseError("no such table", code=60), WarehouseRefused),
        (DatabaseError("wrong password", code=516), WarehouseRefused),
    ],
)
def test_what_can_pass_is_told_from_what_cannot(error: Exception, becomes: type[Exception]) -> None:
    with pytest.raises(becomes):
        raised(error)()


@pytest.mark.parametrize("url", ["", "localhost:8123", "ftp://x", "http://"])
def test_a_url_that_is_none_is_said_to_be_none(url: str) -> None:
    with pytest.raises(WarehouseRefused, match="KASSA_CLICKHOUSE"):
        connect(Settings(clickhouse=url))
