"""What docs/production.md lets each role do is what the role does, and is said in Kafka's own words."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from sinks.feeds import FEEDS
from streams.clients import SINKS, WORKERS
from streams.settings import Settings
from streams.topics import ALERTS, ALL, BALANCES, COMMANDS, DIRECTORY, LEDGER, PAYMENTS, REJECTS, REPLIES, Topic

PAGE = (Path(__file__).parent.parent / "docs" / "production.md").read_text(encoding="utf-8")
ROLES = {"terminals", "10.0.1.11", "10.0.1.21", "10.0.1.31", "analyst"}  # worker, sink, operator by address
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
            "--allow-principal", "--allow-host", "--operation", "--topic", "--group", "--transactional-id",
            "--resource-pattern-type",
        }, line  # fmt: skip
        given = dict(said)
        who = given.get("--allow-host", given["--allow-principal"].removeprefix("User:"))
        prefixed = given.get("--resource-pattern-type") == "prefixed"
        resources = [(o[2:], name) for o, name in said if o in ("--topic", "--group", "--transactional-id")]
        for operation in (value for option, value in said if option == "--operation"):
            assert operation.upper() in AclOperation.__members__, line
            found |= {Grant(who, operation, kind, name, prefixed) for kind, name in resources}
    return found


def topics(role: str, operation: str) -> set[str]:
    return {one.name for one in grants() if (one.role, one.operation, one.kind) == (role, operation, "topic")}


def others(role: str) -> set[tuple[str, str, str, bool]]:
    return {(one.operation, one.kind, one.name, one.is_prefix) for one in grants()
            if one.role == role and one.kind != "topic"}  # fmt: skip


def test_every_role_and_topic_of_the_lines_is_known() -> None:
    assert {one.role for one in grants()} == ROLES
    assert {one.name for one in grants() if one.kind == "topic"} <= {topic.name for topic in ALL}


def test_terminals_write_payments_and_read_replies_only() -> None:
    assert topics("terminals", "Write") == {PAYMENTS.name}
    assert topics("terminals", "Read") == {REPLIES.name}


def test_a_worker_may_do_what_a_worker_does() -> None:
    assert topics("10.0.1.11", "Read") == {PAYMENTS.name, COMMANDS.name, LEDGER.name} | DIRECTORY_NAMES
    written = (PAYMENTS, COMMANDS, LEDGER, BALANCES, REPLIES, REJECTS, ALERTS, *DIRECTORY)
    assert topics("10.0.1.11", "Write") == {topic.name for topic in written}
    assert others("10.0.1.11") == {
        ("Read", "group", WORKERS, False),
        ("Write", "transactional-id", "kassa-ledger-", True),
        ("Describe", "transactional-id", "kassa-ledger-", True),
    }


def test_a_sink_reads_what_it_loads_and_writes_nothing() -> None:
    assert topics("10.0.1.21", "Read") == set(FEEDS)
    assert topics("10.0.1.21", "Write") == set()
    assert others("10.0.1.21") == {("Read", "group", SINKS, False)}


def test_nobody_but_workers_writes_to_the_ledger() -> None:
    assert {one.role for one in grants() if (one.name, one.operation) == (LEDGER.name, "Write")} == {"10.0.1.11"}
    assert topics("10.0.1.31", "Write") == {COMMANDS.name}
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
