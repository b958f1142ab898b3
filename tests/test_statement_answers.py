"""What a statement may conclude of a payment in doubt, and for which interval it is asked."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.gateways.capabilities import StatementLine
from agents.statement_answers import MARGIN_MS, Contradiction, Doubt, answer, answers, doubts, windows
from schemas.entry import EntryKind
from schemas.outcome import Verdict
from streams.ledger.state import State
from tests.builders import a_gateway, a_place, a_retry, a_settle, a_tree, decided

RECEIVED, SINCE = 1_000_000, 2_000_000
COMPLETE_MS = 600_000
OURS = Doubt("kiosk-1.1", "A", 0, 1, "click", 7, 20_000, "RUB", RECEIVED, SINCE, is_asked=False)
ASKED = replace(OURS, is_asked=True)
PAID = StatementLine(7, 20_000, "paid", "5123", 1_500_000)
CANCELLED, OPEN = replace(PAID, state="cancelled"), replace(PAID, state="open")


def judged(doubt: Doubt, lines: list[StatementLine], until: int, complete_ms: int | None) -> Any:
    said = answer(doubt, lines, until, complete_ms)
    if isinstance(said, Contradiction):
        return "contradiction"
    if said is None:
        return None
    assert (said.step, said.code) == ("status", "statement")
    return said.verdict


LATE = SINCE + COMPLETE_MS
# Lines, until when, whether the statement is declared complete -> of one that is asked about still, of one in MANUAL.
TABLE: list[tuple[list[StatementLine], int, int | None, Any, Any]] = [
    ([PAID], LATE, None, Verdict.PAID, Verdict.PAID),
    ([PAID], SINCE, COMPLETE_MS, Verdict.PAID, Verdict.PAID),
    ([CANCELLED], LATE, None, None, Verdict.FATAL),
    ([OPEN], LATE, None, None, None),
    ([OPEN], LATE, COMPLETE_MS, None, None),
    ([], LATE, None, None, None),
    ([], LATE - 1, COMPLETE_MS, None, None),
    ([], LATE, COMPLETE_MS, None, Verdict.FATAL),
    ([PAID, PAID], LATE, None, "contradiction", "contradiction"),
    ([PAID, CANCELLED], LATE, None, "contradiction", "contradiction"),
    ([replace(PAID, amount=20_001)], LATE, None, "contradiction", "contradiction"),
    ([replace(CANCELLED, amount=19_999)], LATE, COMPLETE_MS, "contradiction", "contradiction"),
]


@pytest.mark.parametrize(("lines", "until", "complete_ms", "asked", "manual"), TABLE)
def test_the_table(lines: list[StatementLine], until: int, complete_ms: int | None, asked: Any, manual: Any) -> None:
    assert judged(ASKED, lines, until, complete_ms) == asked
    assert judged(OURS, lines, until, complete_ms) == manual


REVERSED = replace(OURS, is_reversal=True)


@pytest.mark.parametrize(("lines", "said"), [
    ([CANCELLED], Verdict.FATAL), ([PAID], None), ([OPEN], None), ([], None),
    ([PAID, CANCELLED], "contradiction"), ([replace(CANCELLED, amount=1)], "contradiction"),
])  # fmt: skip
def test_a_reversal_in_doubt_is_ended_by_cancelled_alone(lines: list[StatementLine], said: Any) -> None:
    assert judged(REVERSED, lines, LATE, COMPLETE_MS) == said


def test_evidence_is_kept_and_a_contradiction_names_both_sums() -> None:
    paid = answer(OURS, [PAID], LATE, None)
    assert getattr(paid, "provider_ref", "") == "5123"
    other = answer(OURS, [replace(PAID, amount=100)], LATE, None)
    assert isinstance(other, Contradiction)
    assert other.text == "has number 7 with 1.00 RUB instead of 200.00"


def test_a_line_is_only_ever_of_its_own_payment() -> None:
    (window,) = windows([OURS, replace(OURS, payment="kiosk-1.2", txn=8)], LATE, COMPLETE_MS)
    found = list(answers(window, [replace(PAID, txn=8), replace(PAID, txn=9, amount=1)], None))
    assert [one[0].payment for one in found if not isinstance(one, Contradiction)] == ["kiosk-1.2"]
    assert len(found) == 1


_TIMES = st.integers(0, 10**9)
_DOUBTS = st.builds(
    lambda received, more, asked: replace(OURS, received_at=received, since=received + more, is_asked=asked),
    _TIMES, st.integers(0, 10**7), st.booleans(),
)  # fmt: skip


@given(st.lists(_DOUBTS, max_size=30), st.integers(10**9, 2 * 10**9), st.sampled_from([None, 600_000, 10**8]))
def test_windows_hold_every_payment_once_overlap_nowhere_and_reach_as_far_as_an_absence_needs(
    found: list[Doubt], now: int, complete_ms: int | None
) -> None:
    asked = windows(found, now, complete_ms)
    assert sum(len(window.doubts) for window in asked) == len(found)
    assert all(one.until < other.since for one, other in itertools.pairwise(asked))
    for window in asked:
        assert window.since < window.until <= now + 1
        for doubt in window.doubts:
            assert window.since <= max(0, doubt.received_at - MARGIN_MS)
            if complete_ms is None or doubt.is_asked:
                assert window.until == now + 1
            else:
                assert window.until >= min(now, doubt.since + complete_ms)


# --- which payments are in doubt


def a_payment_after(*answered: Any, served: str = "") -> State:
    state = a_tree()
    for command in (a_place(), *answered):
        decided(state, command)
    return state


UNCLEAR = a_settle(verdict=Verdict.UNCLEAR)


@pytest.mark.parametrize(
    ("answered", "state", "is_asked"),
    [
        ([], EntryKind.HELD, None),
        ([a_settle(verdict=Verdict.NOT_SENT)], EntryKind.HELD, None),
        ([UNCLEAR], EntryKind.UNKNOWN, True),
        ([UNCLEAR, a_settle(verdict=Verdict.FATAL)], EntryKind.MANUAL, False),
        ([a_settle(verdict=Verdict.UNCLEAR, retry=a_retry(budget=1))], EntryKind.MANUAL, False),
        ([a_settle(verdict=Verdict.PAID, step="check")], EntryKind.MANUAL, None),  # nothing was sent: not our number
        ([a_settle()], EntryKind.POSTED, None),
    ],
)
def test_a_payment_is_in_doubt_once_something_was_sent(
    answered: list[Any], state: EntryKind, is_asked: bool | None
) -> None:
    fold = a_payment_after(*answered)
    assert fold.payments["kiosk-1.1"].state is state
    assert [one.is_asked for one in doubts(fold, 1, {"osmp-1"})] == ([] if is_asked is None else [is_asked])


# --- what a record may declare


@pytest.mark.parametrize(("declared", "complete_ms"), [("600", 600_000), ("86400", 86_400_000)])
def test_a_record_says_when_a_statement_is_complete(declared: str, complete_ms: int) -> None:
    assert a_gateway(options={"statement_complete_s": declared}).statement_complete_ms == complete_ms
    assert a_gateway().statement_complete_ms is None


@pytest.mark.parametrize("declared", ["0", "599", "2592001", "-600", "600.0", "6e2", "ten", "٦٠٠"])
def test_a_statement_is_not_complete_at_once_or_never(declared: str) -> None:
    with pytest.raises(ValidationError, match="statement_complete_s"):
        a_gateway(options={"statement_complete_s": declared})
