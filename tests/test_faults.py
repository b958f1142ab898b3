"""Kill -9 at random moments, as machines do it: nothing is lost, nothing is doubled, and the audit proves it."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from agents.gateways.simulator_faults import Behaviour
from console.audit_run import run_audit
from sinks.warehouse import open_warehouse, rows
from tests.network import Network, running_network, until

PAYMENTS = int(os.environ.get("TEST_PAYMENTS", "20000"))
KILLS = 10

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


def _kill_at(network: Network, name: str, ends: list[int], position: object) -> None:
    """kill -9 the process each time `position()` reaches the next of these ends, and start it again."""
    for number, end in enumerate(ends, 1):
        until(f"kill {number} of {name} is due at {end}", lambda end=end: position() >= end, 120)  # type: ignore[operator, misc]
        network.stack.kill(name)
        network.stack.revive(name)


def _audit(network: Network) -> None:
    report = run_audit(network.stack.settings, simulator=network.simulator.url, wait_s=90)
    failures = [f"{check.name}: {failure}" for check in report.checks for failure in check.failures[:3]]
    assert report.passed, failures


def _open_payments(network: Network) -> int:
    with open_warehouse(network.stack.settings) as client:
        return int(rows(client, "SELECT count() FROM payments WHERE state IN ('HELD', 'UNKNOWN')")[0][0])


def _known_payments(network: Network) -> int:
    with open_warehouse(network.stack.settings) as client:
        return int(rows(client, "SELECT count() FROM payments")[0][0])


@pytest.mark.integration
@pytest.mark.timeout(280)
@pytest.mark.parametrize("victim", ["worker-1", "sink-1"])
def test_nothing_is_lost_or_doubled_when_a_process_is_killed_ten_times(tmp_path: Path, victim: str) -> None:
    seed = _seed()
    with running_network(tmp_path, BEHAVIOURS, seed=seed) as network:
        begin = network.ledger_end()
        taken = network.send(network.messages(seed, PAYMENTS))
        assert len(taken) == PAYMENTS
        # Held and posted: two entries a payment at least, so all kills fall into the run.
        moments = sorted(Random(seed).sample(range(begin, begin + 2 * PAYMENTS * 9 // 10), KILLS))
        _kill_at(network, victim, moments, network.ledger_end)
        network.stack.wait_ready()
        until("every payment is known", lambda: _known_payments(network) == PAYMENTS, 200)
        until("nothing is open", lambda: _open_payments(network) == 0, 200)
        _audit(network)
