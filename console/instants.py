"""Instants as people type them."""

from __future__ import annotations

from datetime import datetime

from console.amounts import YEARS
from console.errors import BadInput
from console.signing import now


def instant(text: str | None) -> datetime:
    """RFC 3339 with its offset; None is now. Raises BadInput."""
    if text is None:
        return now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is not an instant: write 2026-01-02T19:00+03:00") from None
    if found.tzinfo is None:
        raise BadInput(f"{text!r} does not say in which zone: add an offset, such as +03:00 or Z")
    if found.year not in YEARS:
        raise BadInput(f"{text} is no instant of the years {YEARS[0]} to {YEARS[-1]}")
    return found
