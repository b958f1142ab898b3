"""Which gateways are chosen last because they do not answer."""

from __future__ import annotations

import pytest

from agents.gateway_silence import GatewaySilence, is_answer
from schemas.outcome import GatewayOutcome, Verdict
from tests.builders import AT, an_outcome

SILENT = an_outcome(Verdict.UNCLEAR, code="timeout")


@pytest.mark.parametrize(
    ("outcome", "answered"),
    [
        (an_outcome(), True),
        (an_outcome(Verdict.FATAL, code="5"), True),
        (an_outcome(Verdict.UNCLEAR, code="90"), True),
        (an_outcome(Verdict.UNCLEAR, code="-31008"), True),
        (SILENT, False),
        (an_outcome(Verdict.UNCLEAR, code="http-502"), False),
        (an_outcome(Verdict.NOT_SENT, code="connect"), False),
        (an_outcome(Verdict.NOT_SENT, "check", code="243"), False),
    ],
)
def test_a_payees_own_code_is_an_answer_and_silence_is_none(outcome: GatewayOutcome, answered: bool) -> None:
    assert is_answer(outcome) == answered


def test_a_gateway_is_unwell_after_three_silences_in_a_row_and_until_it_speaks() -> None:
    health = GatewaySilence()
    for n, outcome in enumerate([SILENT, SILENT, an_outcome(), SILENT, SILENT]):
        health.answered("a", outcome, AT + n)
        assert health.unwell(AT + n) == frozenset()
    health.answered("b", SILENT, AT + 9)
    health.answered("a", SILENT, AT + 9)
    assert health.unwell(AT + 9) == {"a"}
    health.answered("a", an_outcome(Verdict.FATAL), AT + 10)
    assert health.unwell(AT + 10) == frozenset()


def test_what_is_not_asked_any_more_is_tried_again_after_a_while() -> None:
    health = GatewaySilence()
    for _ in range(3):
        health.answered("a", SILENT, AT)
    assert (health.unwell(AT + 14_999), health.unwell(AT + 15_000)) == ({"a"}, frozenset())
    health.answered("a", SILENT, AT + 15_001)  # it was asked, and it is still silent
    assert health.unwell(AT + 15_001) == {"a"}
