"""Alerts about registries: told once when one is late or its payee silent, and once when it is over."""

from __future__ import annotations

from schemas.alert import AlertKind
from schemas.registry import registry_book
from streams.open_alerts import OpenAlerts
from streams.watch_registries import registries_late
from tests.builders import AT
from tests.builders_offline import FIRST, Offices, answer, registry_delivered, registry_due
from tests.test_offline import queued

HOUR, DAY = 3_600_000, 86_400_000
BOOK = registry_book("water")


def told(world: Offices, opened: OpenAlerts, at: int) -> list[tuple[AlertKind, bool, int]]:
    alerts = registries_late(opened, world.states[BOOK], at, HOUR, 3 * DAY)
    assert all(one.subject == "water" and "9161234567" not in one.text for one in alerts)
    return [(one.kind, one.over, one.count) for one in alerts]


def test_a_registry_that_is_not_delivered_is_told_once_and_when_it_is():
    world, opened = queued(2), OpenAlerts()
    world.ask(registry_due())
    cut_at = world.at
    assert told(world, opened, cut_at + HOUR - 1) == []
    assert told(world, opened, cut_at + HOUR) == [(AlertKind.REGISTRY_LATE, False, 1)]
    assert told(world, opened, cut_at + 2 * HOUR) == []
    world.ask(registry_delivered())
    assert told(world, opened, cut_at + 2 * HOUR) == [(AlertKind.REGISTRY_LATE, True, 1)]


def test_a_payee_that_does_not_answer_every_line_is_told_until_it_has():
    world, opened = queued(2), OpenAlerts()
    world.ask(registry_due())
    world.ask(registry_delivered())
    world.ask(answer((FIRST, 95_000, True), id="one"))
    assert told(world, opened, AT + 2 * DAY) == []
    assert told(world, opened, AT + 4 * DAY) == [(AlertKind.REGISTRY_UNANSWERED, False, 1)]
    world.ask(answer((FIRST + 1, 95_000, False), id="two"))
    assert told(world, opened, AT + 4 * DAY) == [(AlertKind.REGISTRY_UNANSWERED, True, 1)]


def test_an_empty_registry_that_is_delivered_is_nobodys_to_answer():
    world, opened = queued(0), OpenAlerts()
    world.ask(registry_due())
    world.ask(registry_delivered())
    assert told(world, opened, AT + 30 * DAY) == []
