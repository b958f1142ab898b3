"""How many rejects are too many, with a clock moved by hand: the bucket, one alert a storm, rejects in a row."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from agents import reject_watch
from agents.reject_watch import RejectWatch
from agents.token_bucket import TokenBucket
from schemas.alert import Alert, AlertKind, Severity
from schemas.ids import ms_instant
from schemas.reject import RejectReason
from streams.arrival import Arrival, Ask, Item, Quarantine
from tests.builders import AT, a_place, an_order

# (seconds that pass, tokens taken then, what is left, seconds until there are 5)
BUCKET = [
    (0, 0, 10, 0),
    (100, 0, 10, 0),  # never fuller than full
    (0, 10, 0, 2.5),
    (1, 0, 2, 1.5),
    (1, 4, 0, 2.5),
    (0, 6, -6, 5.5),  # what has happened has happened
    (3, 0, 0, 2.5),
    (10, 0, 10, 0),
]


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_a_burst_and_then_so_many_a_second() -> None:
    clock = Clock()
    bucket = TokenBucket(2, 10, clock)
    for row, (seconds, taken, left, wait_s) in enumerate(BUCKET):
        clock.now += seconds
        bucket.take(taken)
        assert (row, bucket.level, bucket.wait_s(5)) == (row, left, wait_s)


def _whose(sender: str) -> tuple[str, str]:
    return ("acme", "shop") if sender == "kiosk-1" else ("", "")


@dataclass
class Partition:
    """A watch of payments/3 that allows 10 rejects at once and 2 a second, and 3 in a row of one sender."""

    clock: Clock = field(default_factory=Clock)
    offset: int = 0

    def __post_init__(self) -> None:
        self.watch = RejectWatch("payments/3", TokenBucket(2, 10, self.clock), 10, 3, _whose)

    @property
    def at(self) -> int:
        return round(self.clock.now * 1000)

    def message(self, sender: str, good: bool) -> Item:
        self.offset += 1
        arrival = Arrival("payments", 3, self.offset, b"A", b"", AT)
        if good:
            return Ask(a_place(an_order(terminal=sender), by=f"{sender}:1"), AT, arrival)
        return Quarantine(arrival, RejectReason.BAD_SCHEMA, "", f"{sender}:1" if sender else "")

    def batch(self, *items: Item, keep: bool = True) -> list[Alert]:
        alerts = self.watch.look(items, self.at, [item for item in items if isinstance(item, Quarantine)])
        if keep:
            self.watch.keep()
        return alerts

    def rejects(self, count: int) -> list[Alert]:
        return self.batch(*(self.message("", False) for _ in range(count)))

    def sent(self, sender: str, quality: str) -> list[Alert]:
        """A batch: g is a good message, x a rejected one."""
        return self.batch(*(self.message(sender, letter == "g") for letter in quality))


# (seconds that pass, rejects then, alerts: S a storm begins, O it is over)
STORM = [
    (0, 9, ""),
    (0, 1, "S"),
    (0, 50, ""),  # one alert, not one a batch
    (10, 5, ""),
    (10, 0, ""),  # -35 + 20: not over
    (9, 0, ""),
    (1, 0, "O"),  # half full again
    (0, 4, ""),
    (0, 1, "S"),
]


def test_a_storm_is_one_alert_and_its_end_another() -> None:
    partition = Partition()
    found = []
    for seconds, rejects, _ in STORM:
        partition.clock.now += seconds
        alerts = partition.rejects(rejects)
        assert all(alert.kind is AlertKind.REJECT_STORM for alert in alerts)
        found.append("".join("O" if alert.over else "S" for alert in alerts))
        assert partition.watch.is_storm == ("S" in [*"".join(found)][-1:])
    assert found == [expected for _, _, expected in STORM]


def test_a_storm_says_where_since_when_and_how_many() -> None:
    partition = Partition()
    (begin,) = partition.rejects(12)
    began = ms_instant(partition.at)
    partition.rejects(3)
    partition.clock.now += 60
    (end,) = partition.rejects(0)
    assert (begin.subject, begin.agent, begin.severity, begin.count) == ("payments/3", "", Severity.CRITICAL, 12)
    assert (end.subject, end.severity, end.count, end.over) == ("payments/3", Severity.INFO, 15, True)
    assert (begin.since, end.since, begin.at) == (began, began, began)


def test_good_messages_raise_no_storm() -> None:
    assert Partition().sent("kiosk-1", "g" * 1_000) == []


# (messages of one sender batch by batch, alerts: R so many in a row, O a good one came after that)
ROWS = [
    (["xx", "g", "xx", "g"], ["", "", "", ""]),
    (["xxx"], ["R"]),
    (["x", "x", "x", "x"], ["", "", "R", ""]),
    (["xxxxxx", "x", "g", "g"], ["R", "", "O", ""]),
    (["xxgxx", "x"], ["", "R"]),
    (["xxxgxxxg"], ["RORO"]),
    (["xxx", "gxx", "x"], ["R", "O", "R"]),
]


@pytest.mark.parametrize(("batches", "expected"), ROWS)
def test_rejects_of_one_sender_in_a_row_are_one_alert(batches: list[str], expected: list[str]) -> None:
    partition = Partition()
    partition.watch._calm = partition.watch._bucket._burst = partition.watch._bucket._level = 1_000  # no storm here
    found = [partition.sent("kiosk-1", batch) for batch in batches]
    assert ["".join("O" if alert.over else "R" for alert in alerts) for alerts in found] == expected
    assert {(alert.subject, alert.agent) for alerts in found for alert in alerts} <= {("kiosk-1", "shop")}


def test_what_nobody_signed_is_nobodys_row_and_senders_do_not_mix() -> None:
    partition = Partition()
    assert partition.rejects(5) == []
    messages = [partition.message(sender, False) for sender in ("kiosk-1", "kiosk-2") * 2]
    assert partition.batch(*messages) == []


def test_a_batch_that_failed_and_is_decided_again_counts_once() -> None:
    partition = Partition()
    items = [partition.message("kiosk-1", False) for _ in range(3)]
    looks = [partition.batch(*items, keep=False) for _ in range(5)]
    assert [[alert.count for alert in alerts] for alerts in looks] == [[3]] * 5
    assert partition.watch._bucket.level == 10
    partition.watch.keep()
    assert partition.watch._bucket.level == 7


def test_a_conflict_found_by_the_ledger_counts_like_any_reject() -> None:
    partition = Partition()
    ask = partition.message("kiosk-1", True)
    assert isinstance(ask, Ask)
    assert ask.arrival is not None
    for expected in (0, 0, 1):
        conflict = Quarantine(ask.arrival, RejectReason.CONFLICT, "", "kiosk-1:1")
        assert len(partition.watch.look([ask], AT, [conflict])) == expected
        partition.watch.keep()


def test_memory_is_bounded_however_many_senders_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reject_watch, "MAX_RUNS", 4)
    partition = Partition()
    for number in range(20):
        partition.sent("kiosk-1", "x")
        partition.sent(f"other-{number}", "x")
    assert len(partition.watch._runs) == 4
    assert "kiosk-1" in partition.watch._runs, "who is rejected now is remembered"
