"""Several workers on Apache Kafka, under load: they come, go, freeze and die, and nothing is lost or doubled.

One stack for all: each scenario first brings it to the number of workers it wants, and ends with the whole audit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from console.audit_run import run_audit
from streams.apache_kafka import ApacheKafka
from tests.network import until
from tests.wide_network import SLOW, Flow, WideNetwork, wide_network

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(580)]

PARTITIONS = 12
RATE = float(os.environ.get("TEST_RATE", "40"))  # payments a second while things happen
# Longer than a worker takes to start on a busy machine: within it a restart is no rebalance.
SESSION_S = 15
BOUND_S = 120.0
TAKEN_OVER_S = 45.0


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WideNetwork]:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {seed}: TEST_SEED={seed} repeats its payments")
    with (
        pytest.MonkeyPatch.context() as environment,
        wide_network(
            tmp_path_factory.mktemp("wide"),
            seed,
            partitions=PARTITIONS,
            workers=1,
            start_broker=lambda at: _with_session(environment, ApacheKafka.start(at / "kafka")),
        ) as network,
    ):
        yield network


def _with_session(environment: pytest.MonkeyPatch, kafka: ApacheKafka) -> ApacheKafka:
    environment.setenv("KASSA_SESSION_TIME_OUT_S", str(SESSION_S))
    return kafka


@contextmanager
def _load(network: WideNetwork) -> Iterator[None]:
    """Payments flow while the block does something to the workers; then all is settled and audited."""
    with network.paying(RATE) as flow:
        _decided_again(network, network.partitions)
        yield
    network.deposit(len(network.watch.decided))  # commands reach every partition too
    _settled(network, flow)
    report = run_audit(network.stack.settings, simulator=network.simulator.url, wait_s=90)
    assert report.passed, [f"{check.name}: {failure}" for check in report.checks for failure in check.failures[:3]]


def _settled(network: WideNetwork, flow: Flow) -> None:
    watch = network.watch

    def missing() -> list[str]:
        return [payment for payment in flow.taken if not watch.decided[payment]]

    def stuck() -> str:
        return f"{len(missing())} not decided: {missing()[:5]}; {len(watch.open)} open: {list(watch.open.items())[:5]}"

    until("all is decided and settled", lambda: not watch.look().open and not missing(), 2 * BOUND_S, stuck)
    assert {payment: count for payment, count in watch.decided.items() if count != 1} == {}
    print(f"{len(flow.taken)} acknowledged; {len(watch.decided)} decided so far, once each: {dict(watch.ends)}")


def _have(network: WideNetwork, count: int) -> list[str]:
    """The names of `count` workers that share all partitions; more are started as needed."""
    while len(network.stack.worker_names) < count:
        network.stack.add_worker()
    workers = network.stack.worker_names
    _shared(network, workers)
    return workers


def _shared(network: WideNetwork, workers: list[str]) -> None:
    """Wait until these workers hold all partitions between them."""
    until(f"{workers} share all", lambda: network.share_all(*workers), BOUND_S, lambda: network.holders(*workers))


def _decided_again(network: WideNetwork, partitions: set[int]) -> None:
    """Wait until each of the partitions has a decision that was made after this moment."""
    now = time.time_ns() // 1_000_000
    until(f"{partitions} are decided on again", lambda: network.watch.has_moved(partitions, now), BOUND_S)


def test_one_two_and_four_workers_share_the_partitions_under_load(wide: WideNetwork) -> None:
    with _load(wide):
        for count in (1, 2, 4):
            began = time.monotonic()
            workers = _have(wide, count)
            held = time.monotonic() - began
            _decided_again(wide, wide.partitions)
            took = time.monotonic() - began
            shares = [len(numbers) for numbers in wide.holders(*workers)]
            print(f"{count} workers: {shares} after {held:.1f} s, all decided on after {took:.1f} s")
            assert took < TAKEN_OVER_S


def test_the_partitions_of_a_killed_worker_are_taken_over(wide: WideNetwork) -> None:
    victim, *others = workers = _have(wide, 4)
    with _load(wide):
        orphans, before = wide.stack.held(victim) or set(), wide.holders(*others)
        wide.stack.kill(victim)
        died = time.monotonic()
        _shared(wide, others)
        held = time.monotonic() - died
        _decided_again(wide, orphans)
        took = time.monotonic() - died
        print(f"killed: {sorted(orphans)} held by others after {held:.1f} s, decided on after {took:.1f} s")
        assert took < SESSION_S + TAKEN_OVER_S
        assert all(kept < now for kept, now in zip(before, wide.holders(*others), strict=True))  # only its own moved
        wide.stack.revive(victim)
        _shared(wide, workers)


def test_a_frozen_worker_is_fenced_and_its_late_writes_have_no_effect(wide: WideNetwork) -> None:
    zombie, *others = workers = _have(wide, 4)
    with _load(wide):
        lost = wide.stack.held(zombie) or set()

        def asking() -> list[str]:
            """Payments for whose slow payee it is waiting."""
            known = wide.watch.look(0.01).open.items()
            return [payment for payment, place in known if place[0] in lost and place[1] == SLOW]

        until("it waits for a slow payee's answers", lambda: len(asking()) > 2, BOUND_S)
        wide.stack.pause(zombie)
        froze, in_flight = time.monotonic(), asking()
        _shared(wide, others)
        held = time.monotonic() - froze
        _decided_again(wide, lost)
        print(f"frozen with {len(in_flight)} payments open at a slow payee: its {sorted(lost)} held by others after "
              f"{held:.1f} s, decided on after {time.monotonic() - froze:.1f} s")  # fmt: skip
        told = len(wide.log(zombie))
        wide.stack.resume(zombie)
        woke = time.monotonic()
        until("it shares again", lambda: bool(wide.stack.look_after()) or wide.share_all(*workers), BOUND_S)
        _shared(wide, workers)
        print(f"resumed: it has a share again after {time.monotonic() - woke:.1f} s")
        late = wide.log(zombie)[told:]
        assert "FENCED" in late or "answers_left" in late, late


def test_a_rolling_restart_stops_only_the_partitions_of_the_worker_that_restarts(wide: WideNetwork) -> None:
    workers = _have(wide, 4)
    with _load(wide):
        for worker in workers:
            _restarts_alone(wide, worker, [other for other in workers if other != worker])


def _restarts_alone(network: WideNetwork, worker: str, others: list[str]) -> None:
    """While it stops and starts, the others keep what they hold, without a rebalance."""
    partitions, kept = network.stack.held(worker) or set(), network.holders(*others)
    rebalances = [network.log(other).count("event=assigned") for other in others]

    def is_back() -> bool:
        assert network.holders(*others) == kept
        return network.stack.held(worker) == partitions

    began = time.monotonic()
    network.stack.stop_one(worker)
    stopped = time.monotonic() - began
    network.stack.revive(worker)
    until(f"{worker} is back", is_back, BOUND_S, lambda: network.stack.held(worker))
    _decided_again(network, partitions)
    took = time.monotonic() - began
    print(f"{worker}: {sorted(partitions)} not decided on for {took:.1f} s at most, {stopped:.1f} s of it to stop")
    assert [network.log(other).count("event=assigned") for other in others] == rebalances
