"""When windows close: cron in a time zone, and the clock that asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from agents.settlement import SettlementClock
from schemas import cron
from schemas.entry import Entry
from schemas.ids import instant_ms
from schemas.schedule import Schedule
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import WindowDue
from streams.ledger.state import State
from tests.builders import a_schedule, a_tree, decided, set_schedule, window_due


def moment(text: str) -> int:
    return instant_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("cron", "zone", "after", "due"),
    [
        ("0 0 * * *", "UTC", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("0 0 * * *", "Europe/Moscow", "2026-01-01T00:00:00", "2026-01-01T21:00:00"),
        ("0 3 * * MON", "Asia/Vladivostok", "2026-01-01T00:00:00", "2026-01-04T17:00:00"),
        ("*/5 * * * *", "UTC", "2026-01-01T00:04:59", "2026-01-01T00:05:00"),
        # 02:30 is skipped in Berlin on 29 March and comes twice on 25 October: the window closes once each night.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T01:00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00", "2026-03-30T00:30:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00", "2026-10-25T00:30:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
        # Asked in the second of the two hours from two to three: 02:30 of the first is over.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00", "2026-10-26T01:30:00"),
        ("59 23 * * *", "Africa/Cairo", "2026-10-29T21:16:00", "2026-10-30T21:59:00"),
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:10:00", "2026-10-25T01:30:00"),
    ],
)
def test_the_next_moment_is_the_time_zones(cron, zone, after, due):
    assert a_schedule(cron=cron, time_zone=zone).next_after(moment(after)) == moment(due)


def test_a_moment_is_worked_out_once_however_many_schedules_are_asked_about_in_turn(monkeypatch):
    worked_out = []

    def a_minute_later(cron: str, since: datetime) -> Iterator[datetime]:
        worked_out.append(since)
        return iter([since + timedelta(minutes=1)])

    monkeypatch.setattr(cron, "CronSim", a_minute_later)
    for _ in range(3):
        for schedule in range(20_000):
            cron.next_moment("* * * * *", "Asia/Tokyo", schedule)
    assert len(worked_out) == 20_000


@pytest.mark.parametrize("cron", ["", "0 0 * *", "0 0 * * * *", "61 0 * * *", "0 0 31 2 *", "daily", "@daily"])
def test_what_is_no_cron_expression_is_refused(cron):
    with pytest.raises(ValidationError):
        Schedule(tree="A", cron=cron)


def test_the_ledger_says_when_a_schedule_was_set():
    state = State(0)
    claimed = a_schedule(payee="mobile", set_at=datetime(2020, 1, 1, tzinfo=UTC))
    entry = decided(state, set_schedule(claimed))
    assert (entry.book, entry.record.id) == ("schedules/A.mobile", "A.mobile")
    assert entry.record.value["set_at"] == "2026-01-01T00:00:00Z"


class _OneTree:
    """The shards of a worker that has one partition open."""

    def __init__(self, state: State) -> None:
        self._state = state

    def state(self, partition: int) -> State | None:
        return self._state if partition == 0 else None

    def tenure(self, partition: int) -> int:
        return 1

    async def decide(self, partition: int, asks: Sequence[Ask], *, tenure: int) -> list[Entry]:
        return [decided(self._state, ask.command, ask.at) for ask in asks]


class _Ticking:
    """A clock that goes on by a second whenever it is asked."""

    def __init__(self, at: str) -> None:
        self.at = moment(at)

    def now_ms(self) -> int:
        self.at += 1000
        return self.at


def asked(state: State, schedule: Schedule, now: str, partition: int = 0) -> WindowDue | None:
    clock = SettlementClock(Directory(), _OneTree(state), Clock(Path("/nowhere")), 1)  # type: ignore[arg-type]
    return next(iter(clock.due(schedule, partition, moment(now))), None)


def test_a_window_is_due_when_the_next_moment_after_the_last_closing_has_passed():
    state = a_tree()
    daily = a_schedule(payee="mobile", set_at=datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert asked(state, daily, "2026-01-01T23:59:59") is None
    due = asked(state, daily, "2026-01-02T00:00:00")
    assert due == window_due("mobile", 1, due_at=moment("2026-01-02T00:00:00"))
    decided(state, due, moment("2026-01-02T00:00:01"))
    assert asked(state, daily, "2026-01-02T23:00:00") is None
    # Nobody was there for three days: one window has them all.
    late = asked(state, daily, "2026-01-05T10:00:00")
    assert (late.number, late.due_at) == (2, moment("2026-01-03T00:00:00"))
    decided(state, late, moment("2026-01-05T10:00:00"))
    assert asked(state, daily, "2026-01-05T10:00:01") is None


def test_a_window_closed_late_in_an_hour_that_comes_twice_is_not_closed_again_every_second():
    state = a_tree()
    nightly = a_schedule(cron="30 2 * * *", time_zone="Europe/Berlin", set_at=datetime(2026, 10, 24, 12, tzinfo=UTC))
    late = asked(state, nightly, "2026-10-25T01:10:00")
    assert late == window_due(due_at=moment("2026-10-25T00:30:00"))
    decided(state, late, moment("2026-10-25T01:10:00"))
    assert asked(state, nightly, "2026-10-25T01:10:01") is None
    assert asked(state, nightly, "2026-10-25T01:30:00") is None


@pytest.mark.parametrize("schedules", [(None, "mobile", "water"), ("water", None, "mobile")])
async def test_payees_are_settled_before_the_tree_whose_window_has_it(schedules):
    state, directory = a_tree(), Directory()
    for payee in schedules:
        one = a_schedule(payee=payee, set_at=datetime(2026, 1, 1, 12, tzinfo=UTC))
        directory.apply("schedules", one.id, one.model_dump_json().encode())
    shards, clock = _OneTree(state), _Ticking("2026-01-01T23:59:55")
    settlement = SettlementClock(directory, shards, clock, 1)  # type: ignore[arg-type]
    closed = dict.fromkeys(("mobile", "water", ""), 0)
    while not all(closed.values()):
        await settlement.look()
        closed = {subject: state.books["A"].window(subject).first_entry - 1 for subject in closed}
    assert max(closed.values()) == closed[""]


def test_nothing_is_due_for_trees_of_others_nor_on_a_paused_schedule():
    state, now = a_tree(), "2026-02-01T00:00:00"
    assert asked(state, a_schedule("B"), now) is None
    assert asked(state, a_schedule(), now, partition=1) is None
    assert asked(state, a_schedule(is_paused=True), now) is None
    assert asked(state, a_schedule(), now) == window_due(due_at=moment("1970-01-02T00:00:00"))
