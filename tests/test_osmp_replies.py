"""What we make of OSMP answers, however hostile: a yes or a no only where it is clearly about our payment."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateways.http import HttpReply
from agents.gateways.osmp import judge, table_of
from schemas.outcome import GatewayOutcome, Step, Verdict
from tests.gateway_builders import GOLDEN_OSMP, a_gateway, a_payment, golden_osmp

PAID, CHECKED, IS_FATAL, UNCLEAR = Verdict.PAID, Verdict.CHECKED, Verdict.FATAL, Verdict.UNCLEAR
OURS = a_payment()
TABLE = table_of(a_gateway("http://payee.test/"))


def judged(body: bytes, step: Step = "pay", charset: str = "", status: int = 200) -> GatewayOutcome:
    return judge(step, OURS, HttpReply(status, charset, body), TABLE)


REPLIES = [
    ("ok", PAID, "0"),
    ("ok_bare", PAID, "0"),
    ("ok_cp1251", PAID, "0"),
    ("ok_bom", PAID, "0"),
    ("ok_sum_without_decimals", PAID, "0"),
    ("ok_with_fields", PAID, "0"),
    ("long_comment", PAID, "0"),
    ("deep", PAID, "0"),  # thousands of elements nobody knows are passed by
    ("not_found_5", IS_FATAL, "5"),
    ("temporary_1", UNCLEAR, "1"),
    ("not_finished_90", UNCLEAR, "90"),
    ("unknown_777", UNCLEAR, "777"),
    ("wrong_txn", UNCLEAR, "wrong-txn"),
    ("fatal_of_another_txn", UNCLEAR, "wrong-txn"),
    ("no_txn", UNCLEAR, "wrong-txn"),
    ("txn_with_zeros", UNCLEAR, "wrong-txn"),
    ("wrong_sum", UNCLEAR, "wrong-sum"),
    ("sum_no_number", UNCLEAR, "wrong-sum"),
    ("sum_of_5000_digits", UNCLEAR, "wrong-sum"),
]
BROKEN = sorted({path.stem for path in GOLDEN_OSMP.glob("*.xml")} - {name for name, _, _ in REPLIES})


@pytest.mark.parametrize(("name", "verdict", "code"), REPLIES)
def test_an_answer_about_our_payment(name: str, verdict: Verdict, code: str) -> None:
    outcome = judged(golden_osmp(name))
    assert (outcome.verdict, outcome.code) == (verdict, code)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_clear_answer_is_unclear(name: str) -> None:
    for step in get_args(Step):
        outcome = judged(golden_osmp(name), step)
        assert (outcome.step, outcome.verdict, outcome.code) == (step, UNCLEAR, "reply-broken")
        assert "passwd" not in outcome.comment


@pytest.mark.parametrize("status", [100, 204, 301, 302, 400, 401, 404, 500, 502, 503, 504])
@pytest.mark.parametrize("name", ["ok", "not_found_5"])
def test_a_good_body_under_a_bad_status_is_unclear(status: int, name: str) -> None:
    outcome = judged(golden_osmp(name), status=status)
    assert (outcome.verdict, outcome.code) == (UNCLEAR, f"http-{status}")


def test_everything_an_answer_holds_is_kept() -> None:
    assert judged(golden_osmp("ok_cp1251")) == GatewayOutcome("pay", PAID, "0", "2016", "Платёж принят, спасибо")


def test_a_comment_is_one_bounded_line_without_control_characters() -> None:
    comment = judged(golden_osmp("long_comment")).comment
    assert comment.startswith("line one line two я")
    assert len(comment) == 200


# Every code the protocol and its dialects are known to have, and some that nobody has.
CODES = [
    0,
    1,
    4,
    5,
    6,
    7,
    8,
    10,
    13,
    16,
    40,
    79,
    90,
    133,
    150,
    155,
    215,
    220,
    241,
    242,
    243,
    251,
    300,
    301,
    999_999_999,
]
REFUSED = [4, 5, 7, 8, 79, 241, 242, 243, 300]


@pytest.mark.parametrize("code", CODES)
def test_the_result_table(code: int) -> None:
    body = f"<response><osmp_txn_id>1234567</osmp_txn_id><result>{code}</result></response>".encode()
    refused = IS_FATAL if code in REFUSED else UNCLEAR
    assert judged(body, "pay").verdict is (refused if code else PAID)
    assert judged(body, "check").verdict is (refused if code else CHECKED)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0, PAID),
        (1, UNCLEAR),
        (90, UNCLEAR),
        (210, Verdict.ABSENT),
        (4, UNCLEAR),
        (79, UNCLEAR),  # by now it is inactive, and was it then?
        (241, UNCLEAR),
        (242, UNCLEAR),
        (5, UNCLEAR),  # who was not found, the subscriber or the payment?
        (7, UNCLEAR),
        (8, UNCLEAR),
        (243, UNCLEAR),
        (300, UNCLEAR),
        (777, UNCLEAR),
    ],
)
def test_a_refused_question_about_a_payment_is_no_refused_payment(code: int, verdict: Verdict) -> None:
    body = f"<response><osmp_txn_id>1234567</osmp_txn_id><result>{code}</result></response>".encode()
    assert judged(body, "status").verdict is verdict


@pytest.mark.parametrize(
    ("declared", "http", "written", "verdict"),
    [
        ("windows-1251", "", "cp1251", PAID),
        ("cp1251", "utf-8", "cp1251", PAID),  # the document knows better than the server that sent it
        ("UTF-8", "windows-1251", "utf-8", PAID),
        ("utf8", "", "utf-8", PAID),
        ("", "windows-1251", "cp1251", PAID),
        ("", "", "utf-8", PAID),
        ("", "", "cp1251", UNCLEAR),
        ("", "x-klingon", "utf-8", UNCLEAR),
        ("utf-16", "", "utf-8", UNCLEAR),
        ("rot13", "", "utf-8", UNCLEAR),
        ("zlib", "", "utf-8", UNCLEAR),
        ("idna", "", "utf-8", UNCLEAR),
    ],
)
def test_charsets(declared: str, http: str, written: str, verdict: Verdict) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    text = (
        f"{declaration}<response><osmp_txn_id>1234567</osmp_txn_id><result>0</result><comment>Ура</comment></response>"
    )
    outcome = judged(text.encode(written), charset=http)
    assert outcome.verdict is verdict
    assert verdict is UNCLEAR or outcome.comment == "Ура"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["", "utf-8", "windows-1251", "utf-16", "hex"]))
def test_no_bytes_make_it_raise_or_say_yes(body: bytes, charset: str) -> None:
    assert judged(body, charset=charset).verdict is UNCLEAR


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_answer_is_never_a_no_and_a_yes_is_still_ours(data: st.DataObject) -> None:
    body = bytearray(golden_osmp("ok"))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    outcome = judged(bytes(body))
    assert outcome.verdict in (PAID, UNCLEAR) or outcome.code in map(str, REFUSED)
    if outcome.verdict is PAID:
        assert b"1234567<" in body
        assert outcome.code == "0"
