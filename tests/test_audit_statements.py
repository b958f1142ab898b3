"""The audit of payments in doubt that the payee's statement ended: on its word about the payment itself, else not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from tests.audit_ledgers import UNKNOWN, a_ledger, failed, find
from tests.builders import a_retry, a_settle

IN_DOUBT = a_settle(UNKNOWN, Verdict.UNCLEAR, retry=a_retry(budget=1))
ENDS = [(Verdict.PAID, EntryKind.POSTED), (Verdict.FATAL, EntryKind.VOIDED)]


def ended(verdict: Verdict) -> list[Entry]:
    told = a_settle(UNKNOWN, verdict, "status", code="statement")
    return a_ledger("http://127.0.0.1:9/mobile/", IN_DOUBT, told)


@pytest.mark.parametrize(("verdict", "kind"), ENDS)
def test_a_doubt_that_the_statement_ended_is_sound(verdict: Verdict, kind: EntryKind) -> None:
    entries = ended(verdict)
    assert find(entries, UNKNOWN, kind) > find(entries, UNKNOWN, EntryKind.MANUAL)
    assert failed(entries) == set()


@pytest.mark.parametrize(("verdict", "kind"), ENDS)
@pytest.mark.parametrize(
    "changes", [{"step": "pay"}, {"step": "check"}, {"verdict": Verdict.ABSENT}, {"verdict": Verdict.UNCLEAR}]
)
def test_a_doubt_ended_on_anything_else_is_found(verdict: Verdict, kind: EntryKind, changes: dict[str, object]) -> None:
    entries = ended(verdict)
    at = find(entries, UNKNOWN, kind)
    outcome = entries[at].outcome
    assert outcome is not None
    entries[at] = replace(entries[at], outcome=replace(outcome, **changes))  # type: ignore[arg-type]
    assert failed(entries) == {"payments.evidence"}


def test_a_doubt_ended_where_nothing_was_sent_is_found() -> None:
    entries = ended(Verdict.PAID)
    at = find(entries, UNKNOWN, EntryKind.POSTED)
    entries[at] = replace(entries[at], tries=0)
    assert "payments.evidence" in failed(entries)
