"""What the audit believes of a payment that asking did not settle: the payee's word on the payment itself. Pure."""

from __future__ import annotations

from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict


def ends_doubt(entry: Entry) -> bool:
    """Was a payment in MANUAL settled by its status at the payee, or its statement, and after something was sent?"""
    said = {EntryKind.POSTED: Verdict.PAID, EntryKind.VOIDED: Verdict.FATAL}.get(entry.kind)
    outcome = entry.outcome
    return outcome is not None and outcome.step == "status" and outcome.verdict is said and entry.tries > 0
