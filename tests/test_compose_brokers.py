"""The brokers of docker-compose, one or three, are set up as those that tests run on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from streams.kafka_broker import Broker, server_properties
from streams.kafka_jars import kafka_version

CHECKOUT = Path(__file__).resolve().parents[1]
# What one machine is: where things are, and how soon the dead are noticed there.
OF_THE_MACHINE = {
    "process.roles", "node.id", "controller.quorum.voters", "controller.listener.names", "listeners",
    "advertised.listeners", "inter.broker.listener.name",
    "listener.security.protocol.map", "log.dirs", "offsets.topic.num.partitions",
    "transaction.state.log.num.partitions", "group.initial.rebalance.delay.ms",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms", "broker.heartbeat.interval.ms",
    "broker.session.timeout.ms",
}  # fmt: skip


def services(*files: str) -> dict[str, dict[str, Any]]:
    """As compose merges the files: mappings key by key, all else from the last that says it."""
    merged: dict[str, Any] = {}
    for file in files:
        _merge(merged, yaml.safe_load((CHECKOUT / file).read_text(encoding="utf-8")))
    assert {volume.split(":")[0] for one in merged["services"].values() for volume in _named(one)} == {
        *merged["volumes"]
    }
    found: dict[str, dict[str, Any]] = merged["services"]
    return found


def _named(service: dict[str, Any]) -> list[str]:
    return [one for one in service["volumes"] if isinstance(one, str) and not one.startswith(".")]


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(into.get(name), dict) and isinstance(value, dict):
            _merge(into[name], value)
        else:
            into[name] = value


ONE = services("docker-compose.yml")
THREE = services("docker-compose.yml", "docker-compose.three.yml")
CASES = [(ONE, "kafka", 1)] + [(THREE, name, 3) for name in ("kafka", "kafka-2", "kafka-3")]


@pytest.mark.parametrize(("found", "name", "brokers"), CASES)
def test_a_broker_has_the_settings_of_those_that_tests_run(
    found: dict[str, dict[str, Any]], name: str, brokers: int, tmp_path: Path
) -> None:
    tests_own = Broker(1, tmp_path, ())
    lines = server_properties(tests_own, "", brokers).splitlines()
    tests_own.port.release()
    tests_own.controller_port.release()
    tested = dict(line.split("=", 1) for line in lines)
    given = {key: str(value) for key, value in found[name]["environment"].items()}
    variables = {f"KAFKA_{key.upper().replace('.', '_')}": tested[key] for key in tested.keys() - OF_THE_MACHINE}
    assert {key: given.get(key) for key in variables} == variables
    assert found[name]["image"] == f"apache/kafka:{kafka_version()}"


def test_three_brokers_know_each_other_and_kassa_all_of_them() -> None:
    brokers = {name: THREE[name] for name in ("kafka", "kafka-2", "kafka-3")}
    environments = {name: broker["environment"] for name, broker in brokers.items()}
    assert len({one["CLUSTER_ID"] for one in environments.values()}) == 1
    voters = ",".join(f"{one['KAFKA_NODE_ID']}@{name}:9093" for name, one in environments.items())
    assert {one["KAFKA_CONTROLLER_QUORUM_VOTERS"] for one in environments.values()} == {voters}
    for name, broker in brokers.items():
        (port,) = broker["ports"]
        inside, outside = broker["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
        assert (broker["hostname"], inside) == (name, f"INSIDE://{name}:9092")
        assert port.startswith("127.0.0.1:")
        assert outside == f"HOST://{port.rsplit(':', 1)[0]}"
        assert port.endswith(broker["environment"]["KAFKA_LISTENERS"].rsplit(":", 1)[1])
        assert f"--bootstrap-server {name}:9092" in broker["healthcheck"]["test"][1]
        assert broker["restart"] == "unless-stopped"
    for name in ("init", "worker", "sink"):
        given = THREE[name]["environment"]
        assert given["KASSA_KAFKA"].split(",") == [f"{broker}:9092" for broker in brokers]
        assert given["KASSA_REPLICATION"] == "3"
        assert brokers.keys() <= THREE[name]["depends_on"].keys()
