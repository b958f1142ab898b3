"""What we make of signed key=value answers: a yes or a no only where it is signed and about our payment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateways import signed_kv_message as message
from agents.gateways.http import HttpReply
from agents.gateways.rsa_keys import Verifier, verifier
from agents.gateways.signed_kv import judge
from agents.gateways.signed_kv_reply import read
from schemas.outcome import GatewayOutcome, Step, Verdict
from tests.builders_protocols import SIGNED_KV, a_signer, a_verifier, signed
from tests.gateway_builders import GOLDEN, a_gateway, a_payment

FILES = GOLDEN / "gateways" / "signed_kv"
PAID, CHECKED, IS_FATAL, UNCLEAR, ABSENT = (
    Verdict.PAID, Verdict.CHECKED, Verdict.FATAL, Verdict.UNCLEAR, Verdict.ABSENT,
)  # fmt: skip
OURS = a_payment()
# Whoever signed the replies on file has thrown the private key away.
ON_FILE = verifier((FILES / "payee.pub").read_bytes(), hashes.SHA256())


def judged(
    body: bytes,
    step: Step = "pay",
    status: int = 200,
    key: Verifier = ON_FILE,
    options: Mapping[str, str] | None = None,
    **record: Any,
) -> GatewayOutcome:
    dialect = a_gateway(
        "http://payee.invalid/", protocol="signed-kv", options={**SIGNED_KV, **(options or {})}, **record
    )
    return judge(step, OURS, HttpReply(status, "", body), key, dialect)


def golden(name: str) -> bytes:
    return (FILES / f"{name}.txt").read_bytes()


REPLIES: list[tuple[str, Step, Verdict, str]] = [
    ("check_ok", "check", CHECKED, "0"),
    ("check_not_found_23", "check", IS_FATAL, "5"),
    ("check_ok", "pay", UNCLEAR, "taken"),  # an answer to a check, played to us again, is no yes to a pay
    ("check_ok", "status", UNCLEAR, "result-0"),
    ("pay_taken", "pay", UNCLEAR, "taken"),
    ("pay_paid", "pay", PAID, "0"),
    ("pay_refused_81", "pay", IS_FATAL, "242"),
    ("pay_session_exists_1", "pay", UNCLEAR, "1"),
    ("pay_temporary_24", "pay", UNCLEAR, "24"),
    ("pay_unknown_777", "pay", UNCLEAR, "777"),
    ("status_paid", "status", PAID, "0"),
    ("status_under_way", "status", UNCLEAR, "result-3"),
    ("status_failed_23", "status", IS_FATAL, "5"),
    ("status_no_session_11", "status", ABSENT, "11"),
    ("status_no_session_11", "pay", UNCLEAR, "11"),
    ("status_only_checked", "status", ABSENT, "0"),
    ("paid_wrong_session", "status", UNCLEAR, "wrong-txn"),
    ("paid_wrong_amount", "status", UNCLEAR, "wrong-sum"),
    ("paid_wrong_key", "status", UNCLEAR, "wrong-signature"),
    ("paid_changed", "status", UNCLEAR, "wrong-signature"),
    ("paid_unsigned", "status", UNCLEAR, "wrong-signature"),
    ("paid_no_envelope", "status", UNCLEAR, "wrong-signature"),
    ("signed_error_text", "status", UNCLEAR, "reply-broken"),
]


@pytest.mark.parametrize(("name", "step", "verdict", "code"), REPLIES)
def test_an_answer_about_our_payment(name: str, step: Step, verdict: Verdict, code: str) -> None:
    outcome = judged(golden(name), step)
    assert (outcome.step, outcome.verdict, outcome.code) == (step, verdict, code)


def test_every_reply_on_file_is_in_the_table() -> None:
    on_file = {path.stem for path in FILES.glob("*.txt") if not path.stem.startswith("request")}
    assert on_file == {name for name, *_ in REPLIES}


def test_everything_an_answer_holds_is_kept_and_the_payees_own_code_too() -> None:
    assert judged(golden("check_ok"), "check") == GatewayOutcome("check", CHECKED, "0", "1000000002016", "Иванов И. И.")
    told = read(message.read(golden("check_ok"), ON_FILE)).told
    assert told == (("OPNAME", "phone"), ("ADDINFO", "Иванов И. И."))  # what may be shown of the subscriber
    assert judged(golden("check_not_found_23"), "check").comment == "ERROR=23 Абонент не найден"


# Every ERROR the class is known to have, and one that nobody has.
ERRORS = [*range(0, 13), 21, 23, 24, 26, 30, 32, 33, 34, 37, 45, 81, 82, 88, 137, 224, 999_999_999]
REFUSED = {7, 8, 9, 23, 34, 81}


@pytest.mark.parametrize("error", ERRORS)
def test_the_table_of_errors(error: int) -> None:
    def said(step: Step, result: int) -> Verdict:
        body = signed(SESSION=str(OURS.txn), ERROR=str(error), RESULT=str(result))
        return judged(body, step, key=a_verifier()).verdict

    refused = IS_FATAL if error in REFUSED else UNCLEAR
    assert said("check", int(error > 0)) is (refused if error else CHECKED)
    assert said("pay", int(error > 0)) is (refused if error else UNCLEAR)
    assert said("pay", 7) is (refused if error else PAID)
    assert said("pay", 0) is said("pay", 3) is UNCLEAR  # refused, and taken or under way: one of them is wrong
    assert said("status", 3) is UNCLEAR
    assert said("status", 7) is (PAID if error == 0 else IS_FATAL if error in REFUSED | {24, 26, 30} else UNCLEAR)
    assert said("status", 1) is (ABSENT if error in (0, 11) else UNCLEAR)


@pytest.mark.parametrize("status", [204, 301, 302, 400, 401, 404, 500, 502, 503])
def test_a_good_body_under_a_bad_status_is_unclear(status: int) -> None:
    outcome = judged(golden("status_paid"), "status", status=status)
    assert (outcome.verdict, outcome.code) == (UNCLEAR, f"http-{status}")


def test_a_dialect_may_call_a_pay_final_and_have_its_own_errors() -> None:
    assert judged(golden("pay_taken"), options={"pay_is_final": "yes"}).verdict is PAID
    assert judged(golden("check_ok"), "status", options={"pay_is_final": "yes"}).verdict is UNCLEAR
    assert judged(golden("pay_unknown_777"), results={"777": "fatal"}).verdict is IS_FATAL
    assert judged(golden("pay_session_exists_1"), results={"1": "fatal"}).verdict is UNCLEAR


# --- whatever comes


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise_or_say_yes_or_no(body: bytes) -> None:
    for step in ("check", "pay", "status"):
        assert judged(body, step).verdict is UNCLEAR  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(["status_paid", "status_failed_23", "pay_paid", "status_no_session_11"]))
def test_of_what_was_signed_nothing_can_be_changed(data: st.DataObject, name: str) -> None:
    whole = golden(name)
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    end = whole.index(b"\r\nEND")
    if body[:end] != whole[:end]:
        assert judged(bytes(body), "status").code == "wrong-signature"
    else:
        outcome = judged(bytes(body), "status")
        assert outcome == judged(whole, "status") or outcome.code == "wrong-signature"


small = st.sampled_from(["0", "1", "3", "7", "8", "11", "23", "24", "", "07", "Ж", "-1"])
texts = st.text(st.characters(codec="cp1251", exclude_categories=["Cc", "Cf", "Zs"]), max_size=20)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["check", "pay", "status"]),
    st.fixed_dictionaries(
        {},
        optional={
            "SESSION": st.sampled_from([str(OURS.txn), f"0{OURS.txn}", "1", ""]),
            "ERROR": small,
            "RESULT": small,
            "AMOUNT": st.sampled_from(["200", "200.00", "20000", "1e2", ""]),
            "TRANSID": texts,
            "ERRMSG": texts,
        },
    ),
)
def test_whatever_is_signed_a_yes_is_about_our_session_and_amount(step: Step, said: dict[str, str]) -> None:
    outcome = judged(signed(**{"NOTE": "", **said}), step, key=a_verifier())
    is_ours = said.get("SESSION") == str(OURS.txn) and said.get("AMOUNT", "") in ("", "200", "200.00")
    error, result = said.get("ERROR"), said.get("RESULT")
    may_be = {
        PAID: step != "check" and (error, result) == ("0", "7"),
        CHECKED: (step, error, result) == ("check", "0", "0"),
        ABSENT: step == "status" and (error, result) in {("0", "1"), ("11", "1"), ("11", None)},
        IS_FATAL: error in {"7", "8", "23"} if step != "status" else result == "7" and error in {"7", "8", "23", "24"},
    }
    assert outcome.verdict is UNCLEAR or (is_ours and may_be[outcome.verdict])


@pytest.mark.parametrize(
    "text",
    [
        b"SESSION=1234567\r\nERROR=0\r\nRESULT=7\r\nERROR=0",  # a key twice
        b"SESSION=1234567\r\nERROR=0\r\nRESULT=7\r\n",  # a line without a key
        b"SESSION=1234567\r\nERROR=0\r\nRESULT=7\r\nNOTE=\x98",  # no character of the charset
        b"session=1234567\r\nERROR=0\r\nRESULT=7",
        b"SESSION=1234567\rERROR=0\rRESULT=7",
        b"\r\n".join([b"SESSION=1234567", b"ERROR=0", b"RESULT=7", *(b"A%d=" % n for n in range(100))]),
    ],
)
def test_what_is_signed_and_no_message_is_unclear(text: bytes) -> None:
    signature = message.b64encode(a_signer().sign(text))
    body = b"BEGIN\r\n" + text + b"\r\nEND\r\nBEGIN SIGNATURE\r\n" + signature + b"\r\nEND SIGNATURE\r\n"
    outcome = judged(body, "status", key=a_verifier())
    assert outcome.verdict is UNCLEAR
    assert outcome.code in ("reply-broken", "wrong-txn")
