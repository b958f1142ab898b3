"""A tariff's prices and rules in words."""

from __future__ import annotations

from console.amounts import percentage
from schemas.money import Money
from schemas.tariff import Fee, Rate, TariffRule


def amount_words(minor: int, currency: str | None) -> str:
    return str(Money(minor, currency)) if currency else f"{minor} minor units"


def rate_words(rate: Rate, currency: str | None) -> str:
    """ "2%, at least 5.00", or the one sum that it is."""
    if not rate.rate_bps and rate.min_minor:
        return amount_words(rate.min_minor, currency)
    floor = f", at least {amount_words(rate.min_minor, currency)}" if rate.min_minor else ""
    ceiling = f", at most {amount_words(rate.max_minor, currency)}" if rate.max_minor is not None else ""
    rounding = f", rounded {'to halves' if rate.rounding == 'half' else rate.rounding}" if rate.rounding else ""
    base = f" of the {rate.base}" if isinstance(rate, Fee) else ""
    return percentage(rate.rate_bps) + base + floor + ceiling + rounding


def scope_words(rule: TariffRule) -> str:
    return rule.agent or (f"group {rule.group}" if rule.group else "everyone")


def when_words(rule: TariffRule) -> str:
    """Validity, weekdays and time band; "always"."""
    since = f"from {rule.valid_from:%Y-%m-%d %H:%M%z}" if rule.valid_from else ""
    until = f"until {rule.valid_until:%Y-%m-%d %H:%M%z}" if rule.valid_until else ""
    band = f"{rule.time_from}-{rule.time_to}" if rule.time_from else ""
    return " ".join(part for part in (" ".join(rule.weekdays), band, since, until) if part) or "always"


def amounts_words(rule: TariffRule, currency: str | None) -> str:
    low = f"from {amount_words(rule.amount_from, currency)}" if rule.amount_from else ""
    high = f"below {amount_words(rule.amount_to, currency)}" if rule.amount_to is not None else ""
    return " ".join(part for part in (low, high) if part) or "any"


def prices_words(rule: TariffRule, currency: str | None) -> str:
    """What it changes."""
    found = [
        f"{name} {rate_words(rate, currency)}"
        for name, rate in (("fee", rule.fee), ("processing", rule.processing), ("reward", rule.reward))
        if rate is not None
    ]
    if rule.reward_shares_bps is not None:
        found.append("shares " + (", ".join(map(percentage, rule.reward_shares_bps)) or "none"))
    return "; ".join(found) or "nothing: the tariff's own"
