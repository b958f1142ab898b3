"""The end of an alert about a payment in doubt that its payee's statement has otherwise: STATEMENT_DIFFERS.

It begins where statements are read (agents/statements.py), and is over when nobody has to look into it any more.
"""

from __future__ import annotations

from schemas.alert import Alert, AlertKind
from schemas.entry import Entry, EntryKind, PaymentFacts
from streams.open_alerts import OpenAlerts

_ENDS = frozenset({EntryKind.POSTED, EntryKind.VOIDED, EntryKind.REVERSED, EntryKind.REVERSAL_REFUSED})


def statement_over(opened: OpenAlerts, entry: Entry, facts: PaymentFacts) -> list[Alert]:
    """After an entry about a payment."""
    if entry.kind not in _ENDS:
        return []
    begun = opened.find(AlertKind.STATEMENT_DIFFERS, facts.id)
    return [opened.end(begun, f"payment {facts.id} is {entry.kind} now", entry.at)] if begun is not None else []
