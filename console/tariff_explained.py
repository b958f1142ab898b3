"""Why a payment costs what it costs: each rule's part in the choice, and all the arithmetic. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from console.amounts import percentage
from schemas.price import Fee, Prices, Rate
from schemas.tariff import Tariff
from schemas.week import week_minute
from streams.ledger.tariff_choice import Choice, Conditions, Narrowness

# In the order of Narrowness.
_WIDER = ("for more agents", "valid longer", "on more weekdays", "for longer in a day", "for more amounts")


class Part(NamedTuple):
    """What one rule has to do with it. verdict: "wins", "holds, but is …" or "no: …"."""

    rule: str
    verdict: str
    narrowness: Narrowness


class Sum(NamedTuple):
    """One line of the arithmetic; `how` it came to `minor` units."""

    what: str
    how: str
    minor: int


def parts(tariff: Tariff, agent: str, amount: int, at: int) -> list[Part]:
    """Every rule, narrowest first. agent: "<tree>/<agent>"; amount: minor units; at: ms UTC."""
    choice = Choice(tariff)
    winner = choice.of(agent, amount, at)
    return [Part(one.name, _verdict(one, winner, tariff, agent, amount, at), one.narrowness) for one in choice.rules]


def _verdict(one: Conditions, winner: Conditions | None, tariff: Tariff, agent: str, amount: int, at: int) -> str:
    if one.members is not None and agent not in one.members:
        return "no: for other agents"
    if not one.low <= amount < one.high:
        return "no: for other amounts"
    if not one.since <= at < one.until:
        return "no: not valid yet" if at < one.since else "no: no longer valid"
    if one.week is not None and not one.week[week_minute(at, tariff.time_zone)]:
        return "no: at other times"
    assert winner is not None, "a rule that holds was passed over"
    if one.name == winner.name:
        return "wins"
    differs = next(place for place, mine in enumerate(one.narrowness) if mine != winner.narrowness[place])
    return f"holds, but is {_WIDER[differs]}"


def arithmetic(prices: Prices, amount: int, line: Sequence[str], payer: str) -> list[Sum] | None:
    """Every sum of the payment. line: the agent, then those above it. None: no fee fits the amount."""
    fee = prices.fee.on_top(amount)
    if fee is None:
        return None
    total, processing, reward = amount + fee, prices.processing.of(amount), prices.reward.of(amount)
    found = [
        Sum("amount", "what the payee receives", amount),
        Sum("fee", _fee_how(prices.fee, total), fee),
        Sum("put in", "amount and fee", total),
        Sum(
            "processing",
            _how(prices.processing, amount, amount * prices.processing.rate_bps, 10_000, "down"),
            processing,
        ),
        Sum(f"held of {payer}", "amount and processing", amount + processing),
        Sum(f"cash kept by {line[0]}", "fee less processing", fee - processing),
        Sum("reward", _how(prices.reward, amount, amount * prices.reward.rate_bps, 10_000, "down"), reward),
    ]
    rest = reward
    for agent, bps in zip(line, prices.reward_shares_bps, strict=False):
        share = reward * bps // 10_000
        rest -= share
        found.append(
            Sum(f"of it {agent}", f"{percentage(bps)}: {_quotient(reward * bps, 10_000)}, rounded down", share)
        )
    return [*found, Sum("of it the operator", "the rest, with every remainder", rest)]


def _fee_how(fee: Fee, total: int) -> str:
    if fee.base == "collected":
        return _how(fee, total, total * fee.rate_bps, 10_000, "down")
    return _how(fee, total, total * fee.rate_bps, 10_000 + fee.rate_bps, "up")


def _how(rate: Rate, of: int, dividend: int, divisor: int, rounding: str) -> str:
    """In minor units."""
    if not rate.rate_bps:
        return "one sum" if rate.min_minor else "none"
    words = f"{of} × {rate.rate_bps} / {divisor} = {_quotient(dividend, divisor)}"
    if dividend % divisor:
        words += f", rounded {'to halves' if rate.rounding == 'half' else rate.rounding or rounding}"
    if rate.min_minor:
        words += f", at least {rate.min_minor}"
    return words if rate.max_minor is None else f"{words}, at most {rate.max_minor}"


def _quotient(dividend: int, divisor: int) -> str:
    whole, left = divmod(dividend, divisor)
    return f"{whole} {left}/{divisor}" if left else str(whole)
