"""Which fault hits which part when: lanes, each with its own random numbers from the seed.

Within a lane one fault follows another; lanes overlap. So a part is never hit by two faults that would hide each
other, and never are two brokers down at once, with which nothing can be promised.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TextIO

from tests.chaos import broker_faults, network_faults, payee_faults, process_faults, store_faults
from tests.chaos.fault import Fault
from tests.chaos.site import SINK, Site

Draw = Callable[[Site, str, Random], Fault]

_WORKER: tuple[Draw, ...] = (
    process_faults.Kill,
    process_faults.Freeze,
    process_faults.Stop,
    process_faults.WrongClock,
    network_faults.WorkerCut,
    network_faults.WorkerCutFromOne,
    network_faults.WorkerSlow,
)
_SINK: tuple[Draw, ...] = (process_faults.Kill, process_faults.Freeze)
_BROKERS: tuple[Draw, ...] = (
    broker_faults.BrokerKill,
    broker_faults.BrokerFreeze,
    broker_faults.LeaderKill,
    broker_faults.LeaderMove,
)
_WAREHOUSE: tuple[Draw, ...] = (
    store_faults.WarehouseKill,
    store_faults.WarehouseFreeze,
    store_faults.WarehouseErrors,
    store_faults.WarehouseMute,
)
_PAYEES: tuple[Draw, ...] = (
    payee_faults.PayeeTakesAndTimesOut,
    payee_faults.PayeeHangs,
    payee_faults.PayeeFlaps,
    payee_faults.PayeeTalksGarbage,
    payee_faults.PayeesCrash,
)
_PAYEES_LINE: tuple[Draw, ...] = (
    network_faults.PayeesCut,
    network_faults.PayeesMute,
    network_faults.PayeesSlow,
)


@dataclass(frozen=True)
class Lane:
    """Faults that take turns on one part. gap_s: the shortest and longest rest before each, seconds."""

    part: str
    kinds: Sequence[Draw]
    gap_s: tuple[float, float]

    def faults(self, site: Site, seed: int) -> Iterator[tuple[float, Fault]]:
        """(rest before it in seconds, fault), without end. Every kind has its turn before any has a second."""
        rng = Random(f"{seed}/{self.part}")
        while True:
            for kind in rng.sample(self.kinds, len(self.kinds)):
                yield rng.uniform(*self.gap_s), kind(site, self.part, rng)


def lanes(site: Site, only: str = "") -> list[Lane]:
    """Every lane this site allows. only: a part of a lane's name; the rest are left out."""
    found = [Lane(worker, _WORKER, (5.0, 15.0)) for worker in site.workers]
    found += [
        Lane(SINK, _SINK, (8.0, 20.0)),
        Lane("brokers", _BROKERS, (8.0, 20.0)),
        Lane("warehouse", _WAREHOUSE, (8.0, 20.0)),
        Lane("payees", _PAYEES, (3.0, 10.0)),
        Lane("payees' line", _PAYEES_LINE, (8.0, 20.0)),
    ]
    found += [_disk(what) for what in site.disks]
    return [lane for lane in found if only in lane.part]


def _disk(what: str) -> Lane:
    def full(site: Site, _: str, rng: Random) -> Fault:
        return store_faults.DiskFull(site, what, rng)

    return Lane(f"disk of {what}", (full,), (15.0, 40.0))


class Timeline:
    """What was done when, on the screen and in a file, and how often each kind."""

    def __init__(self, file: TextIO) -> None:
        self.kinds: Counter[str] = Counter()
        self._file = file
        self._began_s = time.monotonic()
        self._lock = threading.Lock()

    def say(self, what: str) -> None:
        with self._lock:
            line = f"t+{time.monotonic() - self._began_s:.1f}s {what}"
            print(line, flush=True)
            print(line, file=self._file, flush=True)

    def begin(self, fault: Fault) -> None:
        self.say(f"begin {fault}")

    def end(self, fault: Fault) -> None:
        with self._lock:
            self.kinds[fault.kind] += 1
        self.say(f"end   {fault}")


class Storm:
    """All lanes at once, each in its own thread, from `begin` to `end`."""

    def __init__(self, site: Site, seed: int, timeline: Timeline, only: str = "", rest: float = 1) -> None:
        """rest: how many times longer than usual a part is left alone between two faults."""
        self._rest = rest
        self._site = site
        self._timeline = timeline
        self._over = threading.Event()
        self.problems: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(lane, lane.faults(site, seed)), name=lane.part)
            for lane in lanes(site, only)
        ]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Heal every fault that is there; returns when all lanes are at rest."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, lane: Lane, faults: Iterator[tuple[float, Fault]]) -> None:
        for rest_s, fault in faults:
            if self._over.wait(rest_s * self._rest):
                return
            for name in self._site.revive_ended([lane.part]):
                self._timeline.say(f"note  {name} had ended by itself; started again")
            try:
                self._timeline.begin(fault)
                fault.begin()
                self._over.wait(fault.holds_for_s)
                fault.end()
                self._timeline.end(fault)
            except Exception as error:  # noqa: BLE001 - a fault that cannot be had is told, and fails the run
                self.problems.append(f"{fault}: {type(error).__name__}: {error}")
                self._timeline.say(f"error {self.problems[-1]}")
                return
