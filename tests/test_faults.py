"""Kill -9 at random moments, as machines do it: nothing is lost, nothing is doubled, and the audit proves it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
from clickhouse_connect.driver.client import Client

from agents.gateways.simulator_faults import Behaviour
from console.audit_run import run_audit
from console.stack import Broker
from sinks.warehouse import open_warehouse, rows
from streams.apache_kafka import ApacheKafka
from streams.embedded import EmbeddedBroker
from tests.network import Network, running_network, until

PAYMENTS = int(os.environ.get("TEST_PAYMENTS", "20000"))

# Every second answer of one payee is lost after it was paid; the others are quick, since here the worker is tested.
BEHAVIOURS = {
    "mobile": Behaviour(),
    "electro": Behaviour(cp1251=True),
    "water": Behaviour(drop_after_accept_pct=10, http_500_pct=4),
    "internet": Behaviour(decline_pct=5),
    "transit": Behaviour(not_finished_pct=5),
}


def _seed() -> int:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {seed}: TEST_SEED={seed} repeats it")
    return seed


def _kill_at(network: Network, victims: list[str], moments: list[int]) -> None:
    """kill -9 the next process each time the ledger has grown to the next of these offsets, and start it again."""
    for victim, moment in zip(victims, moments, strict=True):
        until(f"{victim} is due at {moment}", lambda moment=moment: network.ledger_end() >= moment, 240)  # type: ignore[misc]
        network.stack.kill(victim)
        network.stack.revive(victim)


def _audit(network: Network) -> None:
    report = run_audit(network.stack.settings, simulator=network.simulator.url, wait_s=90)
    failures = [f"{check.name}: {failure}" for check in report.checks for failure in check.failures[:3]]
    assert report.passed, failures


_OPEN = "WHERE state IN ('HELD', 'SENT', 'UNKNOWN')"


def _count(client: Client, where: str = "") -> int:
    return int(rows(client, f"SELECT count() FROM payments {where}")[0][0])


def _states(client: Client, network: Network) -> str:
    query = f"SELECT state, payee, count(), any(payment_id), max(tries) FROM payments {_OPEN} GROUP BY 1, 2"
    return f"{_count(client)} known, ledger ends at {network.ledger_end()}, open: {rows(client, query)}"


def _survives(
    directory: Path, victims: list[str], payments: int, start_broker: Callable[[Path], Broker] = EmbeddedBroker.start
) -> None:
    seed = _seed()
    with running_network(directory, BEHAVIOURS, seed=seed, pay_only=True, start_broker=start_broker) as network:
        begin = network.ledger_end()
        taken = network.send(network.messages(seed, payments))
        assert len(taken) == payments
        # Held and posted are two entries a payment at least, so all kills fall into the run.
        moments = sorted(Random(seed).sample(range(begin, begin + 2 * payments * 9 // 10), len(victims)))
        _kill_at(network, victims, moments)
        network.stack.wait_ready()
        with open_warehouse(network.stack.settings) as client:
            stuck = partial(_states, client, network)
            until(f"all {payments} are known", lambda: _count(client) == payments, 120, stuck, every_s=0.5)
            until("none is open", lambda: _count(client, _OPEN) == 0, 120, stuck, every_s=0.5)
        _audit(network)


@pytest.mark.faults
@pytest.mark.timeout(280)
def test_nothing_is_lost_or_doubled_when_the_worker_and_the_sink_are_killed_ten_times_each(tmp_path: Path) -> None:
    _survives(tmp_path, ["worker-1", "sink-1"] * 10, PAYMENTS)


@pytest.mark.kafka
@pytest.mark.timeout(280)
def test_nothing_is_lost_or_doubled_on_apache_kafka_either(tmp_path: Path) -> None:
    _survives(tmp_path, ["worker-1", "sink-1"] * 3, PAYMENTS // 5, lambda place: ApacheKafka.start(place / "kafka"))
