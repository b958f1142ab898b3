"""A partner's questions and answers without a network: parsing, codes, XML, who is let in, and orders sent before."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import cast
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gateways.osmp_codes import RESULTS
from console.errors import BadInput
from console.partner.answer import NOT_FINISHED, OK, OTHER, OTHER_PARAMETERS, REPEAT, Told, result_of, xml
from console.partner.door import Crowded, Door
from console.partner.interface import Interface
from console.partner.question import BadQuestion, parsed
from console.partner.records import a_partner, keep, partners
from console.partner.sent import Sent
from console.partner.teller import Teller
from schemas.entry import FINAL
from schemas.ids import ms_instant
from schemas.reply import Reply, ReplyState
from streams.keyring import KeyFileError
from streams.settings import Settings
from tests import hypothesis_profiles  # noqa: F401  # sets how hard random tests try
from tests.builders import AT, an_order

PAY = "command=pay&txn_id=17&txn_date=20261123100507&account=9161234567&sum=95.00"


def a_reply(state: str, code: int = 0, *, final: bool = True) -> Reply:
    return Reply(id="p.17", state=state, code=code, reason="because", final=final, at=ms_instant(AT))  # type: ignore[arg-type]


# --- Questions


def test_a_question_is_taken_as_it_stands():
    found = parsed((PAY + "&city=" + quote("Омск")).encode(), "utf-8")
    assert (found.command, found.txn, found.account, found.sum) == ("pay", "17", "9161234567", "95.00")
    assert (found.txn_date, found.others) == ("20261123100507", {"city": "Омск"})
    assert parsed(b"command=check&account=1&txn_id=" + b"9" * 20, "utf-8").txn == "9" * 20
    assert parsed(("command=check&txn_id=1&account=" + quote("Ж", encoding="cp1251")).encode(), "cp1251").account == "Ж"


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        (PAY.replace("txn_id=17", "txn_id=017"), 300, "txn_id must be"),
        (PAY.replace("txn_id=17", "txn_id=" + "1" * 19), 300, "txn_id must be"),
        (PAY.replace("txn_id=17", "txn_id=-1"), 300, "txn_id must be"),
        (PAY.replace("txn_id=17", "txn_id=" + quote("١٧")), 300, "txn_id must be"),
        (PAY.replace("command=pay", "command=refund"), 300, "command must be"),
        (PAY.replace("sum=95.00", "sum=95,00"), 300, "sum must be"),
        (PAY.replace("sum=95.00", "sum=1e9"), 300, "sum must be"),
        (PAY.replace("sum=95.00", "sum=-5"), 300, "sum must be"),
        (PAY.replace("sum=95.00", "sum="), 300, "sum must be"),
        (PAY.replace("account=9161234567", "account="), 4, "account must be"),
        (PAY.replace("account=9161234567", "account=" + "9" * 65), 4, "account must be"),
        (PAY.replace("account=9161234567", "account=%00"), 4, "account must be"),
        (PAY + "&sum=96.00", 300, "a parameter is there twice"),
        (PAY + "&City=Omsk", 300, "a further field has no name of ours"),
        (PAY + "&city=%FF", 300, "is no query in utf-8"),
        (PAY + "&x=" + "1" * 5_000, 300, "longer than 4096 bytes"),
        (PAY + "".join(f"&a{n}=1" for n in range(30)), 300, "is no query"),
        ("", 300, "command must be"),
        (PAY.replace("command=pay", "command=check").replace("txn_id=17", "txn_id=" + "1" * 21), 300, "txn_id must be"),
    ],
)
def test_what_can_never_be_taken_is_refused_with_a_final_code(query, code, said):
    with pytest.raises(BadQuestion, match=said) as error:
        parsed(query.encode(), "utf-8")
    assert error.value.refusal.code == code
    assert RESULTS[str(code)] == "fatal"


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_bad_question(noise):
    for charset in ("utf-8", "cp1251"):
        try:
            parsed(noise, charset)
        except BadQuestion as bad:
            fromstring(xml(Told(bad.txn, bad.refusal.code, bad.comment), "utf-8"))


# --- Answers


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (a_reply("POSTED"), OK),
        (a_reply("REVERSAL_REFUSED"), OK),  # it stays posted
        (a_reply("REVERSED"), OTHER),
        (a_reply("DECLINED", 4), 4),
        (a_reply("DECLINED", 220), OTHER),
        (a_reply("DECLINED", 1), OTHER),  # for ever declined under this number: to repeat it would not help
        (a_reply("DECLINED", 90), OTHER),
        (a_reply("VOIDED", 5), 5),
        (a_reply("VOIDED", 0), OTHER),
        (a_reply("HELD", final=False), NOT_FINISHED),
        (a_reply("UNKNOWN", final=False), NOT_FINISHED),
        (a_reply("MANUAL", final=False), NOT_FINISHED),
        (a_reply("WAITING_FUNDS", final=False), NOT_FINISHED),
        (a_reply("REVERSING", final=False), NOT_FINISHED),
        (a_reply("REJECTED", 215), OTHER_PARAMETERS),
        (a_reply("REJECTED", 150), REPEAT),
        (a_reply("REJECTED", 300), REPEAT),
    ],
)
def test_a_result_says_no_more_than_the_ledger(reply, result):
    assert result_of(reply) == result


def test_success_is_said_of_posted_payments_alone_and_a_final_no_of_final_states_alone():
    for state in ReplyState.__args__:  # type: ignore[attr-defined]
        for code in (0, 1, 4, 90, 215, 220, 300):
            meaning = RESULTS.get(str(result_of(a_reply(state, code))), "unknown")
            assert (meaning == "ok") == (state in {"POSTED", "REVERSAL_REFUSED"})
            assert meaning != "fatal" or state in {one.value for one in FINAL}, state


@pytest.mark.parametrize("charset", ["utf-8", "cp1251"])
def test_an_answer_is_well_formed_whatever_is_in_it(charset):
    nasty = "<&\"'>]]>☃ Ж\x00\x1b\u202e"
    told = Told("17", 0, nasty, "95.00", "1", [("name", nasty), (nasty, "x")])
    root = fromstring(xml(told, charset))
    assert (root.findtext("osmp_txn_id"), root.findtext("result"), root.findtext("prv_txn")) == ("17", "0", "1")
    assert "☃ Ж" in (root.findtext("comment") or "")
    assert [(one.tag, one.get("type")) for one in root.find("fields") or ()] == [("field1", "disp"), ("field2", "disp")]


# --- Who is let in


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_a_partner_is_known_by_its_password_and_by_where_it_comes_from():
    anna = a_partner("anna", "p", "correct horse battery", ["192.0.2.0/24", "2001:db8::1"], "utf-8")
    door = Door({"anna": anna})
    good = basic("anna", "correct horse battery")

    async def asked(*headers: str) -> list[bool]:
        return [await door.who(header) == anna for header in headers]

    bad = (
        "",
        "Basic",
        "Basic !",
        basic("anna", "wrong"),
        basic("bob", "x"),
        basic("anna", ""),
        good.replace("Basic", "Bearer"),
    )
    assert asyncio.run(asked(good, good, *bad, good)) == [True, True, *[False] * len(bad), True]
    places = {"192.0.2.7": True, "192.0.3.7": False, "2001:db8::1": True, "unix": False, "": False}
    assert {host: door.is_from(anna, host) for host in places} == places


def test_a_flood_of_guesses_is_bounded_and_a_partners_first_questions_are_looked_at_once():
    anna = a_partner("anna", "p", "correct horse battery", [], "utf-8")

    async def flood() -> tuple[list[object], list[object]]:
        door = Door({"anna": anna})
        good = [door.who(basic("anna", "correct horse battery")) for _ in range(100)]
        bad = [door.who(basic("anna", f"guess {number}")) for number in range(30)]
        found = await asyncio.gather(*good, *bad, return_exceptions=True)
        return found[:100], found[100:]

    partner, strangers = asyncio.run(flood())
    assert partner == [anna] * 100
    assert [type(one) for one in strangers].count(Crowded) == 11
    assert {one for one in strangers if not isinstance(one, Crowded)} == {None}


def test_what_is_kept_of_a_password_is_a_hash_in_a_file_of_its_owner(tmp_path: Path):
    settings = Settings(dir=tmp_path)
    path = keep(settings, a_partner("anna", "p", "correct horse battery", [], "cp1251"))
    assert (path.stat().st_mode & 0o777, b"correct" in path.read_bytes()) == (0o600, False)
    assert partners(settings)["anna"].is_password(b"correct horse battery")
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="open to others"):
        partners(settings)
    path.chmod(0o600)
    path.rename(path.with_name("bob.json"))
    with pytest.raises(KeyFileError, match="rename it"):
        partners(settings)
    for password in ("short", "x" * 201, "with\nbreak in it"):
        with pytest.raises(BadInput, match="a password has"):
            a_partner("anna", "p", password, [], "utf-8")


@pytest.mark.parametrize(
    ("method", "path", "credentials", "status", "says"),
    [
        ("GET", "/osmp/mobile", None, 401, "HTTP Basic"),
        ("GET", "/osmp/mobile", ("anna", "a guess it is"), 401, "HTTP Basic"),
        ("GET", "/osmp/mobile", ("anna", "correct horse battery"), 403, "this address"),
        ("POST", "/osmp/mobile", None, 405, "only GET"),
        ("GET", "/mobile", None, 404, "/osmp/<payee>"),
    ],
)
def test_who_is_not_answered_is_told_the_problem(
    method: str, path: str, credentials: tuple[str, str] | None, status: int, says: str
):
    door = Door({"anna": a_partner("anna", "p-1", "correct horse battery", ["192.0.2.0/24"], "utf-8")})

    async def asked() -> httpx.Response:
        app = Interface(door, cast(Teller, None)).app  # which no question gets as far as
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kassa") as client:
            return await client.request(method, path, auth=credentials)

    reply = asyncio.run(asked())
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json()["status"] == status
    assert says in reply.json()["detail"]
    assert ("www-authenticate" in reply.headers) == (status == 401)


# --- Orders sent before


def test_the_order_that_was_sent_is_kept_also_after_a_restart_and_forgotten_when_it_is_too_old(tmp_path, monkeypatch):
    order = an_order()
    later = order.model_copy(update={"made_at": order.made_at + timedelta(hours=1), "fee": order.fee + 1})
    sent = Sent(tmp_path / "sent.sqlite")
    assert [sent.kept(one) for one in (order, later)] == [order, order]
    sent.close()
    monkeypatch.setattr("console.partner.sent._BETWEEN", 1)  # it looks for old ones all the time
    again = Sent(tmp_path / "sent.sqlite")
    another = order.model_copy(update={"id": "kiosk-1.99", "number": 99, "terminal": "kiosk-1"})
    assert again.kept(another) == another
    found = again.find(order.id)
    assert (found.digest() if found else "", again.find("nobody.1")) == (order.digest(), None)
    monkeypatch.setattr("console.partner.sent._KEPT_S", -10)
    again.kept(another.model_copy(update={"id": "kiosk-1.98", "number": 98}))
    assert again.find(order.id) is None
    again.close()
    assert (tmp_path / "sent.sqlite").stat().st_mode & 0o077 == 0
