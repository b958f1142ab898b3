"""Alerts about cash: a terminal had less in it than its payments put in (SHORTAGE). It happens, and is never over."""

from __future__ import annotations

from schemas.alert import Alert, AlertKind, Severity
from schemas.cash import Collection
from schemas.entry import Entry
from schemas.ids import ms_instant
from schemas.money import Money


def shortages(entry: Entry, found: Collection, above: int) -> list[Alert]:
    """What a collection leads to; above: the shortage that is not worth a word, minor units."""
    if found.shortage <= above:
        return []
    expected, counted = Money(found.expected, found.currency), Money(found.counted, found.currency)
    text = (
        f"{Money(found.shortage, found.currency)} {found.currency} are missing in terminal {found.terminal} of agent "
        f"{found.agent} of tree {entry.book}: {expected} expected, {counted} counted, bag {entry.document}"
    )
    return [
        Alert(
            kind=AlertKind.SHORTAGE,
            subject=f"{found.terminal}/{found.currency}",  # emptied at once, each is an alert of its own
            agent=found.agent,
            severity=Severity.WARNING,
            text=text,
            at=ms_instant(entry.at),
            since=ms_instant(entry.at),
            tree=entry.book,
        )
    ]
