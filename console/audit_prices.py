"""What a payment costs by a tariff, worked out again: slowly, with fractions and calendars, and nothing of the core's.

The audit, the fault suite's model and the tests judge the core by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.ids import ms_instant
from schemas.money import MAX_MINOR
from schemas.tariff import Fee, Prices, Rate, Tariff, TariffRule

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class Worked(NamedTuple):
    """rule: "" where the tariff's own prices hold. Minor units; fee: within amount and stated fee."""

    rule: str
    fee: int
    processing: int
    rewards: tuple[tuple[str, int], ...]


def worked_out(tariff: Tariff, line: Sequence[str], tree: str, amount: int, fee: int, at: int) -> Worked:
    """line: the paying agent's id, then those above it. at: the time whose rules hold, ms UTC."""
    best = winners(tariff, f"{tree}/{line[0]}", amount, at) if line else []
    rule = best[0] if best else None
    prices = prices_by(tariff, rule)
    return Worked(
        rule.name if rule is not None else "",
        fee_in(amount + fee, prices.fee),
        part(amount, prices.processing),
        _rewards(prices, amount, line),
    )


def winners(tariff: Tariff, path: str, amount: int, at: int) -> list[TariffRule]:
    """The narrowest of the rules that hold; more than one: they tie. at: ms UTC."""
    moment = ms_instant(at)
    local = moment.astimezone(ZoneInfo(tariff.time_zone))
    holding = [rule for rule in tariff.rules if _holds(rule, tariff, path, amount, moment, local)]
    narrowest = min((breadth(rule) for rule in holding), default=None)
    return [rule for rule in holding if breadth(rule) == narrowest]


def prices_by(tariff: Tariff, rule: TariffRule | None) -> Prices:
    """The rule's prices, the tariff's own where it has none."""
    own = {name: getattr(tariff, name) for name in Prices.model_fields}
    if rule is not None:
        own |= {name: value for name in own if (value := getattr(rule, name)) is not None}
    return Prices(**own)


def _holds(
    rule: TariffRule, tariff: Tariff, path: str, amount: int, moment: datetime, local: datetime
) -> bool:  # fmt: skip
    if rule.agent is not None and rule.agent != path:
        return False
    if rule.group is not None and path not in tariff.groups[rule.group]:
        return False
    if amount < rule.amount_from or (rule.amount_to is not None and amount >= rule.amount_to):
        return False
    if moment < (rule.valid_from or _FIRST) or (rule.valid_until is not None and moment >= rule.valid_until):
        return False
    days, today = rule.weekdays or _DAYS, local.weekday()
    if rule.time_from is None or rule.time_to is None:
        return _DAYS[today] in days
    time = f"{local:%H:%M}"
    if rule.time_from < rule.time_to:
        return _DAYS[today] in days and rule.time_from <= time < rule.time_to
    return (_DAYS[today] in days and time >= rule.time_from) or (_DAYS[today - 1] in days and time < rule.time_to)


@lru_cache(maxsize=10_000)
def _minutes(time_from: str | None, time_to: str | None) -> int:
    """How long the band is."""
    if time_from is None or time_to is None:
        return 1_440
    begins, ends = (int(time[:2]) * 60 + int(time[3:]) for time in (time_from, time_to))
    return ends - begins if ends > begins else ends - begins + 1_440


def breadth(rule: TariffRule) -> tuple[int, Fraction, int, int, int]:
    """The less, the narrower: whom it is for, how long it is valid, weekdays, minutes of the day, amounts."""
    scope = 0 if rule.agent is not None else 1 if rule.group is not None else 2
    ends = rule.valid_until or _LAST
    lasts = ends - (rule.valid_from or _FIRST)
    amounts = (rule.amount_to or MAX_MINOR + 1) - rule.amount_from
    days = len(rule.weekdays) or 7
    seconds = lasts.days * 86_400 + lasts.seconds
    return scope, seconds + Fraction(lasts.microseconds, 10**6), days, _minutes(rule.time_from, rule.time_to), amounts


def part(amount: int, rate: Rate) -> int:
    """A percentage, not less than the floor and not more than the ceiling."""
    return _within_bounds(Fraction(amount * rate.rate_bps, 10_000), rate, rate.rounding or "down")


def fee_in(total: int, fee: Fee) -> int:
    """The fee in everything that was put in: s·r, or s − s/(1+r)."""
    if fee.base == "collected":
        return part(total, fee)
    exact = total - Fraction(total) / (1 + Fraction(fee.rate_bps, 10_000))
    return _within_bounds(exact, fee, fee.rounding or "up")


def _within_bounds(exact: Fraction, rate: Rate, rounding: str) -> int:
    whole = {"down": floor(exact), "up": ceil(exact), "half": floor(exact + Fraction(1, 2))}[rounding]
    whole = max(whole, rate.min_minor)
    return whole if rate.max_minor is None else min(whole, rate.max_minor)


def _rewards(prices: Prices, amount: int, line: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Each agent's share rounds down; what is left is the operator's."""
    total = rest = part(amount, prices.reward)
    found = []
    for agent, bps in zip(line, prices.reward_shares_bps, strict=False):
        share = floor(Fraction(total * bps, 10_000))
        rest -= share
        found.append((f"agent:{agent}", share))
    return tuple((account, share) for account, share in (*found, ("reward", rest)) if share)
