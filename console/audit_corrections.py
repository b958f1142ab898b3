"""Corrections by hand, checked from the entries alone: what they move, and who signed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from console.audit_ledger import where
from console.audit_report import Check
from schemas.correction import Correction
from schemas.entry import Entry, EntryKind

_KINDS = frozenset({EntryKind.CORRECTION_PROPOSED, EntryKind.CORRECTION_DROPPED, EntryKind.CORRECTED})
_PERMITTED = frozenset({"agent", "payee", "fee", "reward", "bank", "unclaimed", "agent-fees"})


class CorrectionAudit:
    """Sees every entry once, each partition in its order."""

    def __init__(self) -> None:
        self.check = Check("ledger.corrections")
        self._open: dict[tuple[str, str], Correction] = {}  # book, id -> proposed and not decided

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        found = entry.correction
        if (entry.kind in _KINDS) != (found is not None):
            self.check.fail(f"{where(partition, offset, entry)}: names {'a' if found else 'no'} correction")
        elif found is not None:
            self.check.looked_at += 1
            for wrong in self._wrong(entry, found):
                self.check.fail(f"{where(partition, offset, entry)}: correction {found.proposal} {wrong}")

    def _wrong(self, entry: Entry, found: Correction) -> Iterator[str]:
        yield from _signed_wrongly(entry, found)
        yield from _moved_wrongly(entry, found)
        key = (entry.book, found.proposal)
        if entry.kind is EntryKind.CORRECTION_PROPOSED:
            if key in self._open:
                yield "is proposed twice"
            self._open[key] = found
        elif entry.kind is EntryKind.CORRECTION_DROPPED or found.approved_by:
            proposed = self._open.pop(key, None)
            if proposed is None:
                yield "was not proposed, or is decided already"
            elif proposed != replace(found, approved_by=""):
                yield "says something else than when it was proposed"


def _signed_wrongly(entry: Entry, found: Correction) -> Iterator[str]:
    by, debits = entry.cause.by, -sum(amount for _, amount in found.movements if amount < 0)
    proposer, approver = (kid.partition(":")[0] for kid in (found.proposed_by, found.approved_by))
    if entry.kind is EntryKind.CORRECTION_DROPPED:
        if approver:
            yield f"is dropped, and {found.approved_by} approved it"
        return
    if found.approved_by:
        if entry.cause.by != found.approved_by:
            yield f"is approved by {by}, and says by {found.approved_by}"
        if approver == proposer:
            yield f"is proposed and approved by {proposer}"
    elif (found.proposal, found.proposed_by) != (entry.cause.id, by):
        yield f"is asked for by {by} as {entry.cause.id}, and says by {found.proposed_by}"
    if (debits > found.threshold) != (bool(approver) or entry.kind is EntryKind.CORRECTION_PROPOSED):
        yield f"debits {debits}, {found.threshold} may one operator, and {approver or 'nobody'} approved it"


def _moved_wrongly(entry: Entry, found: Correction) -> Iterator[str]:
    moved = [(leg.account, leg.currency, leg.amount) for leg in entry.legs]
    due = [(account, found.currency, amount) for account, amount in found.movements]
    if moved != (due if entry.kind is EntryKind.CORRECTED else []):
        yield f"is to move {due}, moved {moved}"
    if off := sum(amount for _, amount in found.movements):
        yield f"does not sum to zero: {off} {found.currency}"
    for account, _ in found.movements:
        if account.partition(":")[0] not in _PERMITTED:
            yield f"is of {account}, which is never corrected by hand"
