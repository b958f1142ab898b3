"""Numbers as people type them: amounts in major units, percentages, days, field=value pairs. No floats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

from console.errors import BadInput
from schemas.money import MAX_MINOR, Money, MoneyError

_LONGEST = 20
# What a calendar day or an instant may be: beyond them a zone's midnight has no date, and ClickHouse no number.
YEARS = range(1970, 2200)
_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,2}))?\s?%", re.ASCII)


def minor_units(text: str, currency: str) -> int:
    """ "950.00" RUB -> 95000. Raises MoneyError, also for more than the largest single amount."""
    if len(text) > _LONGEST:
        raise MoneyError(f"{text[:_LONGEST]}… is longer than any amount")
    amount = Money.parse(text, currency).minor
    if amount > MAX_MINOR:
        raise MoneyError(f"{text} {currency} is above the largest single amount, {Money(MAX_MINOR, currency)}")
    return amount


def basis_points(text: str) -> int:
    """ "5%" -> 500, "0.5%" -> 50; a hundredth of a per cent is the finest there is. Raises BadInput."""
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise BadInput(f"{text!r} is not a percentage: write 5% or 0.25%, with at most two decimals")
    rate_bps = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    if rate_bps > 10_000:
        raise BadInput(f"{text} is more than 100%")
    return rate_bps


def percentage(rate_bps: int) -> str:
    """500 -> "5%", 50 -> "0.5%"."""
    whole, part = divmod(rate_bps, 100)
    return f"{whole}.{part:02}".rstrip("0").rstrip(".") + "%"


def calendar_day(text: str) -> date:
    """ "2026-11-23" as a date. Raises BadInput."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is not a day: write YYYY-MM-DD, such as 2026-11-23") from None
    if found.year not in YEARS:
        raise BadInput(f"{text} is no day of the years {YEARS[0]} to {YEARS[-1]}")
    return found


def named_values(texts: Iterable[str]) -> dict[str, str]:
    """ "name=value" texts as a mapping. Raises BadInput."""
    values: dict[str, str] = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name:
            raise BadInput(f"{text!r} is not name=value")
        if name in values:
            raise BadInput(f"{name!r} is given twice")
        values[name] = value
    return values


def subscriber_fields(first: str, number: str, others: Mapping[str, str]) -> dict[str, str]:
    """The payee's fields, of which the first has the subscriber's number. Raises BadInput where `others` has it too:
    one of two numbers would be paid, and the other was shown."""
    if first in others:
        raise BadInput(f"{first!r} is given twice: it is the subscriber's number")
    return {first: number, **others}
