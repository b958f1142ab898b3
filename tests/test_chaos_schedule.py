"""The faults of a run are drawn from its seed, and every kind has its turn."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace
from typing import cast

from tests.chaos.cable import Cable
from tests.chaos.schedule import lanes
from tests.chaos.site import Site

_WORKERS = ["worker-1", "worker-2"]
# What faults look at when they are drawn; nothing of it runs.
_SITE = cast(
    Site,
    SimpleNamespace(
        workers=_WORKERS,
        to_brokers={name: cast(list[Cable], [f"{name} to broker-{node}" for node in (1, 2, 3)]) for name in _WORKERS},
        disks={"snapshots": None, "warehouse": None},
    ),
)


def _drawn(seed: int, count: int) -> list[tuple[str, float, str, float]]:
    return [
        (lane.part, rest_s, str(fault), fault.holds_for_s)
        for lane in lanes(_SITE)
        for rest_s, fault in islice(lane.faults(_SITE, seed), count)
    ]


def test_the_same_seed_draws_the_same_faults() -> None:
    assert _drawn(7, 50) == _drawn(7, 50)
    assert _drawn(7, 50) != _drawn(8, 50)


def test_every_kind_has_its_turn_before_any_has_a_second() -> None:
    for lane in lanes(_SITE):
        kinds = [fault.kind for _, fault in islice(lane.faults(_SITE, 7), len(lane.kinds))]
        assert len(set(kinds)) == len(lane.kinds), lane.part


def test_only_one_lane_touches_brokers_so_that_two_are_never_down_at_once() -> None:
    touching = {part for part, _, name, _ in _drawn(7, 50) if name.startswith(("broker-", "leader-"))}
    assert touching == {"brokers"}


def test_one_part_can_be_chosen() -> None:
    assert {lane.part for lane in lanes(_SITE, "payees")} == {"payees", "payees' line"}
