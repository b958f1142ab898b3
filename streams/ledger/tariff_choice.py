"""Which of a tariff's rules a payment is priced by: the narrowest that holds. The order of narrowness is here alone.

A tariff is prepared once, when its first payment comes, and kept as long as the record is the same object.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from schemas.ids import instant_ms
from schemas.money import MAX_MINOR
from schemas.tariff import Prices, Tariff, TariffRule
from schemas.week import DAY, WEEK, WEEKDAYS, clock_minute, minutes_of, week_minute

_EVER_MS = 253_402_300_800_000  # the year 10000, where instants of a tariff end
_KEPT = 1_000  # tariffs prepared at a time, and of each what was found


class Narrowness(NamedTuple):
    """Compared from left to right, the smaller is the narrower.

    scope: 0 an agent, 1 a group, 2 everyone. validity: ms; without an end it lasts to the year 10000, so of two such
    the one that begins later is narrower. days: how many weekdays. minutes: of the day. amounts: how many, minor units.
    """

    scope: int
    validity: int
    days: int
    minutes: int
    amounts: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """A rule, prepared. members: "<tree>/<agent>", None: everyone. since <= at < until, ms UTC. low <= amount < high,

    minor units. week: a byte for each minute of the week, 1 where the rule holds; None: always. prices: its own,
    filled up with the tariff's.
    """

    name: str
    members: frozenset[str] | None
    since: int
    until: int
    stretches: tuple[tuple[int, int], ...]
    week: bytes | None
    low: int
    high: int
    narrowness: Narrowness
    prices: Prices

    def holds(self, agent: str, amount: int, minute: int) -> bool:
        """For this agent and amount, at this minute of the week; validity is another question."""
        return (
            (self.members is None or agent in self.members)
            and self.low <= amount < self.high
            and (self.week is None or self.week[minute] == 1)
        )


class Choice:
    """A tariff, prepared for choosing.

    Rules change only at the ends of amount bands and of stretches of the week; between two of these the same ones hold.
    Which they are for an agent is looked up once, and kept.
    """

    __slots__ = ("_amounts", "_found", "_minutes", "_named", "rules", "tariff")

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        self.rules = sorted((_prepared(tariff, rule) for rule in tariff.rules), key=lambda one: one.narrowness)
        self._named = {agent for one in self.rules for agent in one.members or ()}
        self._amounts = sorted({end for one in self.rules for end in (one.low, one.high)})
        self._minutes = sorted(
            {end for one in self.rules if one.week is not None for stretch in one.stretches for end in stretch}
        )
        self._found: dict[tuple[str, int, int], list[Conditions]] = {}

    def of(self, agent: str, amount: int, at: int) -> Conditions | None:
        """The rule for a payment of this agent ("<tree>/<agent>") of this amount (minor units) at this time (ms UTC).

        None: no rule holds, so the tariff's own prices do.
        """
        minute = week_minute(at, self.tariff.time_zone) if self._minutes else 0
        who = agent if agent in self._named else ""
        key = who, bisect_right(self._amounts, amount), bisect_right(self._minutes, minute)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _KEPT:
                self._found.clear()
            found = self._found[key] = [one for one in self.rules if one.holds(who, amount, minute)]
        for one in found:
            if one.since <= at < one.until:
                return one
        return None


def choice_of(tariff: Tariff) -> Choice:
    """The tariff, prepared, once for all payments that are given this very record."""
    found = _choices.get(id(tariff))
    if found is None or found.tariff is not tariff:
        if len(_choices) >= _KEPT:
            _choices.clear()
        found = _choices[id(tariff)] = Choice(tariff)
    return found


_choices: dict[int, Choice] = {}  # each keeps its tariff alive, so no other can have its id


def agent_path(tree: str, agent: str) -> str:
    """An agent as tariffs name it."""
    return f"{tree}/{agent}"


def _prepared(tariff: Tariff, rule: TariffRule) -> Conditions:
    since = instant_ms(rule.valid_from) if rule.valid_from is not None else 0
    until = instant_ms(rule.valid_until) if rule.valid_until is not None else _EVER_MS
    high = rule.amount_to if rule.amount_to is not None else MAX_MINOR + 1
    begins, ends = clock_minute(rule.time_from or "00:00"), clock_minute(rule.time_to or "24:00")
    stretches = minutes_of(rule.weekdays or WEEKDAYS, begins, ends)
    scope, members = _scope(tariff, rule)
    return Conditions(
        name=rule.name,
        members=members,
        since=since,
        until=until,
        stretches=tuple(sorted(stretches)),
        week=_week(stretches),
        low=rule.amount_from,
        high=high,
        narrowness=Narrowness(
            scope, until - since, len(rule.weekdays or WEEKDAYS), (ends - begins - 1) % DAY + 1, high - rule.amount_from
        ),
        prices=_prices(tariff, rule),
    )


def _scope(tariff: Tariff, rule: TariffRule) -> tuple[int, frozenset[str] | None]:
    if rule.agent is not None:
        return 0, frozenset((rule.agent,))
    return (1, frozenset(tariff.groups[rule.group])) if rule.group is not None else (2, None)


def _week(stretches: list[tuple[int, int]]) -> bytes | None:
    week = bytearray(WEEK)
    for first, end in stretches:
        week[first:end] = b"\1" * (end - first)
    return bytes(week) if 0 in week else None


def _prices(tariff: Tariff, rule: TariffRule) -> Prices:
    shares = rule.reward_shares_bps
    return Prices(
        fee=tariff.fee if rule.fee is None else rule.fee,
        processing=tariff.processing if rule.processing is None else rule.processing,
        reward=tariff.reward if rule.reward is None else rule.reward,
        reward_shares_bps=tariff.reward_shares_bps if shares is None else shares,
    )
