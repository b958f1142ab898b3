"""What docs/production.md lets each role do is what the role does, and is said in Kafka's own words."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from agents.notify_log import WRITER
from sinks.feeds import FEEDS
from streams.clients import READERS, SINKS, WORKERS
from streams.settings import Settings
from streams.topics import (
    ALERTS,
    ALL,
    BALANCES,
    CHECK_REPLIES,
    CHECKS,
    COMMANDS,
    CONTACTS,
    DELIVERIES,
    DIRECTORY,
    LEDGER,
    OPEN_ALERTS,
    PAYEES,
    PAYMENTS,
    REJECTS,
    REPLIES,
    SUBSCRIBERS,
    TARIFFS,
    TERMINALS,
    Topic,
)

PAGE = (Path(__file__).parent.parent / "docs" / "production.md").read_text(encoding="utf-8")
ROLES = {"terminals", "partner", "worker", "sink", "notify", "operator", "analyst"}
DIRECTORY_NAMES = {topic.name for topic in DIRECTORY}


@dataclass(frozen=True)
class Grant:
    role: str
    operation: str
    kind: str  # topic, group or transactional-id
    name: str
    is_prefix: bool


def grants() -> set[Grant]:
    """Every operation on every resource that an `acls` line of the page allows."""
    found = set()
    for line in re.findall(r"^    acls (.*)$", PAGE, re.MULTILINE):
        words = shlex.split(line)
        said = list(zip(words[::2], words[1::2], strict=True))
        options = {option for option, _ in said}
        assert options <= {
            "--allow-principal", "--operation", "--topic", "--group", "--transactional-id",
            "--resource-pattern-type",
        }, line  # fmt: skip
        roles = [value.removeprefix("User:") for option, value in said if option == "--allow-principal"]
        prefixed = dict(said).get("--resource-pattern-type") == "prefixed"
        resources = [(o[2:], name) for o, name in said if o in ("--topic", "--group", "--transactional-id")]
        for operation in (value for option, value in said if option == "--operation"):
            assert operation.upper() in AclOperation.__members__, line
            found |= {Grant(who, operation, kind, name, prefixed) for who in roles for kind, name in resources}
    return found


def topics(role: str, operation: str) -> set[str]:
    return {one.name for one in grants() if (one.role, one.operation, one.kind) == (role, operation, "topic")}


def others(role: str) -> set[tuple[str, str, str, bool]]:
    """Besides what every part may ask."""
    return {(one.operation, one.kind, one.name, one.is_prefix) for one in grants()
            if one.role == role and one.kind != "topic" and one.name != READERS}  # fmt: skip


def test_every_role_and_topic_of_the_lines_is_known() -> None:
    assert {one.role for one in grants()} == ROLES
    assert {one.name for one in grants() if one.kind == "topic"} <= {topic.name for topic in ALL}


@pytest.mark.parametrize("role", ["worker", "sink", "operator", "notify"])
def test_every_part_may_see_every_topic_and_read_from_its_beginning(role: str) -> None:
    assert topics(role, "Describe") == {topic.name for topic in ALL}
    assert Grant(role, "Describe", "group", READERS, is_prefix=False) in grants()


def test_terminals_write_payments_checks_and_commands_and_read_replies_only() -> None:
    assert topics("terminals", "Write") == {PAYMENTS.name, COMMANDS.name, CHECKS.name}
    assert topics("terminals", "Read") == {REPLIES.name, CHECK_REPLIES.name}


def test_a_partners_endpoint_is_a_terminal_that_looks_prices_up() -> None:
    assert topics("partner", "Write") == {PAYMENTS.name, CHECKS.name}
    looked_up = {topic.name for topic in (TERMINALS, PAYEES, TARIFFS)}
    assert topics("partner", "Read") == {REPLIES.name, CHECK_REPLIES.name, *looked_up}
    assert Grant("partner", "Describe", "group", READERS, is_prefix=False) in grants()


def test_a_worker_may_do_what_a_worker_does() -> None:
    assert topics("worker", "Read") == {
        *(topic.name for topic in (PAYMENTS, COMMANDS, CHECKS, LEDGER, OPEN_ALERTS, SUBSCRIBERS)),
        *DIRECTORY_NAMES,
    }
    sources = (PAYMENTS, COMMANDS, CHECKS)
    written = (*sources, LEDGER, BALANCES, REPLIES, CHECK_REPLIES, REJECTS, ALERTS, OPEN_ALERTS, *DIRECTORY)
    assert topics("worker", "Write") == {topic.name for topic in written}
    assert others("worker") == {
        ("Read", "group", WORKERS, False),
        ("Write", "transactional-id", "kassa-ledger-", True),
        ("Describe", "transactional-id", "kassa-ledger-", True),
    }


def test_a_sink_reads_what_it_loads_and_writes_nothing() -> None:
    assert topics("sink", "Read") == set(FEEDS)
    assert topics("sink", "Write") == set()
    assert others("sink") == {("Read", "group", SINKS, False)}


def test_notify_may_do_what_notify_does() -> None:
    assert topics("notify", "Read") == {ALERTS.name, CONTACTS.name, DELIVERIES.name}
    assert topics("notify", "Write") == {ALERTS.name, DELIVERIES.name}
    writer = ("transactional-id", WRITER, False)
    assert others("notify") == {("Write", *writer), ("Describe", *writer)}


def test_nobody_but_workers_writes_to_the_ledger() -> None:
    assert {one.role for one in grants() if (one.name, one.operation) == (LEDGER.name, "Write")} == {"worker"}
    assert topics("operator", "Write") == {COMMANDS.name, SUBSCRIBERS.name}
    assert topics("analyst", "Write") == set()


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
def test_every_topic_is_there(topic: Topic) -> None:
    table = PAGE[PAGE.index("## Topics") : PAGE.index("**Transactional ids**")]
    assert f"`{topic.name}`" in table


def test_time_outs_are_the_defaults_and_in_order() -> None:
    settings = Settings()
    assert f"`KASSA_SESSION_TIME_OUT_S` | {settings.session_time_out_s} s" in PAGE
    assert f"`KASSA_TRANSACTION_TIME_OUT_MS` | {settings.transaction_time_out_ms // 1000} s" in PAGE
    assert settings.session_time_out_s * 1000 < 30_000 < settings.transaction_time_out_ms
