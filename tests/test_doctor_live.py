"""The doctor and the vital signs on a running stack: all well, and each thing broken is named."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from agents.gateways.simulator_faults import Behaviour
from console.doctor_rounds import examine
from console.signing import give, now
from console.stack import Stack
from schemas.command import SetGateway
from streams.fold import recover
from streams.settings import Settings
from tests.builders import a_gateway
from tests.network import Network, running_network, until

pytestmark = pytest.mark.long

# One payee is paid and never says so: its payments stay open.
BEHAVIOURS = {
    "mobile": Behaviour(),
    "electro": Behaviour(cp1251=True),
    "water": Behaviour(),
    "internet": Behaviour(decline_pct=10),
    "transit": Behaviour(temporary_pct=100, faulty_askings=1_000),
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("stack"), BEHAVIOURS) as running:
        yield running


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def scraped(url: str) -> dict[str, Counter[tuple[str, ...]]]:
    """metric -> values of labels, in the order they are written -> value."""
    found: dict[str, Counter[tuple[str, ...]]] = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", ask(url + "/metrics")[1], re.MULTILINE):
        key = tuple(re.findall(r'"([^"]*)"', labels))
        found.setdefault(name, Counter())[key] = float(value)  # type: ignore[assignment]
    return found


def wrong(settings: Settings) -> dict[str, str]:
    """Every check that is not ok: its verdict, what is the case, and what to do."""
    return {one.check: f"{one.verdict}: {one.says} → {one.advice}" for one in examine(settings) if one.verdict != "ok"}


def well(settings: Settings) -> None:
    until("all is well", lambda: not wrong(settings), 90, lambda: wrong(settings), every_s=0.5)


def test_what_a_scrape_shows_is_what_the_ledger_says(network: Network) -> None:
    settings = network.stack.settings
    network.send(network.messages(5, 400, 1_500))
    worker, sink = network.stack.urls()["worker-1"], network.stack.urls()["sink-1"]

    def is_quiet() -> bool:
        seen = scraped(worker)
        open_states = {state for _, state in seen.get("kassa_outstanding_payments", {})}
        behind = scraped(sink)["kassa_sink_behind_records"].values()
        return sum(seen["kassa_entries_total"].values()) > 400 and "HELD" not in open_states and not any(behind)

    until("the last payment is decided and loaded", is_quiet, 90, lambda: scraped(worker), every_s=0.3)
    before, states = scraped(worker), [recover(settings, number).state for number in range(settings.partitions)]
    # transit's are asked again and again, but they stay what they are
    outstanding = Counter(
        (payment.facts.gateway, payment.state.value)
        for state in states
        for payment in state.open.values()
        if payment.facts is not None
    )
    assert outstanding["transit", "UNKNOWN"] + outstanding["transit", "MANUAL"] > 0
    assert sum(before["kassa_outstanding_payments"].values()) == sum(outstanding.values())
    assert {gateway for gateway, _ in outstanding} == {gateway for gateway, _ in before["kassa_outstanding_payments"]}
    assert before["kassa_fold_payments"] == {(str(state.partition),): len(state.payments) for state in states}
    assert before["kassa_fold_open_payments"] == {(str(state.partition),): len(state.open) for state in states}
    kinds = Counter(payment.state.value for state in states for payment in map(state.payments.find, state.payments)
                    if payment is not None and payment.is_final)  # fmt: skip
    assert {kind: before["kassa_entries_total"][kind,] for kind in kinds} == kinds
    assert sum(before["kassa_rejects_total"].values()) == scraped(sink)["kassa_sink_rows_total"]["rejects",] > 0
    assert before["kassa_batch_messages_count"][()] == before["kassa_commit_seconds_count"][()] > 0
    assert before["kassa_gateway_requests_total"]["mobile", "pay", "PAID"] > 0
    assert before["kassa_partitions_open"][()] == settings.partitions


def test_a_healthy_stack_is_all_well(network: Network) -> None:
    well(network.stack.settings)
    assert {one.check for one in examine(network.stack.settings)} > {"parts.worker-1", "parts.sink-1", "lag.workers"}
    for url in network.stack.urls().values():
        assert [ask(url + path)[0] for path in ("/health", "/ready")] == [200, 200]


def test_a_topic_with_another_retention_is_named(network: Network) -> None:
    settings = network.stack.settings
    well(settings)
    set_retention(settings, "replies", "1000")
    try:
        found = wrong(settings)
        assert set(found) == {"topic.replies"}
        assert "fail: retention.ms=1000, declared 2592000000 → kafka-configs.sh" in found["topic.replies"]
    finally:
        set_retention(settings, "replies", "2592000000")
    well(settings)


def set_retention(settings: Settings, topic: str, value: str) -> None:
    entry = ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)


def test_a_warehouse_that_is_not_there_or_not_migrated_is_named(network: Network) -> None:
    settings = network.stack.settings
    found = wrong(settings.model_copy(update={"clickhouse": "http://127.0.0.1:1"}))
    assert found["warehouse"].startswith("fail: no answer from http://127.0.0.1:1")
    found = wrong(settings.model_copy(update={"database": "empty"}))
    assert "lacks 0001_ledger.sql" in found["warehouse.tables"]
    assert "`kassa init`" in found["warehouse.tables"]


def test_a_secret_that_a_gateway_needs_and_that_is_missing_is_named(network: Network) -> None:
    settings = network.stack.settings
    well(settings)
    give_gateway(settings, "needy-1", "bank-secret")
    try:
        until("the record is on file", lambda: bool(wrong(settings)), 60)
        found = wrong(settings)
        assert set(found) == {"keys.gateways"}
        assert "gateway needy: cannot read the secret 'bank-secret'" in found["keys.gateways"]
    finally:
        give_gateway(settings, "needy-2", None)
    well(settings)


def give_gateway(settings: Settings, command_id: str, credentials: str | None) -> None:
    record = a_gateway("needy", credentials=credentials)
    give(settings, SetGateway(id=command_id, issued_at=now(), gateway=record), "root", 30)


def test_a_stopped_worker_and_what_waits_for_it_are_named_until_it_is_back(network: Network) -> None:
    settings = network.stack.settings
    well(settings)
    network.stack.kill("worker-1")
    network.send(network.messages(6, 20))
    found = wrong(settings)
    assert set(found) == {"parts.worker-1", "lag.workers"}
    assert found["parts.worker-1"].startswith("fail: nobody answers at http://127.0.0.1:")
    assert re.search(
        r"fail: not decided, the oldest for \d+ s: .*payments/\d \(\d+\).* → start a worker", found["lag.workers"]
    )
    network.stack.revive("worker-1")
    well(settings)


@pytest.mark.timeout(180)
def test_a_worker_is_ready_only_once_it_has_partitions_and_has_them_open(tmp_path: Path) -> None:
    """And of two workers on one partition one stays without, alive and not ready."""
    with Stack(tmp_path, workers=0, partitions=1, sink=False) as stack:
        stack.start("worker-1", "worker", {"KASSA_WORKER_ID": "worker-1"})
        until("it listens", lambda: "worker-1" in stack.urls())
        assert ready(stack)["worker-1"][0] == 503  # starting takes seconds, asking milliseconds
        until("it has the partition", lambda: ready(stack)["worker-1"][0] == 200, 60, lambda: ready(stack))
        stack.start("worker-2", "worker", {"KASSA_WORKER_ID": "worker-2"})
        stack.wait_ready()
        until("one has it and one has none", lambda: one_is_idle(stack), 60, lambda: ready(stack))
        assert {ask(url + "/health")[0] for url in stack.urls().values()} == {200}
    assert list((tmp_path / "run").glob("*.http")) == []  # an orderly stop leaves no address behind


def ready(stack: Stack) -> dict[str, tuple[int, str]]:
    return {name: ask(url + "/ready") for name, url in stack.urls().items()}


def one_is_idle(stack: Stack) -> bool:
    (well_status, _), (idle_status, said) = sorted(ready(stack).values())
    return (well_status, idle_status) == (200, 503) and "no partitions are assigned" in said
