"""OSMP as it is on the wire: what we ask of a payee, and a payment over a real socket."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from agents.gateways.errors import NotSent
from agents.gateways.osmp import query
from schemas.outcome import GatewayOutcome, Verdict
from tests.gateway_builders import SUBSCRIBER, a_gateway, a_gateway_to, a_payment, golden_osmp
from tests.scripted_payee import Conversation, ScriptedPayee

PAID, CHECKED, IS_FATAL, UNCLEAR = Verdict.PAID, Verdict.CHECKED, Verdict.FATAL, Verdict.UNCLEAR
OURS = a_payment()
MOSCOW_THEN = timezone(timedelta(hours=4))


# --- what we ask ----------------------------------------------------------------------------------------------------

PREFIX = "command=pay&txn_id=1234567&txn_date=20050815120133"


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, f"{PREFIX}&account=4957835959&sum=200.00"),
        ({"amount": 5}, f"{PREFIX}&account=4957835959&sum=0.05"),
        ({"amount": 10**12}, f"{PREFIX}&account=4957835959&sum=10000000000.00"),
        ({"currency": "JPY"}, f"{PREFIX}&account=4957835959&sum=20000"),
        ({"currency": "KWD"}, f"{PREFIX}&account=4957835959&sum=20.000"),
        ({"subscriber": {"contract": "12/7 б&sum=1"}}, f"{PREFIX}&account=12%2F7%20%D0%B1%26sum%3D1&sum=200.00"),
        ({"subscriber": {"phone": "+7"}}, f"{PREFIX}&account=%2B7&sum=200.00"),
        (
            {"subscriber": {"contract": "77", "period": "01.2005", "meter": "1 2"}},
            f"{PREFIX}&account=77&sum=200.00&period=01.2005&meter=1%202",
        ),
        ({"txn": 10**20 - 1}, f"command=pay&txn_id={'9' * 20}&txn_date=20050815120133&account=4957835959&sum=200.00"),
    ],
)
def test_a_pay_is_asked_like_this(changes: dict[str, Any], asked: str) -> None:
    assert query("pay", a_payment(**changes)) == asked


def test_a_check_has_no_date() -> None:
    assert query("check", OURS) == "command=check&txn_id=1234567&account=4957835959&sum=200.00"


def test_the_date_is_on_the_payees_clock_and_of_our_receipt() -> None:
    assert "txn_date=20050815160133" in query("pay", a_payment(made_at=0), MOSCOW_THEN)


@pytest.mark.parametrize("name", ["command", "txn_id", "txn_date", "sum", "account"])
def test_a_field_cannot_stand_in_for_a_parameter_of_the_protocol(name: str) -> None:
    with pytest.raises(NotSent, match="bad-field"):
        query("pay", a_payment(subscriber={"phone": "1", name: "999.00"}))


def test_a_field_that_is_no_text_is_not_sent() -> None:
    with pytest.raises(NotSent, match="bad-field"):
        query("pay", a_payment(subscriber={"phone": "\ud800"}))


# --- over the wire --------------------------------------------------------------------------------------------------


async def test_check_and_pay_over_the_wire() -> None:
    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(golden_osmp("ok"))

    async with ScriptedPayee(talk) as payee, a_gateway_to(a_gateway(payee.url)) as gateway:
        assert (await gateway.check(OURS)).verdict is CHECKED
        assert await gateway.pay(OURS) == GatewayOutcome("pay", PAID, "0", "2016", "OK")
    lines = [request.split(b"\r\n")[0].decode() for request in payee.requests]
    assert lines == [f"GET /osmp/?{query(step, OURS)} HTTP/1.1" for step in ("check", "pay")]


async def test_a_cancel_is_asked_like_a_check_under_the_number_of_the_pay() -> None:
    async def talk(one: Conversation) -> None:
        await one.hear()
        await one.reply(golden_osmp("ok"))

    async with ScriptedPayee(talk) as payee, a_gateway_to(a_gateway(payee.url, cancels=True)) as gateway:
        assert (await gateway.cancel(OURS)).verdict is Verdict.CANCELLED
    (line,) = [request.split(b"\r\n")[0].decode() for request in payee.requests]
    assert line == f"GET /osmp/?{query('check', OURS).replace('check', 'cancel')} HTTP/1.1"


async def test_the_charset_of_the_http_reply_is_heeded() -> None:
    async def talk(one: Conversation) -> None:
        await one.hear()
        text = "<response><osmp_txn_id>1234567</osmp_txn_id><result>0</result><comment>Ура</comment></response>"
        await one.reply(text.encode("cp1251"), Content_Type='text/xml; Charset="Windows-1251"')

    async with ScriptedPayee(talk) as payee, a_gateway_to(a_gateway(payee.url)) as gateway:
        assert (await gateway.pay(OURS)).comment == "Ура"


async def test_the_records_own_fatal_codes_are_used() -> None:
    async def talk(one: Conversation) -> None:
        await one.hear()
        await one.reply(golden_osmp("unknown_777"))

    async with ScriptedPayee(talk) as payee, a_gateway_to(a_gateway(payee.url, fatal_codes=(777,))) as gateway:
        assert (await gateway.pay(OURS)).verdict is IS_FATAL


async def test_a_refused_password_is_read_again_and_says_nothing_of_the_payment(tmp_path: Path) -> None:
    (tmp_path / "phone").write_text("kassa:old")

    async def talk(one: Conversation) -> None:
        while request := await one.hear():
            await (one.reply(golden_osmp("ok")) if b"a2Fzc2E6bmV3" in request else one.reply(b"", "401 Unauthorized"))

    async with (
        ScriptedPayee(talk) as payee,
        a_gateway_to(a_gateway(payee.url, credentials="phone"), tmp_path) as gateway,
    ):
        refused = await gateway.pay(OURS)
        (tmp_path / "phone").write_text("kassa:new")
        paid = await gateway.pay(OURS)
    assert (refused.verdict, refused.code, paid.verdict) == (UNCLEAR, "http-401", PAID)


async def test_no_failure_is_raised_or_tells_the_subscribers_number() -> None:
    async def talk(one: Conversation) -> None:
        await one.hear()

    async with ScriptedPayee(talk) as payee, a_gateway_to(a_gateway(payee.url)) as gateway:
        unclear = await gateway.pay(OURS)
        reserved = await gateway.pay(a_payment(subscriber={"phone": SUBSCRIBER, "sum": "1"}))
        payee.close()
        not_sent = await gateway.pay(OURS)
        await gateway.aclose()
        closed = await gateway.pay(OURS)
    outcomes = [unclear, reserved, not_sent, closed]
    assert [outcome.verdict for outcome in outcomes] == [UNCLEAR, *[Verdict.NOT_SENT] * 3]
    assert [outcome.code for outcome in outcomes] == ["connection-lost", "bad-field", "connect", "closed"]
    assert SUBSCRIBER not in repr(outcomes)
