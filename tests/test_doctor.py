"""The doctor's judgments: what is wrong is named, with what to do, and what is not is left alone."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.doctor_alerts import judge_deliveries
from console.doctor_broker import TopicSeen, judge_topic
from console.doctor_clocks import judge_append_time, judge_clock
from console.doctor_findings import Deadline, Finding
from console.doctor_keys import judge_credentials, look_at_keys
from console.doctor_lag import QUEUES, Waiting, judge_queue
from console.doctor_parts import PartSeen, judge_parts, unserved
from console.doctor_rounds import examine
from schemas.alert import Alert, AlertKind, Severity
from schemas.contact import Contact
from schemas.delivery import Delivery, DeliveryState, recipient_of
from streams.keyring import ensure_operator_key, ensure_sealing_key, ensure_server_key
from streams.pin_keys import ensure_pin_key
from streams.settings import Settings
from streams.topics import ALL, LEDGER, PAYMENTS
from tests.builders import a_gateway
from tests.cli_runs import Kassa

pytest_plugins = ["tests.cli_fixtures"]

SETTINGS = Settings(kafka="k:9092", partitions=4, replication=3)
SOUND = TopicSeen(4, 3, (), (), {**LEDGER.config, "min.insync.replicas": "2"})
WORKERS, _ = QUEUES


def told(finding: Finding) -> tuple[str, str]:
    return finding.verdict.value, f"{finding.says} → {finding.advice}"


TOPICS = [
    (SOUND, "ok", "partitions 4, copies 3, kept for ever"),
    (None, "fail", "is not there → run `kassa init`"),
    (replace(SOUND, partitions=3), "fail", "3 partitions, declared 4"),
    (replace(SOUND, leaderless=(2, 1)), "fail", "no leader for partitions 1, 2"),
    (replace(SOUND, replicas=1), "fail", "1 copies, declared 3"),
    (replace(SOUND, thin=(0,)), "fail", "too few copies in sync to write partitions 0"),
    (replace(SOUND, config={**SOUND.config, "min.insync.replicas": "1"}), "fail", "min.insync.replicas=1, declared 2"),
    (replace(SOUND, config={**SOUND.config, "retention.ms": "604800000"}), "fail",
     "--alter --topic ledger --add-config retention.ms=-1"),
    (replace(SOUND, config={**SOUND.config, "message.timestamp.type": "CreateTime"}), "fail",
     "message.timestamp.type=CreateTime, declared LogAppendTime"),
    (replace(SOUND, config={}), "ok", ""),  # a broker that does not tell
]  # fmt: skip


@pytest.mark.parametrize(("seen", "verdict", "words"), TOPICS)
def test_a_topic_must_be_as_declared(seen: TopicSeen | None, verdict: str, words: str) -> None:
    found, said = told(judge_topic(LEDGER, SETTINGS, seen))
    assert found == verdict
    assert words in said


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
def test_a_topic_as_declared_is_sound(topic: object) -> None:
    assert isinstance(topic, type(LEDGER))
    seen = TopicSeen(4 if topic.sharded else 1, 3, (), (), topic.config)
    found = judge_topic(topic, SETTINGS, seen)
    assert (found.verdict, "0." in found.says) == ("ok", False), found.says  # an hour is no 0.0416667 days


@pytest.mark.parametrize(
    ("ahead_ms", "verdict", "words"),
    [
        (0, "ok", "0 ms behind"),
        (-1_000, "ok", "1,000 ms behind"),
        (1_001, "warn", "1,001 ms ahead of"),
        (-31_000, "fail", "31,000 ms behind"),
        (3_600_000, "fail", "NTP"),
    ],
)
def test_clocks_may_differ_by_a_second(ahead_ms: int, verdict: str, words: str) -> None:
    found, said = told(judge_clock("clock.warehouse", "ClickHouse's clock", ahead_ms))
    assert (found, words in said) == (verdict, True), said


@pytest.mark.parametrize(
    ("newest_ms", "verdict"),
    [(None, "ok"), (0, "ok"), (10_000, "ok"), (10_900, "ok"), (12_000, "warn"), (50_000, "fail")],
)
def test_the_broker_must_not_be_in_the_future(newest_ms: int | None, verdict: str) -> None:
    assert judge_append_time(newest_ms, 10_000).verdict == verdict


HERE = Waiting((PAYMENTS.name, 2), 1_200, 0.4)
QUEUED = [
    ((), True, "ok", "everything is decided"),
    ((), False, "ok", "everything is decided"),
    ((HERE,), True, "ok", "at work: not decided, the oldest for 0 s: payments/2 (1,200)"),
    ((HERE,), False, "fail", "payments/2 (1,200) → start a worker"),
    ((HERE, replace(HERE, age_s=15.0)), True, "warn", "the oldest for 15 s"),
    ((HERE, replace(HERE, age_s=60.0)), True, "fail", "the oldest for 60 s"),
    ((HERE,) * 9, False, "fail", ", …"),
]


@pytest.mark.parametrize(("waiting", "served", "verdict", "words"), QUEUED)
def test_a_queue_is_judged_by_how_long_its_oldest_waits(
    waiting: tuple[Waiting, ...], served: bool, verdict: str, words: str
) -> None:
    found, said = told(judge_queue(WORKERS, waiting, served=served))
    assert (found, words in said) == (verdict, True), said


ALIVE, SINK, DEAD = PartSeen("w1", "u", "worker"), PartSeen("s1", "u", "sink"), PartSeen("w2", "http://h:1")
PARTS = [
    (ALIVE, "ok", "worker at u is ready"),
    (replace(ALIVE, not_ready=("partition 1 is closed",)), "warn", "partition 1 is closed"),
    (replace(ALIVE, stuck=("it hangs",), not_ready=("it hangs",)), "fail", "restart it"),
    (DEAD, "fail", "nobody answers at http://h:1"),
]


@pytest.mark.parametrize(("seen", "verdict", "words"), PARTS)
def test_a_part_is_asked_how_it_is(seen: PartSeen, verdict: str, words: str) -> None:
    (finding,) = judge_parts([seen], Path("var"))
    found, said = told(finding)
    assert (finding.check, found, words in said) == (f"parts.{seen.name}", verdict, True), said


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        ((), set()),
        ((ALIVE,), set()),  # the sink may be elsewhere
        ((ALIVE, SINK, DEAD), set()),
        ((SINK, DEAD), {"worker"}),
        ((SINK, replace(ALIVE, stuck=("it hangs",))), {"worker"}),
        ((DEAD,), {"worker", "sink"}),
    ],
)
def test_work_waits_in_vain_where_its_part_is_missed(seen: tuple[PartSeen, ...], kinds: set[str]) -> None:
    assert unserved(seen) == kinds


def test_credentials_that_are_missing_unusable_or_open_to_others_are_named(tmp_path: Path) -> None:
    for name, text, mode in (("good", "u:p\n", 0o600), ("odd", "secret", 0o600), ("open", "u:p", 0o644)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    gateways = {name: a_gateway(f"gw-{name}", credentials=name) for name in ("good", "odd", "open", "none")}
    assert judge_credentials(tmp_path, [a_gateway()]).verdict == "ok"
    assert judge_credentials(tmp_path, [a_gateway(), gateways["good"]]).verdict == "ok"
    for name in ("odd", "open", "none"):
        found, said = told(judge_credentials(tmp_path, [gateways["good"], gateways[name]]))
        assert (found, f"gw-{name}" in said, "gw-good" in said) == ("fail", True, False), said
        assert "secret'" not in said.replace("the secret 'odd'", "")


def test_keys_that_are_missing_or_open_to_others_are_named(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path)

    def verdicts() -> list[str]:
        return [finding.verdict.value for finding in look_at_keys(settings)]

    assert verdicts() == ["fail", "fail", "ok"]
    ensure_server_key(settings)
    ensure_operator_key(settings)
    assert verdicts() == ["ok", "ok", "ok"]
    operator = settings.keys / "operators" / "root.jwk"
    operator.chmod(0o644)
    *_, files = look_at_keys(settings)
    assert told(files) == ("fail", f"{operator} is open to others (mode 0644) → chmod 600 {operator}")
    operator.chmod(0o600)
    ensure_sealing_key(settings, "k1")
    ensure_pin_key(settings, "v1")
    assert verdicts() == ["ok", "ok", "ok"]
    for secret in (settings.keys / "sealing" / "k1.jwk", settings.keys / "vouchers" / "v1.jwk"):
        secret.chmod(0o604)
        *_, files = look_at_keys(settings)
        assert told(files) == ("fail", f"{secret} is open to others (mode 0604) → chmod 600 {secret}")
        secret.chmod(0o600)
    (settings.keys / "server.jwk").unlink()
    ensure_server_key(settings.model_copy(update={"dir": tmp_path / "other"}))
    shutil.copy(tmp_path / "other" / "keys" / "server.jwk", settings.keys / "server.jwk")
    assert told(look_at_keys(settings)[0])[0] == "fail"
    (settings.keys / "trusted" / "root:1.json").unlink()
    assert told(look_at_keys(settings)[1])[0] == "fail"


def test_a_deadline_is_shared_and_leaves_everybody_a_moment() -> None:
    now_s = 0.0
    deadline = Deadline(8, clock=lambda: now_s)
    assert deadline.within(3) == 3
    now_s = 6.0
    assert deadline.within(3) == 2
    now_s = 60.0
    assert deadline.within(3) == 0.5


def test_all_is_told_within_ten_seconds_when_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("w1", "w2"):
        (tmp_path / "run" / f"{name}.http").write_text("http://127.0.0.1:1\n")
    began = time.monotonic()
    found = {one.check: one.verdict.value for one in examine(
        Settings(dir=tmp_path, kafka="127.0.0.1:1", clickhouse="http://127.0.0.1:1"))}  # fmt: skip
    assert time.monotonic() - began < 10
    assert {check for check, verdict in found.items() if verdict == "fail"} == {
        "broker", "warehouse", "keys.server", "keys.trusted", "parts.w1", "parts.w2"}  # fmt: skip
    assert {check for check, verdict in found.items() if verdict == "-"} == {
        "topics", "warehouse.tables", "clock.warehouse", "clock.broker", "keys.gateways", "lag", "alerts.delivery",
    }  # fmt: skip


def test_the_command_says_what_to_do_and_ends_with_1(kassa: Kassa) -> None:
    shown = kassa("doctor")
    assert (shown.code, shown.says("fail  broker", "none is known", "→ start it", "checks failed")) == (1, True), shown
    shown = kassa("doctor", "--json")
    assert (shown.code, shown.says('"check":"broker","verdict":"fail"', '"ok":false')) == (1, True), shown


DUTY, SHOP = (
    ("operator", "mail", recipient_of("duty@acme.example")),
    ("acme/shop", "mail", recipient_of("till@acme.example")),
)
ON_FILE = {
    "operator": Contact(id="operator", mail=("duty@acme.example",)),
    "acme/shop": Contact(id="acme/shop", mail=("till@acme.example",)),
}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_delivery(to: tuple[str, str, str], state: str, due_s: int = 0, number: int = 1) -> Delivery:
    alert = Alert(
        kind=AlertKind.LOW_BALANCE, subject="acme/shop", severity=Severity.WARNING, text="-", at=NOW, since=NOW
    )
    contact, channel, recipient = to
    return Delivery.model_validate({
        "id": f"{contact}-{number}", "alert": alert, "alert_offset": number, "contact": contact, "channel": channel,
        "recipient": recipient, "state": DeliveryState(state), "due_at": NOW - timedelta(seconds=due_s), "at": NOW,
    })  # fmt: skip


DELIVERIES = [
    ([], "ok", "everybody is reached"),
    ([a_delivery(DUTY, "DELIVERED"), a_delivery(SHOP, "PENDING", 59)], "ok", "everybody is reached"),
    ([a_delivery(DUTY, "DEAD")], "fail", f"alerts do not reach operator mail {DUTY[2]} → `kassa deliveries --state"),
    ([a_delivery(SHOP, "DEAD")], "warn", f"alerts do not reach acme/shop mail {SHOP[2]}"),
    ([a_delivery(SHOP, "DEAD"), a_delivery(SHOP, "DELIVERED", number=2)], "ok", ""),
    ([a_delivery(("operator", "mail", recipient_of("old@acme.example")), "DEAD")], "ok", ""),  # on file no more
    ([a_delivery(DUTY, "PENDING", 60), a_delivery(SHOP, "PENDING", 4_000)], "fail",
     "2 deliveries are due and not tried, the oldest for 4,000 s → start `kassa notify`"),
]  # fmt: skip


@pytest.mark.parametrize(("deliveries", "verdict", "words"), DELIVERIES)
def test_alerts_must_reach_who_is_on_file(deliveries: list[Delivery], verdict: str, words: str) -> None:
    found, said = told(judge_deliveries(deliveries, ON_FILE, NOW))
    assert (found, words in said) == (verdict, True), said
