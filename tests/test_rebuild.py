"""The warehouse rebuilt from the topics: the same to the last row, whatever was done to it, and while it is used."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from schemas.reject import HEADER_REASON
from sinks import rebuild
from sinks.blocks import Block
from sinks.errors import SinkError, WarehouseAway
from sinks.feeds import FEEDS
from sinks.inserts import Inserter
from sinks.rebuild import NotTheLedger, Rebuild
from sinks.rebuild_proof import Compared, compare
from sinks.warehouse import rows
from streams.clients import producer
from streams.compacted import read_to_end
from streams.settings import Settings
from streams.topics import REJECTS
from tests.builders import a_payee
from tests.sink_builders import Bookkeeper, facts
from tests.sink_ledger import LedgerWriter, assert_loaded_once, start_loader
from tests.sink_loading import eventually

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.long

KEPT = ("entries", "legs", "rejects", "payees", "terminals", "tariffs", "gateways", "operators")


@pytest.fixture
def sink_database() -> str:
    """Another for every test: they change the schema."""
    return f"kassa_{uuid4().hex}"


@pytest.fixture
def chance() -> random.Random:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture
def loaded(sink_stack: Settings, client: Client, chance: random.Random) -> LedgerWriter:
    """A ledger, a quarantined message and a directory on the topics, and all of it in the warehouse."""
    writer = LedgerWriter(sink_stack, chance)
    writer.transactions(40)
    others = producer(sink_stack)
    others.produce("rejects", b"\xff not a JWS", b"k", headers=[(HEADER_REASON, b"NOT_JWS")])
    others.produce("payees", orjson.dumps(a_payee().model_dump(mode="json")), b"mobile")
    others.produce("payees", b"{}", b"gone")
    others.produce("payees", None, b"gone")
    assert others.flush(30) == 0
    Rebuild(sink_stack).run()
    assert_loaded_once(client, sink_stack)
    return writer


def rebuilt(settings: Settings) -> dict[str, Compared]:
    return {one.table: one for one in Rebuild(settings).run()}


def everything(client: Client) -> dict[str, list[tuple[object, ...]]]:
    """Every row there is, as it is stored; payment_states as it reads."""
    found = {name: rows(client, f"SELECT * FROM {name} ORDER BY ALL") for name in KEPT}
    found["payment_states"] = rows(client, "SELECT * FROM payment_states FINAL ORDER BY partition, payment_id")
    found["payments"] = rows(client, "SELECT * FROM payments ORDER BY payment_id")
    return {name: [tuple(row) for row in those] for name, those in found.items()}


def databases(client: Client) -> list[str]:
    return [name for (name,) in rows(client, "SHOW DATABASES") if name.startswith(f"{client.database}_")]


def test_what_is_rebuilt_is_identical_and_leaves_nothing_behind(
    sink_stack: Settings, client: Client, loaded: LedgerWriter
) -> None:
    before = everything(client)
    verdicts = rebuilt(sink_stack)
    assert {name: one.differs for name, one in verdicts.items()} == dict.fromkeys(verdicts, "")
    assert sum(one.further + one.doubled for one in verdicts.values()) == 0
    assert verdicts["entries"].now == len(before["entries"]) > 100
    assert verdicts["payees"].now == 1
    assert everything(client) == before
    assert databases(client) == []


def test_a_warehouse_without_rows_is_filled(sink_stack: Settings, client: Client, chance: random.Random) -> None:
    LedgerWriter(sink_stack, chance).transactions(5)
    verdicts = rebuilt(sink_stack)
    assert verdicts["entries"].further == len(everything(client)["entries"]) > 0
    assert_loaded_once(client, sink_stack)


# Each table is damaged in a way of its own, all at once; what the rebuild must say of it.
DAMAGE = (
    {
        "ALTER TABLE entries DELETE WHERE partition = 1 AND entry_seq = 3": ("entries", "rows before"),
        "ALTER TABLE legs UPDATE amount = amount + 1 WHERE leg_no = 1": ("legs", "rows with other content"),
        "ALTER TABLE payment_states UPDATE state = 'VOIDED' WHERE state = 'POSTED'": (
            "payment_states",
            "other content",
        ),
        "ALTER TABLE payees UPDATE name = 'x' WHERE 1": ("payees", "other content"),
        "ALTER TABLE rejects UPDATE value = 'x' WHERE 1": ("rejects", "other content"),
    },
    {
        "INSERT INTO payment_states SELECT * REPLACE (offset + 90000 AS offset) FROM payment_states LIMIT 1": (
            "payment_states",
            "other content",
        ),
        "ALTER TABLE legs DROP COLUMN cause_id": ("legs", "it had other columns"),
        "DROP TABLE entries": ("entries", "it was not there"),
    },
)


@pytest.mark.parametrize("damage", DAMAGE, ids=["rows", "tables"])
def test_damage_is_told_and_mended(
    damage: dict[str, tuple[str, str]], sink_stack: Settings, client: Client, loaded: LedgerWriter
) -> None:
    before = everything(client)
    for statement in damage:
        client.command(statement, settings={"mutations_sync": 1})
    verdicts = rebuilt(sink_stack)
    assert {name for name, one in verdicts.items() if one.differs} == {table for table, _ in damage.values()}
    assert [words for table, words in damage.values() if words not in verdicts[table].differs] == []
    assert everything(client) == before
    assert_loaded_once(client, sink_stack)


def test_rows_stored_twice_are_told_and_mended(sink_stack: Settings, client: Client, loaded: LedgerWriter) -> None:
    before = everything(client)
    client.command("SYSTEM STOP MERGES legs")
    client.command("INSERT INTO legs SELECT * FROM legs WHERE leg_no = 1 AND partition = 0 LIMIT 3")
    assert (rebuilt(sink_stack)["legs"].doubled, everything(client)) == (3, before)


def test_a_view_that_was_altered_is_made_again(sink_stack: Settings, client: Client, loaded: LedgerWriter) -> None:
    before = everything(client)
    client.command("CREATE OR REPLACE VIEW payments AS SELECT 1 AS payment_id")
    client.command("DROP VIEW trial_balance")
    rebuilt(sink_stack)
    assert everything(client) == before
    assert rows(client, "SELECT sum(balance) FROM trial_balance") == [(0,)]


@pytest.mark.timeout(280)
def test_a_sink_at_work_and_reports_go_on_while_it_is_rebuilt(
    sink_stack: Settings, client: Client, chance: random.Random
) -> None:
    """Again and again, with payments coming all the time: a gap or a row stored twice would show at the end."""
    writer, over = LedgerWriter(sink_stack, chance), threading.Event()

    def write() -> None:
        while not over.wait(0.2):
            writer.transactions(1)

    def look() -> None:
        """Reports never see fewer rows than before: no table is ever missing or half full."""
        most = 0
        while not over.wait(0.2):
            ((count,),) = rows(client, "SELECT count() FROM entries FINAL")
            assert count >= most, f"{most} entries before, {count} now"
            most = count

    with a_sink(sink_stack), ThreadPoolExecutor(2) as threads:
        running = [threads.submit(write), threads.submit(look)]
        try:
            for _ in range(2):
                before = _end(client)
                eventually("the sink gets on", lambda before=before: _end(client) > before)  # type: ignore[misc]
                assert {one.table: one.differs for one in Rebuild(sink_stack).run() if one.differs} == {}
        finally:
            over.set()
        for one in running:
            one.result(60)
        assert_loaded_once(client, sink_stack)


def test_what_a_sink_was_about_to_insert_never_leaves_a_gap_before_it(
    sink_stack: Settings, client: Client, loaded: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sink looks, then inserts. If tables change hands in between, the new one must have what the old one had."""
    sink = Inserter(client, threading.Event())

    def the_sink_goes_on(text: str) -> None:
        if text.startswith("holding off"):
            sink.insert(another_reject(sink_stack))

    def compare_held(*given: Any) -> Compared:
        with pytest.raises(WarehouseAway, match="readonly"):
            sink.send(another_reject(sink_stack, produced=False))
        return compare(*given)

    monkeypatch.setattr(rebuild, "compare", compare_held)
    Rebuild(sink_stack, the_sink_goes_on).run()
    sink.send(another_reject(sink_stack))  # it had looked before
    assert rows(client, "SELECT offset FROM rejects ORDER BY offset") == [(0,), (1,), (2,)]


def another_reject(settings: Settings, *, produced: bool = True) -> Block:
    """The newest message in quarantine as the sink would insert it."""
    if produced:
        writer = producer(settings)
        writer.produce(REJECTS.name, b"another", headers=[(HEADER_REASON, b"NOT_JWS")])
        assert writer.flush(30) == 0
    *_, newest = read_to_end(settings, REJECTS, time_out_s=30)
    offset = newest.offset() or 0
    (table,), (rows_,) = FEEDS[REJECTS.name].tables, FEEDS[REJECTS.name].rows_of(newest)
    return Block(table, 0, offset - 1, offset, offset, rows_)


def _end(client: Client) -> int:
    return int(
        rows(client, "SELECT sum(offset) FROM (SELECT max(offset) AS offset FROM entries GROUP BY partition)")[0][0]
    )


@pytest.mark.timeout(280)
@pytest.mark.parametrize("moment", ["load_to", "_hold", "EXCHANGE"])
def test_a_rebuild_killed_half_way_leaves_whole_tables_and_the_next_one_begins_anew(
    moment: str, sink_stack: Settings, client: Client, loaded: LedgerWriter
) -> None:
    before = everything(client)
    assert _killed_after(moment, sink_stack) == -9
    assert everything(client) == before
    assert len(databases(client)) == 1
    loaded.transactions(3)
    with a_sink(sink_stack):
        assert {one.differs for one in Rebuild(sink_stack).run()} == {""}
        assert databases(client) == []
        assert_loaded_once(client, sink_stack)


def _killed_after(moment: str, settings: Settings) -> int:
    """A rebuild in a process of its own that dies, as by kill -9, when this step of it is done."""
    program = f"""
import os, signal
from sinks import rebuild
from streams.settings import Settings
if {moment!r} == "EXCHANGE":
    owner, name = rebuild, "_command"
else:
    owner, name = (rebuild.Loader if {moment!r} == "load_to" else rebuild.Rebuild), {moment!r}
step = getattr(owner, name)
def dying(*given):
    step(*given)
    if {moment!r} != "EXCHANGE" or given[1].startswith("EXCHANGE"):
        os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, dying)
rebuild.Rebuild(Settings.model_validate_json({settings.model_dump_json()!r})).run()
"""
    return subprocess.run([sys.executable, "-c", program], timeout=90, check=False).returncode


@contextmanager
def a_sink(settings: Settings) -> Iterator[None]:
    """A loader in a process of its own, which ends well."""
    process = start_loader(settings)
    try:
        yield
        process.terminate()
        assert process.wait(60) == 0, (settings.dir / "loader.log").read_text()
    finally:
        process.kill()
        process.wait()


def test_what_does_not_add_up_is_not_put_in_place(sink_stack: Settings, client: Client, loaded: LedgerWriter) -> None:
    before = everything(client)
    strange = Bookkeeper("strange")
    strange.pay(facts(7_000))
    loaded.write(0, strange.entries[1:])  # posted, and never held
    with pytest.raises(NotTheLedger, match=r"broken chains: .*strange"):
        Rebuild(sink_stack).run()
    assert everything(client) == before
    assert databases(client) == []


def test_of_two_rebuilds_at_once_the_later_one_counts(
    sink_stack: Settings, client: Client, loaded: LedgerWriter
) -> None:
    before = everything(client)
    earlier, later = Rebuild(sink_stack), Rebuild(sink_stack)
    earlier._told = lambda text: later.run() if text.startswith("building") else None  # type: ignore[assignment]
    with pytest.raises(SinkError, match="does not exist"):
        earlier.run()
    assert everything(client) == before
    assert databases(client) == []
