"""OSMP's dialects: cp1251, status and cancel, tables of their own, and what a check tells of a subscriber."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateways.http import HttpReply
from agents.gateways.osmp import judge, query, table_of
from agents.gateways.osmp_reply import read
from agents.gateways.told import major_units, minor_units, tracked
from schemas.money import MAX_MINOR
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.tracking import MAX_DENOMINATIONS, MAX_LABEL, MAX_SHOWN, MAX_TEXT, Tracked
from tests.gateway_builders import a_gateway, a_gateway_to, a_payment
from tests.scripted_payee import Conversation, ScriptedPayee

GOLDEN = Path(__file__).parent / "golden" / "gateways" / "osmp"
PAGE = Path(__file__).parent.parent / "docs" / "gateways" / "osmp.md"
OURS = a_payment()
CHECKED = GatewayOutcome("check", Verdict.CHECKED, "0")


def golden(name: str) -> bytes:
    return (GOLDEN / "replies" / f"{name}.xml").read_bytes()


def judged(name: str, step: Step, **record: Any) -> GatewayOutcome:
    table = table_of(a_gateway("http://payee.invalid/", **record))
    return judge(step, OURS, HttpReply(200, "", golden(name)), table)


def told(name: str, **options: str) -> Tracked:
    return tracked(CHECKED, read(golden(name)).fields, options, major_units("RUB"))


# --- requests and results


@pytest.mark.parametrize("step", ["check", "pay", "status", "cancel"])
def test_a_request_is_written_like_this(step: Step) -> None:
    asked = (GOLDEN / "requests" / f"{step}.txt").read_text().strip()
    assert query(step, OURS) == asked
    assert f"<url>?{asked}\n" in PAGE.read_text(encoding="utf-8")


DIALECTS: list[tuple[str, Step, dict[str, Any], Verdict, str]] = [
    ("status_paid", "status", {}, Verdict.PAID, "0"),
    ("status_absent_210", "status", {}, Verdict.ABSENT, "210"),
    ("status_absent_210", "pay", {}, Verdict.UNCLEAR, "210"),
    ("status_not_finished_90", "status", {}, Verdict.UNCLEAR, "90"),
    ("status_not_finished_90", "status", {"results": {"90": "fatal"}}, Verdict.UNCLEAR, "90"),
    ("status_refused_79_cp1251", "status", {}, Verdict.UNCLEAR, "79"),
    ("status_refused_79_cp1251", "status", {"results": {"79": "fatal"}}, Verdict.UNCLEAR, "79"),
    ("status_refused_79_cp1251", "status", {"results": {"status:79": "fatal"}}, Verdict.FATAL, "79"),
    ("status_not_found_5", "status", {}, Verdict.UNCLEAR, "5"),
    ("status_not_found_5", "status", {"fatal_codes": (5, 10)}, Verdict.UNCLEAR, "5"),
    ("status_not_found_5", "status", {"results": {"status:5": "absent"}}, Verdict.ABSENT, "5"),
    ("status_not_found_5", "pay", {"results": {"status:5": "absent"}}, Verdict.FATAL, "5"),
    ("status_not_found_5", "pay", {"results": {"5": "unknown"}}, Verdict.UNCLEAR, "5"),
    ("cancel_done_cp1251", "cancel", {}, Verdict.CANCELLED, "0"),
    ("cancel_kept_7", "cancel", {}, Verdict.FATAL, "7"),
    ("cancel_kept_7", "cancel", {"results": {"cancel:7": "repeat"}}, Verdict.UNCLEAR, "7"),
]


@pytest.mark.parametrize(("name", "step", "record", "verdict", "code"), DIALECTS)
def test_a_dialects_answer(name: str, step: Step, record: dict[str, Any], verdict: Verdict, code: str) -> None:
    outcome = judged(name, step, **record)
    assert (outcome.step, outcome.verdict, outcome.code) == (step, verdict, code)


def test_a_comment_in_cp1251_is_read() -> None:
    assert judged("status_refused_79_cp1251", "status").comment == "Абонент заблокирован"
    assert judged("cancel_done_cp1251", "cancel").comment == "Платёж отменён"


# --- what a check tells


def test_name_and_debt_are_the_fields_the_record_says() -> None:
    assert told("check_debtor_cp1251", name_field="ФИО") == Tracked(
        CHECKED,
        debt=31250,
        shown=(("fio", "Иванов Иван Иванович"), ("Период", "01.2005"), ("Адрес", "ул. Ленина, 5")),
    )
    assert told("check_debtor_cp1251", name_field="FIO").name == "Иванов Иван Иванович"


def test_a_balance_is_a_debt_with_the_other_sign_and_denominations_are_all_amounts() -> None:
    assert told("check_balance") == Tracked(CHECKED, debt=1520, denominations=(10000, 20000, 50000))


def test_what_a_field_does_not_hold_is_shown_as_it_is_and_no_markup_or_direction_survives() -> None:
    found = told("check_fields_hostile")
    assert (found.name, found.debt, found.denominations) == ("Olga Petrova", None, ())
    assert found.shown == (
        ("debt", "1e5"),
        ("debt", "99999999999999999999"),
        ("denominations", "100;-5"),
        ("html", "<script>alert(1)</script>"),  # text; whoever shows it shows text
    )


def test_fields_are_bounded() -> None:
    found = told("check_fields_without_end")
    assert len(found.shown) == MAX_SHOWN
    assert {len(text) for _, text in found.shown} == {MAX_TEXT}


def test_fields_never_change_the_answer() -> None:
    for path in (GOLDEN / "replies").glob("check_*.xml"):
        refused = "refused" in path.stem
        assert judged(path.stem, "check").verdict is (Verdict.FATAL if refused else Verdict.CHECKED)


def test_of_a_refusal_nothing_is_told() -> None:
    refusal = judged("check_refused_with_fields", "check")
    fields = read(golden("check_refused_with_fields")).fields
    assert tracked(refusal, fields, {}, major_units("RUB")) == Tracked(refusal)


async def test_a_subscriber_is_tracked_over_the_wire() -> None:
    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(golden("check_debtor_cp1251"))

    async with ScriptedPayee(talk) as payee:
        record = a_gateway(payee.url, options={"name_field": "fio"})
        async with a_gateway_to(record) as gateway:
            found = await gateway.track(OURS)  # type: ignore[attr-defined]
        payee.close()
    async with a_gateway_to(record) as gateway:
        unreachable = await gateway.track(OURS)  # type: ignore[attr-defined]
    assert (found.outcome.verdict, found.name, found.debt) == (Verdict.CHECKED, "Иванов Иван Иванович", 31250)
    assert (unreachable.outcome.step, unreachable.outcome.verdict) == ("check", Verdict.NOT_SENT)


# --- amounts


@pytest.mark.parametrize(
    ("text", "minor"),
    [("312.50", 31250), ("312,5", 31250), ("-15.20", -1520), ("0", 0), ("--1", None), ("1e5", None), ("", None),
     ("1.234", None), ("9" * 30, None), ("1 000", None), ("٣", None), ("9" * 5000, None)],
)  # fmt: skip
def test_amounts_in_major_units(text: str, minor: int | None) -> None:
    assert major_units("RUB")(text) == minor


@pytest.mark.parametrize(
    ("text", "minor"), [("31250", 31250), ("-5", -5), ("312.50", None), ("9" * 18, None), ("9" * 5000, None)]
)
def test_amounts_in_minor_units(text: str, minor: int | None) -> None:
    assert minor_units(text) == minor


_NAMES = st.sampled_from(["name", "DEBT", "balance", "denominations"]) | st.text(max_size=200)
_TEXTS = st.text(max_size=500) | st.from_regex(r"-?\d{1,22}([.,]\d{1,3})?([; |]\d+){0,60}", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_NAMES, _TEXTS), max_size=60), st.dictionaries(st.sampled_from(["name_field"]), st.text()))
def test_whatever_is_told_fits_where_it_goes(fields: list[tuple[str, str]], options: Mapping[str, str]) -> None:
    found = tracked(CHECKED, fields, options, major_units("RUB"))
    assert len(found.shown) <= MAX_SHOWN
    assert all(0 < len(label) <= MAX_LABEL and len(text) <= MAX_TEXT for label, text in found.shown)
    assert "".join(text for pair in found.shown for text in pair).isprintable()
    assert found.debt is None or abs(found.debt) <= MAX_MINOR
    assert len(found.denominations) <= MAX_DENOMINATIONS
    assert all(0 < one <= MAX_MINOR for one in found.denominations)
    assert len(found.name) <= MAX_TEXT
