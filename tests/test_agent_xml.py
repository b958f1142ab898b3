"""Agent XML as it is on the wire: what we ask, what we make of answers however hostile, and how a payment is polled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateways.agent_xml import asker_of, judge, table_of
from agents.gateways.agent_xml_request import QUESTIONS, digest_of, request
from agents.gateways.errors import NotSent
from agents.gateways.http import HttpReply
from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome, Step, Verdict
from tests.builders_protocols import AGENT_XML, PASSWORD, in_its_turns, with_a_password
from tests.gateway_builders import GOLDEN, SUBSCRIBER, a_gateway, a_gateway_to, a_payment
from tests.scripted_payee import Conversation, ScriptedPayee

FILES = GOLDEN / "gateways" / "agent_xml"
PAID, CHECKED, IS_FATAL, UNCLEAR, ABSENT = (
    Verdict.PAID, Verdict.CHECKED, Verdict.FATAL, Verdict.UNCLEAR, Verdict.ABSENT,
)  # fmt: skip
OURS = a_payment()
ASKED = a_payment(subscriber={"phone": SUBSCRIBER, "period": "01.2005"}, fee=1000)


def record(url: str = "http://payee.invalid/", **changes: Any) -> Gateway:
    return a_gateway(url, **{"protocol": "agent-xml", "options": AGENT_XML, **changes})


def judged(body: bytes, step: Step = "pay", status: int = 200, charset: str = "", **changes: Any) -> GatewayOutcome:
    return judge(step, OURS, HttpReply(status, charset, body), table_of(record(**changes)))


def golden(name: str) -> bytes:
    return (FILES / f"{name}.xml").read_bytes()


# --- what we ask


@pytest.mark.parametrize("step", ["check", "pay", "status"])
def test_a_request_is_the_one_on_file_however_often_it_is_made(step: Step, tmp_path: Path) -> None:
    with_a_password(tmp_path)
    asker = asker_of(record(), tmp_path)
    assert {request(step, ASKED, asker) for _ in range(3)} == {golden(f"request_{step}")}


def test_a_payee_of_old_gets_the_password_as_md5(tmp_path: Path) -> None:
    with_a_password(tmp_path)
    asker = asker_of(record(options={**AGENT_XML, "digest": "md5"}), tmp_path)
    assert (asker.algorithm, asker.sign) == ("MD5", "33e1b232a4e6fa0028a6670753749a17")


@pytest.mark.parametrize(
    ("subscriber", "why"),
    [
        ({"phone": "79\x0016"}, "no XML"),
        ({"phone": "\ud800"}, "no XML"),
        ({"phone": "1", "a b": "2"}, "name of an attribute"),
    ],
)
def test_a_field_that_cannot_be_written_is_not_sent(subscriber: dict[str, str], why: str, tmp_path: Path) -> None:
    with_a_password(tmp_path)
    with pytest.raises(NotSent, match=why):
        request("pay", a_payment(subscriber=subscriber), asker_of(record(), tmp_path))


def test_a_field_stays_a_field(tmp_path: Path) -> None:
    with_a_password(tmp_path)
    asked = request("pay", a_payment(subscriber={"phone": '1" amount="9<&\n'}), asker_of(record(), tmp_path))
    assert b'account="1&quot; amount=&quot;9&lt;&amp;&#10;"' in asked


@pytest.mark.parametrize("missing", ["login", "terminal", "service", "password"])
async def test_a_record_without_an_option_it_needs_sends_nothing(missing: str, tmp_path: Path) -> None:
    with_a_password(tmp_path)
    options = {name: value for name, value in AGENT_XML.items() if name != missing}
    async with a_gateway_to(record(options=options), tmp_path) as gateway:
        outcome = await gateway.pay(OURS)
    assert (outcome.verdict, outcome.code) == (Verdict.NOT_SENT, "bad-option")
    assert missing in outcome.comment


@pytest.mark.parametrize(("secret", "why"), [(None, "cannot read"), ("", "not one line"), ("a\nb\n", "not one line")])
async def test_without_the_password_nothing_is_sent(secret: str | None, why: str, tmp_path: Path) -> None:
    if secret is not None:
        (tmp_path / AGENT_XML["password"]).write_text(secret)
    async with a_gateway_to(record(), tmp_path) as gateway:
        outcome = await gateway.pay(OURS)
    assert (outcome.verdict, outcome.code) == (Verdict.NOT_SENT, "no-credentials")
    assert why in outcome.comment


# --- what we make of answers

REPLIES: list[tuple[str, Step, Verdict, str]] = [
    ("check_ok", "check", CHECKED, "0"),
    ("check_not_found_5", "check", IS_FATAL, "5"),
    ("check_unknown_300", "check", UNCLEAR, "300"),
    ("pay_accepted_10", "pay", UNCLEAR, "status-10"),
    ("pay_processing_50", "pay", UNCLEAR, "status-50"),
    ("pay_paid_60", "pay", PAID, "status-60"),
    ("pay_paid_60_cp1251", "pay", PAID, "status-60"),
    ("pay_failed_160", "pay", IS_FATAL, "5"),
    ("pay_refused_241", "pay", IS_FATAL, "241"),
    ("pay_busy_13", "pay", UNCLEAR, "13"),
    ("pay_ok_without_status", "pay", UNCLEAR, "no-status"),
    ("pay_status_77", "pay", UNCLEAR, "status-77"),
    ("pay_paid_but_refused", "pay", UNCLEAR, "contradiction"),
    ("pay_wrong_txn", "pay", UNCLEAR, "wrong-txn"),
    ("pay_wrong_amount", "pay", UNCLEAR, "wrong-sum"),
    ("password_150", "pay", IS_FATAL, "150"),
    ("password_150", "check", IS_FATAL, "150"),
    ("password_150", "status", UNCLEAR, "150"),  # we were refused, which is no refusal of the payment
    ("busy_13", "status", UNCLEAR, "13"),
    ("status_paid_60", "status", PAID, "status-60"),
    ("status_processing_55", "status", UNCLEAR, "status-55"),
    ("status_failed_160", "status", IS_FATAL, "status-160"),
    ("status_absent_210", "status", ABSENT, "210"),
    ("status_technical_8", "status", UNCLEAR, "no-status"),
]
BROKEN = sorted(
    {path.stem for path in FILES.glob("*.xml") if not path.stem.startswith("request")} - {row[0] for row in REPLIES}
)


@pytest.mark.parametrize(("name", "step", "verdict", "code"), REPLIES)
def test_an_answer_about_our_payment(name: str, step: Step, verdict: Verdict, code: str) -> None:
    outcome = judged(golden(name), step)
    assert (outcome.verdict, outcome.code) == (verdict, code)
    assert outcome.step == ("status" if name == "pay_failed_160" else step)  # the payment's own, whatever was asked


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_clear_answer_is_unclear(name: str) -> None:
    for step in ("check", "pay", "status"):
        outcome = judged(golden(name), step)
        assert (outcome.verdict, outcome.code) == (UNCLEAR, "reply-broken")
        assert "passwd" not in outcome.comment


def test_an_answer_to_another_question_is_none() -> None:
    assert judged(golden("status_paid_60"), "pay").code == "reply-broken"
    assert judged(golden("check_ok"), "pay").code == "reply-broken"


@pytest.mark.parametrize("status", [204, 301, 302, 400, 401, 404, 500, 502, 503])
@pytest.mark.parametrize("name", ["pay_paid_60", "pay_failed_160"])
def test_a_good_body_under_a_bad_status_is_unclear(status: int, name: str) -> None:
    outcome = judged(golden(name), status=status)
    assert (outcome.verdict, outcome.code) == (UNCLEAR, f"http-{status}")


def test_everything_an_answer_holds_is_kept() -> None:
    outcome = judged(golden("pay_paid_60_cp1251"))
    assert outcome == GatewayOutcome("pay", PAID, "status-60", "2016", "Платёж принят, спасибо")


@pytest.mark.parametrize(
    ("results", "result", "verdict"),
    [({"300": "fatal"}, 300, IS_FATAL), ({"5": "unknown"}, 5, UNCLEAR), ({"13": "fatal"}, 13, UNCLEAR)],
)
def test_a_dialect_has_its_own_results_but_busy_stays_busy(results: Any, result: int, verdict: Verdict) -> None:
    body = an_answer("pay", result=result)
    assert judged(body, results=results).verdict is verdict


# --- whatever comes


def an_answer(question: Step, txn: object = OURS.txn, **payment: object) -> bytes:
    attributes = "".join(f" {name}={quoteattr(str(value))}" for name, value in {"id": txn, **payment}.items())
    name = QUESTIONS[question]
    answer = f'<{name} result="0"><payment{attributes}/></{name}>'
    return f'<response result="0"><providers>{answer}</providers></response>'.encode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["", "utf-8", "windows-1251", "utf-16", "hex"]))
def test_no_bytes_make_it_raise_or_say_yes_or_no(body: bytes, charset: str) -> None:
    for step in QUESTIONS:
        assert judged(body, step, charset=charset).verdict is UNCLEAR  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_yes_is_never_a_no_and_what_is_left_of_it_is_ours(data: st.DataObject) -> None:
    body = bytearray(golden("pay_paid_60"))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    outcome = judged(bytes(body))
    assert outcome.verdict in (PAID, UNCLEAR)
    assert outcome.verdict is UNCLEAR or (b'id="1234567"' in body and b'"60"' in body)


numbers = st.integers(0, 400) | st.sampled_from([0, 5, 13, 50, 60, 100, 150, 210, 300, 339])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["check", "pay", "status"]),
    st.sampled_from(["check", "pay", "status"]),
    st.sampled_from([OURS.txn, OURS.txn + 1, "01234567", ""]),
    numbers,
    numbers | st.none(),
    st.sampled_from([None, "200", "200.00", "200.01", "2e2", ""]),
)
def test_a_yes_or_a_no_is_only_what_the_table_says_about_our_own_payment(
    step: Step, answered: Step, txn: object, result: int, status: int | None, amount: str | None
) -> None:
    said = {"result": result, "status": status, "amount": amount}
    outcome = judged(
        an_answer(answered, txn, **{name: value for name, value in said.items() if value is not None}), step
    )
    is_ours = answered == step and txn == OURS.txn and amount in (None, "", "200", "200.00")
    has_status = step != "check" and status is not None
    may_be = {
        PAID: has_status and (status, result) == (60, 0),
        CHECKED: (step, result) == ("check", 0),
        ABSENT: (step, status, result) == ("status", None, 210),
        IS_FATAL: (status or 0) >= 100 if has_status else step != "status" and result not in (0, 13, 210, 300),
    }
    assert outcome.verdict is UNCLEAR or (is_ours and may_be[outcome.verdict])


# --- a payment that takes its time


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Path]]:
    """A payee that needs to be asked three times before it has an answer, in calm and in a storm."""
    directory = tmp_path_factory.mktemp("slow")
    options = {**with_a_password(directory)["options"], "polls": "3"}
    calm = Behaviour(protocol="agent-xml", options=options, decline={"13": 5})
    storm = calm.model_copy(
        update={"temporary_pct": 10, "drop_after_accept_pct": 15, "http_500_pct": 15, "broken_reply_pct": 10}
        | {"wrong_txn_pct": 10, "wrong_sum_pct": 10, "garbage_pct": 10, "decline": {"0": 5}}
    )
    with Simulator.start(directory, {"calm": calm, "storm": storm}, seed=11) as simulator:
        yield simulator, directory


@pytest.mark.parametrize(("subscriber", "verdict", "code"), [("79160000001", PAID, "status-60"), ("13", IS_FATAL, "5")])
async def test_a_payment_is_under_way_until_its_status_is_final(
    slow: tuple[Simulator, Path], subscriber: str, verdict: Verdict, code: str
) -> None:
    simulator, directory = slow
    facts = a_payment(txn=int(subscriber), subscriber=subscriber)
    async with a_gateway_to(record(simulator.url_of("calm")), directory) as gateway:
        told = [await gateway.pay(facts), await gateway.status(facts), await gateway.status(facts)]
        last = await gateway.status(facts)
    assert [(one.verdict, one.code) for one in told] == [(UNCLEAR, "status-50")] * 3
    assert (last.step, last.verdict, last.code) == ("status", verdict, code)
    assert (facts.txn in simulator.book_of("calm")) == (verdict is PAID)


async def test_after_a_storm_of_polling_the_payees_book_is_what_we_were_told(slow: tuple[Simulator, Path]) -> None:
    simulator, directory = slow
    several = [a_payment(txn=5_000 + number, subscriber=f"7916{number:07}") for number in range(60)]
    async with a_gateway_to(record(simulator.url_of("storm"), connections=15), directory) as gateway:
        told = await asyncio.gather(*(in_its_turns(gateway, facts) for facts in several))
    assert {outcome.verdict for outcome in told} == {PAID, IS_FATAL}
    paid = {facts.txn for facts, outcome in zip(several, told, strict=True) if outcome.verdict is PAID}
    assert simulator.book_of("storm").keys() == paid
    assert len(paid) == 54
    assert simulator.totals()["storm"]["inconsistencies"] == 0


async def test_a_refused_password_is_read_again(tmp_path: Path) -> None:
    (tmp_path / AGENT_XML["password"]).write_text("old")

    async def talk(one: Conversation) -> None:
        while await one.hear():
            is_known = digest_of(PASSWORD.encode(), "sha256").encode() in one.payee.bodies[-1]
            await one.reply(golden("pay_paid_60" if is_known else "password_150"))

    async with ScriptedPayee(talk) as payee, a_gateway_to(record(payee.url), tmp_path) as gateway:
        refused = await gateway.pay(OURS)
        with_a_password(tmp_path)
        assert (refused.verdict, refused.code) == (IS_FATAL, "150")
        assert (await gateway.pay(OURS)).verdict is PAID


async def test_no_failure_tells_the_subscribers_number_or_the_password(tmp_path: Path) -> None:
    with_a_password(tmp_path)

    async def talk(one: Conversation) -> None:
        await one.hear()

    async with ScriptedPayee(talk) as payee, a_gateway_to(record(payee.url), tmp_path) as gateway:
        lost = await gateway.pay(OURS)
        payee.close()
        refused = await gateway.status(OURS)
        await gateway.aclose()
        closed = await gateway.check(OURS)
    assert [one.code for one in (lost, refused, closed)] == ["connection-lost", "connect", "closed"]
    assert SUBSCRIBER not in repr((lost, refused, closed))
    assert PASSWORD not in repr((lost, refused, closed))
