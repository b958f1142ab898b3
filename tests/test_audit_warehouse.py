"""The whole audit on the real broker and warehouse: all of it passes, and no row can be touched unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from console.audit import run_audit
from console.audit_report import CATALOGUE, Report
from console.cli import main
from schemas.entry import EntryKind
from schemas.outcome import Verdict
from schemas.reject import RejectReason
from sinks.embedded import EmbeddedWarehouse
from sinks.migrations import migrate
from sinks.warehouse import open_warehouse
from streams.clients import producer
from streams.embedded import EmbeddedBroker
from streams.replay import Wanted, replay
from streams.settings import Settings
from streams.topics import PAYMENTS, create_or_verify
from tests.audit_world import Office, introduce, loading, order
from tests.builders import close_window, set_payee, set_tariff
from tests.builders_cash import a_collection
from tests.builders_charts import a_chart, set_chart
from tests.builders_clearing import a_transfer_to
from tests.builders_correction import a_correction
from tests.builders_fees import fee_due
from tests.builders_offline import an_offline_payee, answer, cut, deliver
from tests.builders_reversal import a_reversal
from tests.builders_vouchers import a_card_tariff, a_load, a_product
from tests.sink_loading import empty

pytestmark = pytest.mark.integration

TABLES = ("entries", "legs", "payment_states", "rejects")


@dataclass
class World:
    """Broker and warehouse with a small network's morning on them, loaded and at rest."""

    settings: Settings
    office: Office
    first: Report


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("world")
    with EmbeddedBroker.start(place) as broker, EmbeddedWarehouse.start(place / "warehouse") as warehouse:
        settings = Settings(
            dir=place,
            kafka=broker.bootstrap,
            clickhouse=warehouse.url,
            partitions=2,
            sink_within_ms=20,
            clock_behind_s=10**9,  # the builders' clocks stand still
        )
        create_or_verify(settings)
        office = Office(settings)
        try:
            a_morning(office)
            a_database(settings).close()
            with loading(settings):
                first = run_audit(settings, simulator=None, wait_s=30)
            yield World(settings, office, first)
        finally:
            office.close()


def a_database(settings: Settings) -> Client:
    """The settings' database with empty tables."""
    client = open_warehouse(settings)
    migrate(client, settings.database)
    return client


def a_morning(office: Office) -> None:
    """Payments of every course; one repeated, one in conflict, one under the wrong key, one not decided yet."""
    first, second = introduce(office, "http://127.0.0.1:9/mobile/")
    orders = [order(office, first, number, collected=100_000 * (number == 3)) for number in range(1, 7)]
    office.pay(*orders, orders[0], order(office, first, 1, amount=190_000, fee=10_000))
    office.pay(order(office, second, 1), key=office.directory.terminals[first].tree)
    office.pay(order(office, second, 2, amount=1))
    office.send(PAYMENTS, "T", b"\xffnot a JWS")
    office.work()
    replay(office.settings, Wanted(frozenset({RejectReason.CONFLICT}), frozenset({PAYMENTS.name})))
    office.pay(order(office, second, 4, amount=1_900_000, fee=100_000, collected=2_000_000))  # more than there is
    office.work()
    office.settle(orders[0].id, Verdict.PAID)
    office.settle(orders[1].id, Verdict.PAID)
    office.settle(orders[2].id, Verdict.FATAL, "check", "5")
    office.settle(orders[3].id, Verdict.UNCLEAR)
    office.settle(orders[4].id, Verdict.NOT_SENT, "check")
    tree = office.directory.terminals[first].tree
    office.command(set_chart(a_chart(tree=tree)).command)
    office.work()
    emptied = a_collection(0, first, office.directory.terminals[first].agent, tree).command
    office.command(emptied, close_window("mobile", 1, tree).command, close_window(None, 1, tree).command)
    other = office.directory.terminals[second].tree
    office.command(a_transfer_to(other, tree, other, 100, tree).command)
    office.command(a_transfer_to(other, tree, "nobody", 100, tree).command)
    office.work()
    office.charge(fee_due(agent=tree, tree=tree))
    office.command(a_correction({f"agent:{tree}": -5, "fee": 5}, tree=tree, corrects=orders[0].id).command)
    office.command(*(a_reversal(one.id, tree).command for one in orders[:2]))
    office.work()
    office.settle(orders[0].id, Verdict.CANCELLED)
    office.settle(orders[1].id, Verdict.FATAL, code="300")
    a_registry(office, first)
    a_card(office, first)
    office.pay(order(office, second, 3))
    office.producer.flush(10)


def a_registry(office: Office, terminal: str) -> None:
    """A payment to a payee that is served offline, on whatever partitions both are, from its order to its answer."""
    office.command(set_payee(an_offline_payee(), "payee-2").command)
    office.work()
    office.pay(order(office, terminal, 8, payee="water", amount=1_000, fee=0))
    txn = next(entry.payment.txn for entry in office.work() if entry.kind is EntryKind.QUEUED and entry.payment)
    for command in (cut(), deliver(), answer((txn, 1_000, True))):
        office.command(command.command)
        office.work()


@pytest.fixture
def database(world: World) -> Iterator[tuple[Settings, Client]]:
    """A copy of the warehouse that a test may spoil."""
    settings = world.settings.model_copy(update={"database": "spoilt"})
    client = a_database(settings)
    empty(client, settings.database)
    for table in TABLES:
        client.command(f"SYSTEM START MERGES {table}")
        client.command(f"INSERT INTO {table} SELECT * FROM {world.settings.database}.{table}")
    yield settings, client
    client.close()


def audit(settings: Settings, wait_s: float = 0) -> Report:
    return run_audit(settings, simulator=None, wait_s=wait_s)


def failures(report: Report) -> dict[str, list[str]]:
    return {check.name: check.failures for check in report.checks if not check.passed}


def test_every_check_passes_and_has_looked_at_something(database: tuple[Settings, Client]):
    report = audit(database[0])
    assert failures(report) == {}
    assert {check.name for check in report.checks} == {name for name in CATALOGUE if not name.startswith("payee.")}
    assert [check.name for check in report.checks if not check.looked_at] == []
    assert report.check("arrivals.payments").note == "11 decided, 1 again, 3 in rejects, 1 re-keyed, 1 waiting"


def a_card(office: Office, terminal: str) -> None:
    """A voucher, from its batch to the payment that it is sold to."""
    office.command(set_payee(a_product(), "payee-3").command, set_tariff(a_card_tariff(), "tariff-2").command)
    office.work()
    office.command(a_load("SN1", "SN2").command)
    office.work()
    office.pay(order(office, terminal, 10, payee="card", amount=50_000, fee=0))
    said = [(entry.kind.value, entry.reason) for entry in office.work()]
    assert ("POSTED", "") in said, said


# Table -> what is done to it, and what the audit says of that. Doubling comes last: merges would undo it.
TOUCHED = {
    "entries": {
        "INSERT INTO entries SELECT * REPLACE (-7 AS offset) FROM entries WHERE kind = 'VOIDED'": (
            "partition 0 offset -7: not on the topic"
        ),
        "INSERT INTO entries SELECT * REPLACE (offset + 9000 AS offset) FROM entries WHERE kind = 'VOIDED'": (
            "the ledger there ends before"
        ),
        "DELETE FROM entries WHERE kind = 'VOIDED' AND offset BETWEEN 0 AND 9000": "missing",
        "ALTER TABLE entries UPDATE amount = amount + 1 WHERE kind = 'UNKNOWN'": "amount is 95001, should be 95000",
        "ALTER TABLE entries UPDATE subscriber = map('phone', '9') WHERE kind = 'REROUTED'": "subscriber differs",
        "INSERT INTO entries SELECT * FROM entries WHERE kind = 'DECLINED'": "there more than once",
    },
    "legs": {
        "DELETE FROM legs WHERE kind = 'VOIDED' AND leg_no = 1": "leg_no 1: missing",
        "ALTER TABLE legs UPDATE balance = 7 WHERE kind = 'VOIDED' AND leg_no = 2": "balance is 7, should be ",
        "INSERT INTO legs SELECT * FROM legs WHERE kind = 'POSTED' AND leg_no = 3 LIMIT 1": "leg_no 3: there more than",
    },
    "payments": {
        "DELETE FROM payment_states WHERE payment_id = 'kiosk-T0.4'": "payment kiosk-T0.4: missing",
        "ALTER TABLE payment_states UPDATE fee = 1 WHERE payment_id = 'kiosk-T0.1'": "kiosk-T0.1: its facts differ",
        "INSERT INTO payment_states SELECT * REPLACE ('kiosk-T0.9' AS payment_id) FROM payment_states LIMIT 1": (
            "payment kiosk-T0.9: not on the ledger"
        ),
        "ALTER TABLE payment_states UPDATE state = 'MANUAL' WHERE payment_id = 'kiosk-T0.2'": (
            "payment kiosk-T0.2: state is MANUAL, should be POSTED"
        ),
    },
    "rejects": {
        "DELETE FROM rejects WHERE offset = (SELECT min(offset) FROM rejects WHERE reason = 'CONFLICT')": "missing",
        "ALTER TABLE rejects UPDATE value = 'x' WHERE reason = 'NOT_JWS'": "value differs",
    },
}


@pytest.mark.parametrize("table", TOUCHED)
def test_a_row_that_was_touched_is_named(database: tuple[Settings, Client], table: str):
    settings, client = database
    for statement in TOUCHED[table]:
        if "SELECT * FROM" in statement:
            client.command(f"SYSTEM STOP MERGES {table}")
        client.command(statement, settings={"mutations_sync": 2, "insert_deduplicate": 0})
    found = failures(audit(settings))
    assert found.keys() - {"warehouse.trial_balance"} == {f"warehouse.{table}"}
    told = found[f"warehouse.{table}"]
    assert len(told) == len(TOUCHED[table])
    assert [words for words in TOUCHED[table].values() if not any(words in failure for failure in told)] == []


def test_a_leg_that_is_gone_shows_in_the_trial_balance(database: tuple[Settings, Client]):
    settings, client = database
    client.command("DELETE FROM legs WHERE kind = 'VOIDED' AND leg_no = 1")
    (failure,) = failures(audit(settings))["warehouse.trial_balance"]
    assert failure.startswith("book T0 hold accounts in RUB: (accounts, debit, credit, balance) is (1, ")


def test_the_audit_waits_for_a_sink_that_is_behind(world: World):
    """The fixture's audit ran while the sink was still at work."""
    assert failures(world.first) == {}


def test_a_sink_that_stays_behind_is_told_with_how_far_it_came(database: tuple[Settings, Client]):
    settings, client = database
    client.command("TRUNCATE TABLE rejects")
    report = audit(settings, wait_s=0.05)
    assert report.check("warehouse.entries").note.startswith("after 0.05 s rejects partition 0 is at offset -1 of ")
    assert failures(report).keys() == {"warehouse.rejects"}


def test_a_transaction_that_a_killed_worker_left_open_holds_nothing_up(world: World, database: tuple[Settings, Client]):
    left = producer(world.settings, transactional_id="left-open")
    left.init_transactions(10)
    left.begin_transaction()
    left.produce("ledger", b"half a batch", "T0", 0)
    left.flush(10)
    assert failures(audit(database[0])) == {}
    left.abort_transaction(10)
    assert failures(audit(database[0])) == {}


@pytest.fixture
def command_line(database: tuple[Settings, Client], monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings, _ = database
    for name in ("dir", "kafka", "clickhouse", "database", "partitions"):
        monkeypatch.setenv(f"KASSA_{name.upper()}", str(getattr(settings, name)))
    return settings


def test_the_command_prints_every_check_and_ends_with_0(command_line: Settings, capsys: pytest.CaptureFixture[str]):
    assert main(["audit", "--wait", "5"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in told[:2]] == [["ok", "ledger.readable"], ["ok", "ledger.books"]]
    checks = sum(not name.startswith("payee.") for name in CATALOGUE)
    assert told[-1].startswith(f"audit: all {checks} checks passed in ")


def test_the_command_ends_with_1_when_a_check_fails_and_tells_scripts_in_json(
    command_line: Settings, database: tuple[Settings, Client], capsys: pytest.CaptureFixture[str]
):
    database[1].command("DELETE FROM rejects WHERE 1")
    assert main(["audit", "--wait", "0", "--json"]) == 1
    *checks, verdict = map(orjson.loads, capsys.readouterr().out.splitlines())
    assert [check["check"] for check in checks if not check["passed"]] == ["warehouse.rejects"]
    assert (verdict["passed"], verdict["checks"]) == (False, len(checks))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"KASSA_KAFKA": ""}, "no broker is known"),
        ({"KASSA_CLICKHOUSE": "http://127.0.0.1:1"}, "ClickHouse does not answer"),
        ({"KASSA_CLICKHOUSE": ""}, "no warehouse is known"),
        ({"KASSA_DATABASE": "nowhere"}, "ClickHouse said no"),
    ],
)
def test_the_command_ends_with_2_when_it_cannot_look(
    command_line: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, str],
    told: str,
):
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    assert main(["audit"]) == 2
    assert told in capsys.readouterr().err


def test_no_simulator_where_one_was_named_is_no_verdict(command_line: Settings, capsys: pytest.CaptureFixture[str]):
    assert main(["audit", "--simulator", "http://127.0.0.1:1"]) == 2
    assert "no simulator answers at http://127.0.0.1:1/book" in capsys.readouterr().err
