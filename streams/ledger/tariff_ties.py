"""Two rules of a tariff that are equally narrow and could both hold: found when the tariff is set, not at a payment."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, groupby
from typing import NamedTuple

from schemas.tariff import Tariff
from schemas.week import MINUTE_MS, WEEK, offset_ms, wall_time
from streams.ledger.tariff_choice import Choice, Conditions

_DAY_MS = 86_400_000
_WEEK_MS = WEEK * MINUTE_MS
_MONDAY_MS = 3 * _DAY_MS  # the epoch was a Thursday
# No payment is made before or after these; and zones have no time there, whatever a rule's validity says.
_FIRST_MS, _LAST_MS = 0, 253_402_300_800_000 - 2 * _DAY_MS
_LOOK_MS = 22 * _DAY_MS  # three weeks and a day: each minute of the week comes twice, should clocks skip it once


class Tie(NamedTuple):
    """Both rules would hold for a payment of `agent` ("": anyone's) of `amount` (minor units) at `at` (ms UTC)."""

    first: str
    second: str
    agent: str
    amount: int
    at: int

    def sentence(self, zone: str) -> str:
        """What to tell who wrote the tariff."""
        whose = f"agent {self.agent}" if self.agent else "any agent"
        return (
            f"rules {self.first} and {self.second} tie: both would hold, and neither is narrower, for a payment of "
            f"{self.amount} minor units by {whose} on {wall_time(self.at, zone)}"
        )


def first_tie(tariff: Tariff, at: int) -> Tie | None:
    """A pair of rules between which a payment could not choose, from now on (at, ms UTC) or ever; None: there is none.

    What `at` is changes the example only, not whether there is one.
    """
    rules = Choice(tariff).rules  # sorted, so the equally narrow ones stand together
    for _, alike in groupby(rules, key=lambda rule: rule.narrowness):
        for first, second in combinations(alike, 2):
            tie = _tie(first, second, tariff.time_zone, at)
            if tie is not None:
                return tie
    return None


def _tie(first: Conditions, second: Conditions, zone: str, now: int) -> Tie | None:
    amount = max(first.low, second.low, 1)
    if amount >= min(first.high, second.high):
        return None
    if first.members is None or second.members is None:
        agent = ""  # equally narrow: then neither names anyone
    else:
        both = first.members & second.members
        if not both:
            return None
        agent = min(both)
    since, until = max(first.since, second.since, _FIRST_MS), min(first.until, second.until, _LAST_MS)
    stretches = list(_common(first.stretches, second.stretches))
    at = _first_moment(stretches, max(since, now), until, zone)
    if at is None:
        at = _first_moment(stretches, since, until, zone)
    return Tie(first.name, second.name, agent, amount, at) if at is not None else None


def _first_moment(stretches: list[tuple[int, int]], since: int, until: int, zone: str) -> int | None:
    """The first of these minutes of the week in since <= at < until, ms UTC. While clocks run on it is arithmetic."""
    if not stretches:
        return None
    for begins, ends, ahead in _between_changes(since, min(until, since + _LOOK_MS), zone):
        local = begins + ahead + _MONDAY_MS
        monday = local - local % _WEEK_MS
        moments = [
            max(week + low * MINUTE_MS, local)
            for week in (monday, monday + _WEEK_MS)
            for low, high in stretches
            if week + high * MINUTE_MS > local
        ]
        found = min(moments) - local + begins
        if found < ends:
            return found
    return None


def _common(ours: tuple[tuple[int, int], ...], theirs: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    for first, end in ours:
        for other_first, other_end in theirs:
            if max(first, other_first) < min(end, other_end):
                yield max(first, other_first), min(end, other_end)


def _between_changes(since: int, until: int, zone: str) -> Iterator[tuple[int, int, int]]:
    """(begins, ends, how far ahead of UTC), ms: stretches in which the zone's clocks were not changed."""
    begins = since
    while begins < until:
        ahead = offset_ms(begins, zone)
        ends = min(begins + _DAY_MS, until)
        if offset_ms(ends, zone) != ahead:
            low, high = begins, ends  # the change is in (low, high]
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_ms(middle, zone) == ahead else (low, middle)
            ends = min(high, until)
        yield begins, ends, ahead
        begins = ends
