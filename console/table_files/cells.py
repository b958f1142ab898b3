"""What a cell may hold, and numbers as their owner sees them: decimal text, never a binary float."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException

from streams.spreadsheet import FORMULA

LONGEST = 1_000

CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Fifteen digits are what a spreadsheet keeps and shows. Behind the fifteenth is binary noise: 0.1 + 0.2 is stored as
# 0.30000000000000004 and shown as 0.3.
_DIGITS = 15
_AS_SHOWN = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN)
_MOST_PLACES = 20


class BadCell(Exception):
    """Why a cell cannot be used, and what can be done: the two arguments."""

    def __init__(self, wrong: str, todo: str = "") -> None:
        super().__init__(wrong, todo)
        self.wrong = wrong
        self.todo = todo


def checked(text: str) -> str:
    """The text of a cell without spaces around it. Raises BadCell."""
    text = text.strip()
    if len(text) > LONGEST:
        raise BadCell(f"has {len(text):,} characters; a cell has at most {LONGEST:,}")
    if not text.isprintable() and CONTROLS.search(text):
        raise BadCell("has a control character", "type the cell anew")
    return text


def guarded(text: str) -> str:
    """The text as a cell of CSV that no spreadsheet evaluates: an apostrophe in front makes it text."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def unguarded(text: str) -> str:
    """The way back: without the apostrophe that `guarded` put there."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def number(text: str) -> str:
    """A spreadsheet's number as plain decimal text: "7.9161234567E10" → "79161234567". Raises BadCell.

    A whole number beyond fifteen digits has lost some of them before it came here, so it is refused.
    """
    if len(text) <= _DIGITS and text.isascii() and text.isdigit():
        return text
    try:
        exact = Decimal(text)
    except DecimalException:
        raise BadCell(f"{text[:40]!r} is not a number") from None
    if not exact.is_finite():
        raise BadCell(f"{text[:40]!r} is not a number")
    if exact.adjusted() >= _DIGITS:
        raise BadCell("is a number of more than 15 digits, which a spreadsheet does not keep", "type it as text")
    shown = _AS_SHOWN.plus(exact)
    if not shown:
        return "0"
    if shown.adjusted() < -_MOST_PLACES:
        raise BadCell(f"{text[:40]!r} is too small a number", "type it as text")
    plain = format(shown, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def in_digits(plain: str, count: int) -> str:
    """A number as a format shows it that has so many digits before the point at least: "123456", 10 → "0000123456"."""
    whole, point, places = plain.partition(".")
    return f"{whole.zfill(count + whole.startswith('-'))}{point}{places}"
