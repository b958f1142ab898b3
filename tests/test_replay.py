"""Quarantined messages sent again after a fix: once each, through repeats, crashes and two at one time."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from console.audit_run import run_audit
from console.requests import payment_request
from schemas.entry import EntryKind
from schemas.envelope import SigningKey
from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TOPIC, RejectReason
from schemas.replay import Replay
from schemas.terminal import Terminal
from sinks.embedded import EmbeddedWarehouse
from sinks.migrations import migrate
from sinks.warehouse import open_warehouse
from streams import replay as replaying
from streams.apache_kafka import ApacheKafka
from streams.clients import producer
from streams.compacted import read_to_end
from streams.embedded import EmbeddedBroker
from streams.replay import Fate, ReplayCut, Tally, Wanted, replay, survey
from streams.settings import Settings
from streams.topics import PAYMENTS, REJECTS, REPLAYS, create_or_verify
from tests.audit_world import Office, introduce, loading, order
from tests.builders import an_order, set_terminal

pytestmark = pytest.mark.integration

CURABLE = frozenset(one for one in RejectReason if one.curable)
BOTH = frozenset({"payments", "commands"})
ALL = Wanted(CURABLE, BOTH)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with EmbeddedBroker.start(tmp_path) as broker:
        made = Settings(
            dir=tmp_path,
            kafka=broker.bootstrap,
            partitions=2,
            embedded=True,
            sink_within_ms=20,
            clock_behind_s=10**9,  # the builders' clocks stand still
        )
        create_or_verify(made)
        yield made


def quarantine(settings: Settings, count: int, reason: RejectReason = RejectReason.UNKNOWN_KEY, first: int = 0) -> None:
    """Put so many messages in quarantine, the nth with origin offset `first` + n and key and bytes of its own."""
    writer = producer(settings, enable_idempotence=False)
    for n in range(first, first + count):
        story = {HEADER_REASON: reason.value, HEADER_TOPIC: "payments", HEADER_PARTITION: "0", HEADER_OFFSET: str(n)}
        headers: list[tuple[str, str | bytes | None]] = [(name, text.encode()) for name, text in story.items()]
        writer.produce(REJECTS.name, b"message %d" % n, b"key %d" % (n % 7), headers=headers)
    assert writer.flush(30) == 0


def sent(settings: Settings) -> list[tuple[bytes | None, bytes]]:
    """(key, value) of everything on `payments`."""
    return [(message.key(), message.value() or b"") for message in read_to_end(settings, PAYMENTS, time_out_s=30)]


def told(settings: Settings) -> list[Replay]:
    return [
        Replay.model_validate_json(message.value() or b"")
        for message in read_to_end(settings, REPLAYS, time_out_s=30)
    ]  # fmt: skip


def expected(count: int) -> list[tuple[bytes | None, bytes]]:
    return sorted((b"key %d" % (n % 7), b"message %d" % n) for n in range(count))


def counts(tally: Tally) -> dict[Fate, int]:
    return {fate: tally.count(fate) for fate in Fate if tally.count(fate)}


def test_a_second_run_sends_nothing_again_and_goes_on_with_what_is_new(settings: Settings) -> None:
    quarantine(settings, 20)
    assert counts(survey(settings, ALL)) == {Fate.REPLAYED: 20}
    assert sent(settings) == []
    assert counts(replay(settings, ALL)) == {Fate.REPLAYED: 20}
    quarantine(settings, 3, first=20)
    assert counts(replay(settings, ALL)) == {Fate.REPLAYED: 3, Fate.BEFORE: 20}
    assert counts(replay(settings, ALL)) == {Fate.BEFORE: 23}
    assert sorted(sent(settings)) == expected(23)
    assert sorted(one.origin_offset for one in told(settings)) == list(range(23))


@pytest.mark.long
def test_what_no_fix_can_mend_is_sent_only_when_it_is_named(settings: Settings) -> None:
    for number, reason in enumerate(RejectReason):
        quarantine(settings, 1, reason, first=number)
    tally = replay(settings, ALL)
    assert {reason for reason, fates in tally.of.items() if fates[Fate.REPLAYED]} == CURABLE
    assert {one.name for one in CURABLE} == {"UNKNOWN_KEY", "WRONG_AGENT", "WRONG_CLOCK", "UNPROCESSABLE"}
    assert tally.count(Fate.INELIGIBLE) == len(RejectReason) - len(CURABLE)
    named = Wanted(frozenset({RejectReason.CONFLICT}), BOTH)
    assert replay(settings, named).of[RejectReason.CONFLICT] == {Fate.REPLAYED: 1}


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(CURABLE, BOTH, first=7), [7, 8, 9]),
        (Wanted(CURABLE, BOTH, last=1), [0, 1]),
        (Wanted(CURABLE, BOTH, first=3, last=8, limit=2), [3, 4]),
        (Wanted(CURABLE, frozenset({"commands"})), []),
    ],
)
def test_a_part_can_be_chosen(wanted: Wanted, numbers: list[int], settings: Settings) -> None:
    quarantine(settings, 10)
    assert replay(settings, wanted).count(Fate.REPLAYED) == len(numbers)
    assert sorted(one.origin_offset for one in told(settings)) == numbers


def test_a_message_quarantined_twice_after_a_crash_is_one_message(settings: Settings) -> None:
    for _ in range(2):
        quarantine(settings, 4)
    assert counts(replay(settings, ALL)) == {Fate.REPLAYED: 4, Fate.BEFORE: 4}
    assert sorted(sent(settings)) == expected(4)


def test_records_that_cannot_be_a_quarantined_message_are_passed_over(settings: Settings) -> None:
    writer = producer(settings, enable_idempotence=False)
    writer.produce(REJECTS.name, b"no story")
    writer.produce(
        REJECTS.name, b"of no topic of ours", headers=[(HEADER_REASON, b"UNKNOWN_KEY"), (HEADER_TOPIC, b"x")]
    )
    writer.produce(REJECTS.name, b"\xff", headers=[(HEADER_REASON, b"\xff"), (HEADER_TOPIC, b"payments")])
    assert writer.flush(30) == 0
    quarantine(settings, 1)
    assert counts(replay(settings, ALL)) == {Fate.REPLAYED: 1}


def killed_at(settings: Settings, step: str) -> int:
    """A replay in a process of its own, killed -9 at its second transaction: before it commits, or after it has."""
    program = f"""
import os, signal
from streams import replay
from streams.settings import Settings
replay.CHUNK = 10
seen = []
class Dying:
    def __init__(self, writer): self._writer = writer
    def __getattr__(self, name): return getattr(self._writer, name)
    def commit_transaction(self, *rest):
        seen.append(1)
        if len(seen) == 2:
            if {step!r} == "after":
                self._writer.commit_transaction(*rest)
            else:
                self._writer.flush(30)
            os.kill(os.getpid(), signal.SIGKILL)
        self._writer.commit_transaction(*rest)
opened = replay.fenced_producer
replay.fenced_producer = lambda *given: Dying(opened(*given))
reasons = frozenset(one for one in replay.RejectReason if one.curable)
wanted = replay.Wanted(reasons, frozenset({{"payments"}}))
replay.replay(Settings.model_validate_json({settings.model_dump_json()!r}), wanted)
"""
    return subprocess.run([sys.executable, "-c", program], timeout=90, check=False).returncode


def survives_kills(settings: Settings) -> None:
    """Fifty messages through two replays that die, one in the middle of a transaction; then the rest."""
    quarantine(settings, 50)
    assert killed_at(settings, "before") == -signal.SIGKILL
    assert killed_at(settings, "after") == -signal.SIGKILL
    assert counts(replay(settings, ALL)) == {Fate.REPLAYED: 20, Fate.BEFORE: 30}
    assert sorted(sent(settings)) == expected(50)
    assert sorted(one.origin_offset for one in told(settings)) == list(range(50))


def test_a_replay_killed_between_and_inside_transactions_sends_nothing_twice(settings: Settings) -> None:
    survives_kills(settings)


def overtaken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first replay is at work a second one runs from its beginning to its end."""
    monkeypatch.setattr(replaying, "CHUNK", 10)
    quarantine(settings, 40)
    seconds: list[Tally] = []

    def second_after_the_first_chunk(step: Callable[..., None]) -> Callable[..., None]:
        def send(*given: object) -> None:
            step(*given)
            if not seconds:
                seconds.append(Tally())
                seconds.append(replay(settings, ALL))

        return send

    monkeypatch.setattr(replaying, "_send", second_after_the_first_chunk(replaying._send))
    with pytest.raises(ReplayCut, match="another replay has taken over, and does the rest; 10 messages"):
        replay(settings, ALL)
    assert counts(seconds[1]) == {Fate.REPLAYED: 30, Fate.BEFORE: 10}
    assert sorted(sent(settings)) == expected(40)
    assert sorted(one.origin_offset for one in told(settings)) == list(range(40))


def test_of_two_replays_at_once_one_is_fenced_and_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    overtaken(settings, monkeypatch)


@pytest.mark.kafka
@pytest.mark.timeout(280)
def test_the_same_on_apache_kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ApacheKafka.start(tmp_path / "kafka") as kafka:
        settings = Settings(dir=tmp_path, kafka=kafka.bootstrap, partitions=2)
        create_or_verify(settings)
        survives_kills(settings)
    with ApacheKafka.start(tmp_path / "another") as kafka:
        settings = Settings(dir=tmp_path, kafka=kafka.bootstrap, partitions=2)
        create_or_verify(settings)
        overtaken(settings, monkeypatch)


def test_a_failed_transaction_leaves_nothing_and_the_next_run_sends_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine(settings, 5)

    def refuse(*_: object) -> list[tuple[int, int]]:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    with monkeypatch.context() as broken:
        broken.setattr(replaying, "_placed", refuse)
        with pytest.raises(ReplayCut, match="0 messages were replayed before that: run it again"):
            replay(settings, ALL)
    assert sent(settings) == []
    assert counts(replay(settings, ALL)) == {Fate.REPLAYED: 5}
    assert sorted(sent(settings)) == expected(5)


@pytest.mark.timeout(280)
def test_a_payment_of_a_terminal_enrolled_late_is_decided_and_the_audit_passes(settings: Settings) -> None:
    place = settings.dir / "warehouse"
    with EmbeddedWarehouse.start(place) as warehouse:
        settings = settings.model_copy(update={"clickhouse": warehouse.url})
        with open_warehouse(settings) as client:
            migrate(client, settings.database)
        office = Office(settings)
        try:
            late_enrolment(office)
        finally:
            office.close()
        with loading(settings):
            report = run_audit(settings, simulator=None, wait_s=60)
    assert {check.name: check.failures for check in report.checks if not check.passed} == {}
    assert report.check("arrivals.replays").looked_at == 3
    assert report.check("arrivals.payments").note.startswith("2 decided, 0 again, 4 in rejects")


def late_enrolment(office: Office) -> None:
    """A payment of an unknown terminal, one in conflict: replayed too early, and again after the enrolment."""
    first, _ = introduce(office, "http://127.0.0.1:9/mobile/")
    tree = office.directory.terminals[first].tree
    key = SigningKey.generate("late:1")
    early = payment_request(an_order(1, "late", agent=tree), tree, key)
    office.send(early.topic, early.key, early.value)
    office.pay(order(office, first, 1), order(office, first, 1, amount=190_000, fee=10_000))
    assert [entry.kind for entry in office.work()] == [EntryKind.HELD]
    assert counts(replay(office.settings, ALL)) == {Fate.REPLAYED: 1, Fate.INELIGIBLE: 1}
    assert office.work() == []
    terminal = Terminal(id="late", agent=tree, tree=tree, keys=(key.public(),))
    office.command(set_terminal(terminal, "terminal-late").command)
    office.work()
    everything = Wanted(frozenset(RejectReason), BOTH)
    assert counts(replay(office.settings, everything)) == {Fate.REPLAYED: 2, Fate.BEFORE: 1}
    assert [entry.payment.id for entry in office.work() if entry.payment] == ["late.1"]
