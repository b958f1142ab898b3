"""The topics, declared once: partitions, key, retention, and what their values are."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]

from streams.reach import reach
from streams.settings import Settings

_FOREVER = {"retention.ms": "-1", "retention.bytes": "-1"}
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
_COMPACTED = {"cleanup.policy": "compact"}
_HOUR = {"retention.ms": str(3_600_000)}
_MONTH = {"retention.ms": str(30 * 86_400_000)}
_YEAR = {"retention.ms": str(365 * 86_400_000)}
# What arrives on an inbound topic is a batch of at most this size, which may hold more when it was compressed.
_INBOUND = {"max.message.bytes": str(1024 * 1024)}
MAX_MESSAGE_BYTES = 13 * 1024 * 1024
# One message, as it came and with its story, must fit on `rejects`; the closing of a large tree's window on `ledger`.
_LARGE = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}

_ANSWER_S = 30


@dataclass(frozen=True, slots=True)
class Topic:
    """`sharded` topics have the settings' number of partitions and are co-partitioned; the others have one."""

    name: str
    key: str
    value: str
    sharded: bool = False
    config: dict[str, str] = field(default_factory=dict)


PAYMENTS = Topic(
    "payments", "root agent's id", "JWS of PaymentOrder (terminal's key)", True, {**_MONTH, **_INBOUND, **_APPEND_TIME}
)
COMMANDS = Topic(
    "commands",
    "root agent's id or <table>/<id>",
    "JWS of Command (operator's key; server's for what one book says to another)",
    True,
    {**_MONTH, **_INBOUND, **_APPEND_TIME},
)
LEDGER = Topic("ledger", "book: root agent's id or <table>/<id>", "Entry", True, {**_FOREVER, **_LARGE, **_APPEND_TIME})
BALANCES = Topic("balances", "<tree>/<agent>", "Balance", True, _COMPACTED)
REPLIES = Topic("replies", "terminal's or operator's id", "JWS of Reply (server's key)", True, _MONTH)
REJECTS = Topic(
    "rejects",
    "as it came",
    "the bytes as they came; reason and origin in headers",
    False,
    {**_FOREVER, **_LARGE, **_APPEND_TIME},
)
REPLAYS = Topic("replays", "the message's offset on rejects", "Replay", False, _COMPACTED)
ALERTS = Topic("alerts", "agent's id; empty: the operator's", "Alert", False, {**_YEAR, **_APPEND_TIME})
OPEN_ALERTS = Topic("open_alerts", "<kind>/<subject>", "Alert", True, _COMPACTED)
CHECKS = Topic(
    "checks",
    "root agent's id",
    "JWS of CheckRequest (terminal's key)",
    True,
    {**_HOUR, **_INBOUND, **_APPEND_TIME},
)
CHECK_REPLIES = Topic("check_replies", "terminal's id", "JWS of CheckReply (server's key)", True, _HOUR)
TERMINALS = Topic("terminals", "terminal's id", "Terminal", False, _COMPACTED)
PAYEES = Topic("payees", "payee's id", "Payee", False, _COMPACTED)
TARIFFS = Topic("tariffs", "payee's id", "Tariff", False, _COMPACTED)
GATEWAYS = Topic("gateways", "gateway's id", "Gateway", False, _COMPACTED)
OPERATORS = Topic("operators", "operator's id", "Operator", False, _COMPACTED)
SCHEDULES = Topic("schedules", "<tree> or <tree>.<payee>", "Schedule", False, _COMPACTED)
CHARTS = Topic("charts", "<tree>, or _common", "Chart", False, _COMPACTED)
PLANS = Topic("plans", "plan's id", "Plan", False, _COMPACTED)
SUBSCRIBER_LISTS = Topic("subscriber_lists", "payee's id", "SubscriberList", False, _COMPACTED)
SUBSCRIBERS = Topic("subscribers", "<payee>/<upload>/<number>", "SubscriberRow, one a line", False, _COMPACTED)

DELIVERIES = Topic(
    "deliveries", "delivery's id", "Delivery", False, {"cleanup.policy": "compact,delete", **_YEAR, **_APPEND_TIME}
)
CONTACTS = Topic("contacts", "<tree>/<agent>, or operator", "Contact", False, _COMPACTED)

DIRECTORY = (TERMINALS, PAYEES, TARIFFS, GATEWAYS, OPERATORS, CONTACTS, SCHEDULES, CHARTS, PLANS, SUBSCRIBER_LISTS)
ALL = (
    PAYMENTS, COMMANDS, LEDGER, BALANCES, REPLIES, REJECTS, REPLAYS, ALERTS, OPEN_ALERTS, DELIVERIES,
    CHECKS, CHECK_REPLIES, SUBSCRIBERS, *DIRECTORY,
)  # fmt: skip


class TopicMismatch(Exception):
    """A topic exists with other partitions or settings than declared; the text lists each difference."""


def partitions_of(topic: Topic, settings: Settings) -> int:
    return settings.partitions if topic.sharded else 1


def min_insync_replicas(settings: Settings) -> int:
    """Copies that must have a record before it counts as written: one may be missing, where there are several."""
    return max(1, settings.replication - 1)


def create_or_verify(settings: Settings, topics: Iterable[Topic] = ALL) -> list[str]:
    """Create what is missing, verify what is there; returns the names created. Raises TopicMismatch.

    Never changes a topic that exists: partitions decide which worker owns which tree.
    """
    wanted = {topic.name: topic for topic in topics}
    admin = AdminClient({**reach(settings), "log_level": 2})
    there = admin.list_topics(timeout=_ANSWER_S).topics
    missing = [name for name in wanted if name not in there]
    if missing:
        futures = admin.create_topics([_new(wanted[name], settings) for name in missing], request_timeout=_ANSWER_S)
        for future in futures.values():
            _ignore_existing(future)
        _await_leaders(admin, wanted)
    _verify(admin, wanted, settings)
    return missing


def _new(topic: Topic, settings: Settings) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=partitions_of(topic, settings),
        replication_factor=settings.replication,
        config={**topic.config, "min.insync.replicas": str(min_insync_replicas(settings))},
    )


def _ignore_existing(future: object) -> None:
    try:
        future.result()  # type: ignore[attr-defined]
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def _await_leaders(admin: AdminClient, wanted: dict[str, Topic]) -> None:
    deadline = time.monotonic() + _ANSWER_S
    while time.monotonic() < deadline:
        there = admin.list_topics(timeout=_ANSWER_S).topics
        if all(name in there and all(p.leader >= 0 for p in there[name].partitions.values()) for name in wanted):
            return
        time.sleep(0.05)
    raise TopicMismatch(f"topics without a leader after {_ANSWER_S} s: is the cluster healthy?")


def _verify(admin: AdminClient, wanted: dict[str, Topic], settings: Settings) -> None:
    there = admin.list_topics(timeout=_ANSWER_S).topics
    problems = [
        f"{name}: {len(there[name].partitions)} partitions, declared {partitions_of(topic, settings)}"
        for name, topic in wanted.items()
        if len(there[name].partitions) != partitions_of(topic, settings)
    ]
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
    for resource, future in admin.describe_configs(resources, request_timeout=_ANSWER_S).items():
        live = {name: entry.value for name, entry in future.result().items()}
        problems += [
            f"{resource.name}: {name}={live[name]}, declared {value}"
            for name, value in wanted[resource.name].config.items()
            if live.get(name) not in (None, value)
        ]
    if problems:
        raise TopicMismatch("; ".join(problems))
