"""What the terminals of the suite send: the fleet's messages, out of order, twice, late, and again much later."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import NamedTuple

from console.fleet_kinds import EXPECTED, Kind
from console.fleet_messages import FleetMessage, messages
from console.fleet_world import FleetPayee, World

_ENDLESS = 10**9
_LATE = timedelta(days=6)
_LATE_NUMBERS = 10**9  # late orders count on from here, and those for others from twice that: none shares a number
_REMEMBERED = 20_000

# Of a thousand good messages so many are sent again at once, are sent again later, are late, are overtaken by others.
AGAIN_AT_ONCE, AGAIN_LATER, LATE, HELD_BACK = 10, 15, 10, 25
# Of a thousand that are not late so many are for payees that are not simply asked (tests/chaos/other_payees.py).
_FOR_OTHERS = 90
OTHERWISE = "GOOD:otherwise"
_OVERTAKEN_BY = 300


class Sending(NamedTuple):
    """One message and its kind, with its manner, as the history has it."""

    kind: str
    message: FleetMessage


class Traffic:
    """Endless, and the same for the same world and seed. bad_bps: share of bad input, hundredths of a per cent.

    others: payees that get a share of their own.
    """

    def __init__(self, world: World, seed: int, bad_bps: int, others: Sequence[FleetPayee] = ()) -> None:
        self._rng = Random(seed + 1)
        self._usual = messages(world, seed, _ENDLESS, bad_bps)
        late = _numbered_from(world, _LATE_NUMBERS)
        self._late = messages(replace(late, at=world.at - _LATE), seed + 2, _ENDLESS, 0)
        self._has_others = bool(others)
        other = _numbered_from(world, 2 * _LATE_NUMBERS)
        self._other = messages(replace(other, payees=others), seed + 3, _ENDLESS, 0)
        self._remembered: list[FleetMessage] = []
        self._held_back: list[tuple[int, int, FleetMessage]] = []
        self._turn = 0

    def __iter__(self) -> Iterator[Sending]:
        while True:
            self._turn += 1
            while self._held_back and self._held_back[0][0] <= self._turn:
                yield Sending("GOOD:overtaken", heapq.heappop(self._held_back)[2])
            yield from self._next()

    def _next(self) -> Iterator[Sending]:
        pick = self._rng.randrange(1_000)
        if pick < AGAIN_LATER and self._remembered:
            yield Sending("REPEAT:much later", _again(self._rng.choice(self._remembered)))
            return
        pick -= AGAIN_LATER
        message, manner = self._new(is_late=0 <= pick < LATE)
        if message.kind is not Kind.GOOD:
            yield Sending(message.kind.name, message)
            return
        self._remember(message)
        pick -= LATE
        if 0 <= pick < HELD_BACK:
            overtaken_by = self._rng.randint(1, _OVERTAKEN_BY)
            heapq.heappush(self._held_back, (self._turn + overtaken_by, self._turn, message))
            return
        yield Sending(manner, message)
        if 0 <= pick - HELD_BACK < AGAIN_AT_ONCE:
            yield Sending("REPEAT:at once", _again(message))

    def _new(self, *, is_late: bool) -> tuple[FleetMessage, str]:
        if is_late:
            return next(self._late), "GOOD:late"
        if self._has_others and self._rng.randrange(1_000) < _FOR_OTHERS:
            return next(self._other), OTHERWISE
        return next(self._usual), "GOOD"

    def _remember(self, message: FleetMessage) -> None:
        """An even choice of all so far would need their number; an old one makes room for each new one."""
        if len(self._remembered) < _REMEMBERED:
            self._remembered.append(message)
        else:
            self._remembered[self._rng.randrange(_REMEMBERED)] = message


def _numbered_from(world: World, number: int) -> World:
    """The same terminals, which go on with numbers that none of them has used."""
    return replace(
        world, terminals=[replace(one, first_number=one.first_number + number) for one in world.terminals]
    )  # fmt: skip


def _again(message: FleetMessage) -> FleetMessage:
    return replace(message, kind=Kind.REPEAT, expected=EXPECTED[Kind.REPEAT])
