"""The doctor at the broker: is it there, and is every topic what it was declared?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ResourceType,
    TopicMetadata,
)

from console.doctor_findings import Deadline, Finding, Verdict, fail, ok, skipped
from streams.compacted import SILENT
from streams.reach import reach
from streams.settings import Settings
from streams.topics import ALL, Topic, min_insync_replicas, partitions_of

_ANSWER_S = 3.0
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """replicas: of the partition that has fewest. leaderless, thin: partitions without a leader, and with fewer
    replicas in sync than a write needs. config: as the broker tells it."""

    partitions: int
    replicas: int
    leaderless: tuple[int, ...]
    thin: tuple[int, ...]
    config: Mapping[str, str | None]


class BrokerAway(Exception):
    """No broker answers: nothing else can be asked of it."""


def look_at_broker(settings: Settings, deadline: Deadline) -> list[Finding]:
    """`broker`, and `topic.<name>` of every topic. Raises BrokerAway with a finding's words."""
    if not settings.kafka:
        raise BrokerAway("none is known")
    admin = AdminClient({**reach(settings), "log_level": 2}, logger=SILENT)
    try:
        there = admin.list_topics(timeout=deadline.within(_ANSWER_S))
        configs = _configs(admin, [topic.name for topic in ALL if topic.name in there.topics], deadline)
    except KafkaException as error:
        raise BrokerAway(f"none answers at {settings.kafka}: {error.args[0].str()}") from None
    found = [ok("broker", f"{len(there.brokers)} at {settings.kafka}, replication {settings.replication}")]
    for topic in ALL:
        meta = there.topics.get(topic.name)
        found.append(judge_topic(topic, settings, _seen(meta, configs[topic.name]) if meta else None))
    return found


def away(why: str) -> list[Finding]:
    """The findings when there is no broker."""
    advice = "start it (`kassa up`, or your Kafka), or correct KASSA_KAFKA=host:port"
    return [fail("broker", why, advice), skipped("topics", "no broker to ask")]


def judge_topic(topic: Topic, settings: Settings, seen: TopicSeen | None) -> Finding:
    """Is it what streams.topics declares for these settings?"""
    check = f"topic.{topic.name}"
    if seen is None:
        return Finding(check, Verdict.FAIL, "is not there", "run `kassa init`", is_missing=True)
    wanted = partitions_of(topic, settings)
    if seen.partitions != wanted:
        return fail(check, f"{seen.partitions} partitions, declared {wanted}",
                    "set KASSA_PARTITIONS to what is there; partitions decide where a tree lives")  # fmt: skip
    if seen.leaderless:
        return fail(check, f"no leader for partitions {_listed(seen.leaderless)}", "bring the brokers back")
    wrong = _differences(topic, settings, seen)
    if wrong:
        said = ", ".join(f"{name}={live}, declared {declared}" for name, live, declared in wrong)
        command = f"kafka-configs.sh --bootstrap-server {settings.kafka} --alter --topic {topic.name} --add-config "
        return fail(check, said, command + ",".join(f"{name}={declared}" for name, _, declared in wrong))
    if seen.replicas < settings.replication:
        return fail(check, f"{seen.replicas} copies, declared {settings.replication}",
                    "kafka-reassign-partitions.sh adds replicas")  # fmt: skip
    if seen.thin:
        return fail(check, f"too few copies in sync to write partitions {_listed(seen.thin)}",
                    "bring the brokers back: nothing is accepted there until then")  # fmt: skip
    return ok(check, f"partitions {seen.partitions}, copies {seen.replicas}, kept {_kept(seen.config)}")


def _configs(admin: AdminClient, names: list[str], deadline: Deadline) -> dict[str, dict[str, str | None]]:
    within_s = deadline.within(_ANSWER_S)
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names],
                                   request_timeout=within_s) if names else {}  # fmt: skip
    return {
        resource.name: {name: entry.value for name, entry in future.result(within_s).items()}
        for resource, future in asked.items()
    }


def _seen(meta: TopicMetadata, config: Mapping[str, str | None]) -> TopicSeen:
    parts = meta.partitions
    needed = int(config.get("min.insync.replicas") or 1)
    return TopicSeen(
        len(parts),
        min(len(part.replicas) for part in parts.values()),
        tuple(number for number, part in parts.items() if part.leader < 0),
        tuple(number for number, part in parts.items() if len(part.isrs) < needed),
        config,
    )


def _differences(topic: Topic, settings: Settings, seen: TopicSeen) -> list[tuple[str, str, str]]:
    """(name, as it is, as declared); what the broker does not tell is taken for right."""
    declared = {**topic.config, "min.insync.replicas": str(min_insync_replicas(settings))}
    return [
        (name, live, value)
        for name, value in declared.items()
        if (live := seen.config.get(name)) is not None and live != value
    ]


def _kept(config: Mapping[str, str | None]) -> str:
    if config.get("cleanup.policy") == "compact":
        return "last per key"
    kept_ms = int(config.get("retention.ms") or -1)
    if kept_ms < 0:
        return "for ever"
    return f"{kept_ms / _DAY_MS:g} days" if kept_ms >= _DAY_MS else f"{kept_ms / _HOUR_MS:g} h"


def _listed(partitions: tuple[int, ...]) -> str:
    return ", ".join(map(str, sorted(partitions)))
