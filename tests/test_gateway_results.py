"""What a result code means: the protocol's table, and what a dialect's record changes in it."""

from __future__ import annotations

from typing import Any

import pytest

from agents.gateways.results import ResultTable
from schemas.outcome import Step, Verdict
from tests.gateway_builders import a_gateway

PROTOCOL: Any = {"0": "ok", "1": "repeat", "4": "fatal", "5": "fatal", "status:6": "fatal", "status:11": "absent"}


def a_table(**record: Any) -> ResultTable:
    return ResultTable(PROTOCOL, a_gateway("http://payee.test/", **record), frozenset({"0", "1"}))


@pytest.mark.parametrize(
    ("step", "code", "verdict"),
    [
        ("check", "0", Verdict.CHECKED),
        ("pay", "0", Verdict.PAID),
        ("status", "0", Verdict.PAID),
        ("cancel", "0", Verdict.CANCELLED),
        ("pay", "1", Verdict.UNCLEAR),
        ("pay", "5", Verdict.FATAL),
        ("status", "5", Verdict.UNCLEAR),  # perhaps of the question: said of a pay, not of a status
        ("status", "6", Verdict.FATAL),
        ("status", "11", Verdict.ABSENT),
        ("pay", "11", Verdict.UNCLEAR),
        ("pay", "777", Verdict.UNCLEAR),
        ("pay", "", Verdict.UNCLEAR),
        ("pay", "00", Verdict.UNCLEAR),
        ("pay", "status:11", Verdict.UNCLEAR),
    ],
)
def test_a_code_says_what_the_table_says_of_it_to_that_question(step: Step, code: str, verdict: Verdict) -> None:
    assert a_table().verdict(step, code) is verdict


@pytest.mark.parametrize(
    ("record", "step", "code", "verdict"),
    [
        ({"results": {"777": "fatal"}}, "pay", "777", Verdict.FATAL),
        ({"results": {"5": "repeat"}}, "pay", "5", Verdict.UNCLEAR),
        ({"results": {"5": "fatal"}}, "status", "5", Verdict.UNCLEAR),
        ({"results": {"777": "fatal"}}, "status", "777", Verdict.UNCLEAR),
        ({"results": {"777": "ok"}}, "status", "777", Verdict.UNCLEAR),
        ({"results": {"777": "absent"}}, "status", "777", Verdict.ABSENT),
        ({"results": {"status:777": "fatal"}}, "status", "777", Verdict.FATAL),
        ({"results": {"status:777": "ok"}}, "status", "777", Verdict.PAID),
        ({"fatal_codes": (10,)}, "status", "10", Verdict.UNCLEAR),
        ({"results": {"status:5": "absent"}}, "status", "5", Verdict.ABSENT),
        ({"results": {"status:5": "absent"}}, "pay", "5", Verdict.FATAL),
        ({"results": {"42": "absent"}}, "pay", "42", Verdict.UNCLEAR),
        ({"results": {"200": "ok"}}, "pay", "200", Verdict.PAID),
        ({"results": {"1": "fatal", "0": "fatal", "pay:1": "fatal"}}, "pay", "1", Verdict.UNCLEAR),
        ({"results": {"1": "fatal", "0": "fatal", "pay:0": "fatal"}}, "pay", "0", Verdict.PAID),
        ({"fatal_codes": (10, 1, 0)}, "pay", "10", Verdict.FATAL),
        ({"fatal_codes": (10, 1, 0)}, "pay", "1", Verdict.UNCLEAR),
        ({"fatal_codes": (10, 1, 0)}, "pay", "0", Verdict.PAID),
        ({"fatal_codes": ()}, "pay", "5", Verdict.UNCLEAR),
        ({"fatal_codes": (10,), "results": {"10": "repeat"}}, "pay", "10", Verdict.UNCLEAR),
    ],
)
def test_a_dialect_changes_the_table_but_not_what_is_fixed(
    record: dict[str, Any], step: Step, code: str, verdict: Verdict
) -> None:
    assert a_table(**record).verdict(step, code) is verdict
