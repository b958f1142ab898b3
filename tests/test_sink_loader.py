"""The loader on a real broker and a real warehouse: everything committed is loaded, and loaded once."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from structlog.testing import capture_logs

from schemas.alert import Alert, AlertKind, Severity
from schemas.reject import HEADER_REASON
from sinks.errors import LedgerMismatch, LedgerUnreadable, SinkError, WarehouseAway
from sinks.loader import run_loader
from sinks.warehouse import open_warehouse, rows
from streams.clients import producer
from streams.settings import Settings
from tests.sink_builders import Bookkeeper
from tests.sink_ledger import LedgerWriter, assert_loaded_once, loaded_of, start_loader
from tests.sink_loading import eventually, load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration

_NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
_STORM = Alert(
    kind=AlertKind.REJECT_STORM,
    subject="payments/3",
    severity=Severity.CRITICAL,
    text="It is read slowly.",
    at=_NOON,
    since=_NOON,
)


@pytest.fixture
def chance() -> random.Random:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


@contextmanager
def loading(settings: Settings) -> Iterator[None]:
    """A loader in a thread of this process; what it raises is raised here."""
    stop = threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            run_loader(settings, stop)
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def count(client: Client, table: str) -> int:
    return int(rows(client, f"SELECT count() FROM {table}")[0][0])


def test_what_is_committed_is_loaded_and_what_is_aborted_is_not(
    sink_stack: Settings, client: Client, chance: random.Random
) -> None:
    writer = LedgerWriter(sink_stack, chance)
    writer.transactions(20)
    with loading(sink_stack):
        eventually("the loader has begun", lambda: count(client, "entries") > 0)
        writer.transactions(20)
        assert_loaded_once(client, sink_stack)
    assert rows(client, "SELECT count() FROM entries WHERE book = 'never'") == [(0,)]


def test_rejects_and_the_directory_are_loaded_with_their_tombstones(sink_stack: Settings, client: Client) -> None:
    plain = producer(sink_stack)
    plain.produce("rejects", b"\x00\xff", b"kiosk-1", headers=[(HEADER_REASON, b"NOT_JWS")])
    for key, value in ((b"a", b'{"name":"A"}'), (b"b", b'{"name":"B"}'), (b"a", None), (b"b", b'{"name":"B2"}')):
        plain.produce("payees", value, key)
    for value in (b"no alert", _STORM.model_dump_json().encode()):
        plain.produce("alerts", value, b"")
    plain.flush(30)
    with loading(sink_stack):
        eventually("both are there", lambda: count(client, "payees") > 0 and count(client, "rejects") > 0)
        eventually("the newest is there", lambda: rows(client, "SELECT id, name FROM payees FINAL") == [("b", "B2")])
        eventually("so is the alert", lambda: count(client, "alerts") > 0)
    assert rows(client, "SELECT kind, subject, over FROM alerts FINAL") == [("REJECT_STORM", "payments/3", 0)]
    assert rows(client, "SELECT reason, hex(value), key FROM rejects FINAL") == [("NOT_JWS", "00FF", "kiosk-1")]


@pytest.mark.long
def test_a_loader_killed_again_and_again_loses_and_doubles_nothing(
    sink_stack: Settings, client: Client, chance: random.Random
) -> None:
    settings = sink_stack.model_copy(update={"sink_batch_rows": 400, "sink_within_ms": 20})
    writer = LedgerWriter(settings, chance)
    for _ in range(4):
        before = count(client, "entries")
        loader = start_loader(settings)
        writer.transactions(100)
        eventually("it loads", lambda before=before: count(client, "entries") > before)  # type: ignore[misc]
        with pytest.raises(subprocess.TimeoutExpired):
            loader.wait(chance.random() * 0.2)
        loader.kill()
        loader.wait()
    with loading(settings):
        assert_loaded_once(client, settings)


@pytest.mark.long
def test_a_stopped_loader_goes_on_where_it_was(sink_stack: Settings, client: Client, chance: random.Random) -> None:
    writer = LedgerWriter(sink_stack, chance)
    for _ in range(2):
        writer.transactions(10)
        loader = start_loader(sink_stack)
        assert_loaded_once(client, sink_stack)
        loader.terminate()
        assert loader.wait(30) == 0


def test_two_loaders_at_once_share_the_work(sink_stack: Settings, client: Client, chance: random.Random) -> None:
    writer = LedgerWriter(sink_stack, chance)
    writer.transactions(20)
    with loading(sink_stack), loading(sink_stack.model_copy(update={"sink_id": "sink-2"})):
        writer.transactions(20)
        assert_loaded_once(client, sink_stack)
        writer.transactions(20)
        assert_loaded_once(client, sink_stack)


# --- the warehouse comes and goes


@contextmanager
def warehouse_on(directory: Path, port: int) -> Iterator[Callable[[], None]]:
    """A warehouse on a port that stays the same; yields what kills it."""
    command = [sys.executable, "-m", "sinks.embedded", "--dir", str(directory), "--port", str(port)]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parent.parent)

    def kill() -> None:
        process.kill()
        process.wait()

    try:
        yield kill
    finally:
        kill()


@pytest.mark.long
def test_the_loader_waits_for_a_warehouse_that_is_away_and_says_so_once(
    sink_stack: Settings, tmp_path: Path, chance: random.Random
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    directory = tmp_path / "own"
    directory.mkdir()
    settings = sink_stack.model_copy(update={"clickhouse": f"http://127.0.0.1:{port}", "sink_batch_rows": 200})
    writer = LedgerWriter(settings, chance)
    writer.transactions(40)
    with capture_logs() as logs, loading(settings):
        eventually("it is missed", lambda: any(line["event"] == "warehouse away" for line in logs))
        for _ in range(2):
            with warehouse_on(directory, port) as kill:
                loaded = _client_when_there(settings)
                before = _count_or_none(loaded)
                writer.transactions(40)
                eventually("it loads", lambda: (_count_or_none(loaded) or 0) > (before or 0))  # noqa: B023
                kill()
                loaded.close()
                writer.transactions(10)
        with warehouse_on(directory, port):
            loaded = _client_when_there(settings)
            eventually("it has tables", lambda: _count_or_none(loaded) is not None)
            assert_loaded_once(loaded, settings)
            loaded.close()
    events = [line["event"] for line in logs if line["event"].startswith("warehouse")]
    assert events == ["warehouse away", "warehouse back"] * (len(events) // 2)
    assert 2 <= len(events) <= 6


def _client_when_there(settings: Settings) -> Client:
    opened: list[Client] = []

    def there() -> bool:
        with suppress(WarehouseAway):
            opened.append(open_warehouse(settings))
        return bool(opened)

    eventually("the warehouse is there", there)
    return opened[0]


def _count_or_none(client: Client) -> int | None:
    try:
        return count(client, "entries")
    except SinkError:  # away, or not migrated yet
        return None


def test_a_loader_can_be_stopped_while_there_is_no_warehouse(sink_stack: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with capture_logs() as logs, loading(sink_stack.model_copy(update={"clickhouse": f"http://127.0.0.1:{port}"})):
        eventually("it is missed", lambda: bool(logs))


def test_rows_the_warehouse_lost_are_read_again(sink_stack: Settings, client: Client, chance: random.Random) -> None:
    writer = LedgerWriter(sink_stack, chance)
    writer.transactions(20)
    with loading(sink_stack):
        assert_loaded_once(client, sink_stack)
        for table in ("entries", "legs"):
            client.command(f"ALTER TABLE {table} DELETE WHERE offset > 20 SETTINGS mutations_sync = 1")
        writer.transactions(20)
        assert_loaded_once(client, sink_stack)


# --- what must stop it


def test_a_ledger_record_that_is_no_entry_stops_the_loader_there(
    sink_stack: Settings, client: Client, chance: random.Random
) -> None:
    writer = LedgerWriter(sink_stack, chance)
    book = Bookkeeper("book-1")
    writer.write(1, [book.open_agent("S"), book.deposit("S", 100)])
    writer.write_values("ledger", 1, [(b"book-1", b'{"book":"book-1","seq":3}')])
    writer.write(1, [book.deposit("S", 200)])
    for _ in range(2):  # and it stops there again
        with pytest.raises(
            LedgerUnreadable, match=r"ledger partition 1 offset \d+ cannot be read: kind: Field"
        ) as stopped:
            run_loader(sink_stack, threading.Event())
        loaded = loaded_of(client, sink_stack)[1]
        assert [row.seq for row in loaded] == [1, 2]
        assert loaded[-1].offset < stopped.value.offset
        assert count(client, "legs") == 2


def test_a_tombstone_on_the_ledger_is_no_entry(sink_stack: Settings, chance: random.Random) -> None:
    LedgerWriter(sink_stack, chance).write_values("ledger", 0, [(b"book", None)])
    with pytest.raises(LedgerUnreadable, match="ledger partition 0 offset 0"):
        run_loader(sink_stack, threading.Event())


def test_a_warehouse_of_another_ledger_is_not_loaded_into(
    sink_stack: Settings, client: Client, chance: random.Random
) -> None:
    LedgerWriter(sink_stack, chance).transactions(10)
    load_entries(client, [Bookkeeper().open_agent("S")], partition=0, first_offset=1_000_000)
    with pytest.raises(LedgerMismatch, match=r"ledger partition 0 ends before .* the warehouse has offset 1000000"):
        run_loader(sink_stack, threading.Event())
    assert count(client, "entries") == 1
