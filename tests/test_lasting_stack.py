"""`kassa kafka` and `kassa up --kafka`: what was decided outlives the processes that decided it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.stack import Stack
from sinks.warehouse import open_warehouse, rows
from tests.broker_clients import TIMEOUT_S, an_admin
from tests.cli_runs import Kassa, eventually

pytest_plugins = ["tests.cli_fixtures"]

KASSA = Path(sys.executable).with_name("kassa")


@contextmanager
def running(directory: Path, *arguments: str) -> Iterator[list[str]]:
    """A `kassa` command that runs until Ctrl-C, which it must obey; the lines it has printed until it ran."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
    command = subprocess.Popen(
        [KASSA, *arguments], stdout=subprocess.PIPE, text=True, cwd=directory, env={**environment, "KASSA_DIR": "var"}
    )
    assert command.stdout is not None
    lines: list[str] = []
    try:
        for line in command.stdout:
            lines.append(line.rstrip("\n"))
            if line == "running until Ctrl-C\n":
                break
        assert lines[-1:] == ["running until Ctrl-C"], lines
        yield lines
    finally:
        command.send_signal(signal.SIGINT)
        rest, _ = command.communicate(timeout=90)
    assert (command.returncode, rest) == (0, "stopping\n")


@pytest.mark.kafka
@pytest.mark.timeout(280)
def test_a_payment_outlives_a_stack_on_apache_kafka(
    kassa: Kassa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ledger, warehouse and audit after a stop and a start, and the books go on from where they were."""
    monkeypatch.setenv("KASSA_DIR", str(tmp_path / "var"))
    with Simulator.start(tmp_path / "payee", {"mobile": Behaviour()}) as simulator:
        with running(tmp_path, "up", "--kafka") as lines:
            assert lines[0] == "one-machine stack in var: its records last in var/kafka"
            introduce(kassa, simulator.url_of("mobile"))
            assert kassa(*paying()).says("POSTED")
            eventually(lambda: kassa("payment", "show", "kiosk.1").says("POSTED"))
            told = kassa("payment", "show", "kiosk.1", "--json").out
        (tmp_path / "var" / "snapshots").mkdir(exist_ok=True)
        (tmp_path / "var" / "snapshots" / "kept").touch()
        with running(tmp_path, "up", "--kafka"):
            assert kassa("payment", "show", "kiosk.1", "--json").out == told, "the warehouse was not emptied"
            assert (tmp_path / "var" / "snapshots" / "kept").exists()
            assert kassa(*paying("--number", "1")).says("POSTED", "the stored outcome of a duplicate")
            assert kassa(*paying()).says("kiosk.2", "POSTED")
            assert json.loads(kassa("agent", "show", "dealer", "--json").out)["balance"] == 100_000 - 2 * 9_500
            audited = kassa("audit")
            assert (audited.code, audited.says("checks passed")) == (0, True), audited


@pytest.mark.integration
def test_a_stack_on_another_broker_takes_over_no_folds(tmp_path: Path) -> None:
    """Of the embedded broker's records nothing is left, so what was folded from them would be wrong."""
    for _ in range(2):
        with Stack(tmp_path, workers=0, sink=False) as stack, open_warehouse(stack.settings) as client:
            assert rows(client, "EXISTS TABLE left") == [(0,)]
            client.command("CREATE TABLE left (a UInt8) ENGINE = Memory")
            assert not (tmp_path / "snapshots" / "old").exists()
            (tmp_path / "snapshots").mkdir(exist_ok=True)
            (tmp_path / "snapshots" / "old").touch()


@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_kassa_kafka_runs_a_broker_and_says_how_to_reach_it(tmp_path: Path) -> None:
    with running(tmp_path, "kafka", "--dir", "broker") as lines:
        bootstrap = re.search(r"export KASSA_KAFKA=(\S+)", "\n".join(lines))
        assert bootstrap is not None, lines
        admin = an_admin(bootstrap[1])
        assert len(admin.list_topics(timeout=TIMEOUT_S).brokers) == 1


@pytest.mark.parametrize("command", [("kafka",), ("up", "--kafka")])
def test_without_java_it_is_one_line_that_says_what_to_install(
    kassa: Kassa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    shown = kassa(*command)
    assert (shown.code, shown.err) == (2, "kassa: Apache Kafka runs on Java: install a JRE, 17 or newer.\n")


def test_kassa_kafka_refuses_what_it_cannot_run(kassa: Kassa, tmp_path: Path) -> None:
    assert kassa("kafka", "--brokers", "2").says("--brokers 2: it is 1, or 3")
    (tmp_path / "var" / "kafka" / "broker-1").mkdir(parents=True)
    shown = kassa("kafka", "--brokers", "3")
    assert (shown.code, shown.says("a cluster of 1, not 3")) == (2, True)


def introduce(kassa: Kassa, payee: str) -> None:
    for command in (
        ["gateway", "add", "osmp", "--url", payee],
        ["payee", "add", "mobile", "--gateway", "osmp", "--field", "phone:[0-9]{10}:Phone", "--max", "1000"],
        ["agent", "open", "dealer"],
        ["agent", "deposit", "dealer", "1000.00", "--document", "bank 17"],
        ["terminal", "enroll", "kiosk", "--agent", "dealer"],
    ):
        shown = kassa(*command, "--time-out", "60")
        assert shown.code == 0, shown


def paying(*more: str) -> list[str]:
    return ["pay", "--terminal", "kiosk", "--payee", "mobile", "--to", "9161234567", "--amount", "95.00",
            "--wait", "60", "--time-out", "60", *more]  # fmt: skip
