"""A partner's register uploaded to a running stack: each row once, also when the upload is killed and done again."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.stack import Stack
from streams.lifeline import spawn
from tests.cli_runs import Kassa, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]

HEADER = "txn_id;date;subscriber;amount\n"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    payees = {"mobile": Behaviour(), "slow": Behaviour(delay_ms=40)}
    with Simulator.start(tmp_path_factory.mktemp("payees"), payees) as running:
        yield running


@pytest.fixture(scope="module")
def on_file() -> list[str]:
    """Not empty once the network is there."""
    return []


@pytest.fixture
def network(
    kassa: Kassa, stack: Stack, simulator: Simulator, on_file: list[str], monkeypatch: pytest.MonkeyPatch
) -> Kassa:
    """Agent T with its terminals, each a partner's, and two payees."""
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    field = ("--field", "phone:[0-9]{10}:Phone", "--min", "1.00", "--max", "15000", "--skip-check")
    if on_file:
        return kassa
    for command in (
        ("agent", "open", "T", "--name", "Dealer"),
        ("agent", "deposit", "T", "100000.00", "--document", "bank 17"),
        *(("gateway", "add", name, "--url", simulator.url_of(name)) for name in ("mobile", "slow")),
        *(("payee", "add", name, "--gateway", name, *field) for name in ("mobile", "slow")),
        *(("terminal", "enroll", name, "--agent", "T") for name in ("p1", "p2", "p3")),
    ):
        shown = kassa(*command)
        assert shown.code == 0, shown
    on_file.append("all")
    return kassa


def a_register(path: Path, *rows: str) -> Path:
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def row(number: int, amount: str = "95.00", phone: str = "9161234567") -> str:
    return f"{number};{_today()} 00:00:01;{phone};{amount}"


def _today() -> str:
    return f"{datetime.now(UTC):%d.%m.%Y}"


def told(path: Path) -> dict[str, tuple[str, str]]:
    """What a report says by line."""
    with path.open(newline="") as file:
        return {row["line"]: (row["state"], row["code"]) for row in csv.DictReader(file, delimiter=";")}


def balance(network: Kassa) -> int:
    return int(json.loads(network("agent", "show", "T", "--json").out)["balance"])


def test_good_rows_are_paid_once_and_bad_ones_told_by_line(network: Kassa, tmp_path: Path) -> None:
    file = a_register(
        tmp_path / "a.csv", row(1), row(2, phone="123"), row(3, amount="x"), row(4, amount="20000"), row(5)
    )
    upload = ("register", "upload", str(file), "--terminal", "p1", "--payee", "mobile", "--report", str(tmp_path / "r"))
    before = balance(network)
    shown = network(*upload)
    assert (shown.code, shown.says("2 of 5 rows were refused, 1 cannot be used")) == (1, True), shown
    assert shown.says("line 4, column amount: 'x' is not an amount in RUB", "report: ")
    outcomes = {
        "2": ("POSTED", "0"),
        "3": ("DECLINED", "4"),
        "4": ("BAD", ""),
        "5": ("DECLINED", "242"),
        "6": ("POSTED", "0"),
    }
    assert told(tmp_path / "r") == outcomes
    after = balance(network)
    network(*upload)
    assert (told(tmp_path / "r"), balance(network)) == (outcomes, after)
    # Two were paid, and the cash of the two that were declined is the payers' change: all of it was taken.
    assert before - after == 2 * 9_500 + 9_500 + 2_000_000


def test_a_number_used_before_for_something_else_is_told_by_its_line(network: Kassa, tmp_path: Path) -> None:
    upload = ("--terminal", "p2", "--payee", "mobile", "--report", str(tmp_path / "r"))
    assert network("register", "upload", str(a_register(tmp_path / "a.csv", row(1), row(2))), *upload).code == 0
    shown = network(
        "register", "upload", str(a_register(tmp_path / "b.csv", row(2), row(1, amount="96"), row(3))), *upload
    )
    assert (shown.code, shown.says("1 of 3 rows were refused")) == (1, True), shown
    assert told(tmp_path / "r") == {"2": ("POSTED", "0"), "3": ("REJECTED", "215"), "4": ("POSTED", "0")}


def test_nothing_is_sent_of_a_registry_whose_totals_are_wrong(network: Kassa, tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text(f"8\t{_today()} 00:00:01\t9161234567\t95.00\nTotal:\t1\t95.01\n")
    before = balance(network)
    shown = network("register", "upload", str(file), "--terminal", "p2", "--payee", "mobile")
    assert (shown.code, shown.says("the totals say '95.01', the rows come to 95.00 RUB"), balance(network)) == (
        2,
        True,
        before,
    )
    file.write_text(file.read_text().replace("95.01", "95.00"))
    assert network("register", "upload", str(file), "--terminal", "p2", "--payee", "mobile").code == 0
    assert network("payment", "show", "p2.8", "--from-ledger").says("POSTED")


def test_a_look_at_a_file_sends_nothing(network: Kassa, tmp_path: Path) -> None:
    file = a_register(tmp_path / "a.csv", row(90), row(91, amount="x"))
    shown = network("register", "upload", str(file), "--terminal", "p2", "--payee", "mobile", "--dry-run")
    assert (shown.code, shown.says("would pay 95.00 RUB in 1 rows; 1 cannot be used", "line 3, column amount")) == (
        0,
        True,
    )
    assert network("payment", "show", "p2.90", "--from-ledger").code == 2


def test_an_upload_that_is_killed_is_finished_by_doing_it_again(
    network: Kassa, stack: Stack, simulator: Simulator, tmp_path: Path
) -> None:
    rows = [row(number, amount=f"{number}.00") for number in range(1, 201)]
    file = a_register(tmp_path / "a.csv", *rows)
    command = ["register", "upload", str(file), "--terminal", "p3", "--payee", "slow"]
    env = {"KASSA_DIR": os.environ["KASSA_DIR"]}
    running = spawn([sys.executable, "-m", "console", *command, "--in-flight", "10"], log=tmp_path / "log", env=env)
    eventually(lambda: len(simulator.book_of("slow")) >= 20)
    running.kill()
    running.wait()
    assert not list(stack.directory.glob("uploads/p3/*.csv"))
    shown = network(*command)
    assert shown.code == 0, (shown, (tmp_path / "log").read_text())
    book = simulator.book_of("slow")
    assert Counter(paid.sum for paid in book.values()) == Counter(f"{number}.00" for number in range(1, 201))
    report = stack.directory / "uploads" / "p3" / "a.csv.report.csv"
    assert Counter(told(report).values()) == {("POSTED", "0"): 200}
