"""Create, perform, and everything that may break between them: paid once, and never called refused once it was paid."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateways import two_phase_request
from agents.gateways.errors import NotSent
from agents.gateways.http import HttpReply, Line
from agents.gateways.results import ResultTable
from agents.gateways.two_phase import TwoPhaseGateway
from agents.gateways.two_phase_codes import RESULTS
from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome, Verdict
from tests.gateway_builders import RECEIVED_AT, a_gateway, a_payment
from tests.two_phase_payee import FAILED_AFTER, FINE, LOST_REPLY, LOST_REQUEST, MISHAPS, NOT_SENT, MemoryPayee

REQUESTS = Path(__file__).parent / "golden" / "gateways" / "two_phase" / "requests"
OURS = a_payment()
PAID, IS_FATAL, UNCLEAR, ABSENT = Verdict.PAID, Verdict.FATAL, Verdict.UNCLEAR, Verdict.ABSENT
CREATE, PERFORM, LOOK = "CreateTransaction", "PerformTransaction", "CheckTransaction"


def a_two_phase(payee: Any, **record: Any) -> TwoPhaseGateway:
    table = ResultTable(RESULTS, a_gateway("http://payee.invalid/", **record))
    return TwoPhaseGateway(cast(Line, payee), table, cancels=True)


# --- what we ask


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("check", "CheckPerformTransaction"),
        ("create", CREATE),
        ("perform", PERFORM),
        ("status", LOOK),
        ("cancel", "CancelTransaction"),
    ],
)
def test_a_request_is_written_like_this(name: str, method: two_phase_request.Method) -> None:
    assert two_phase_request.about(method, OURS, 7) + b"\n" == (REQUESTS / f"{name}.json").read_bytes()


def test_a_statement_is_asked_for_like_this() -> None:
    asked = two_phase_request.statement(RECEIVED_AT, RECEIVED_AT + 86_400_000 - 1, 7)
    assert asked + b"\n" == (REQUESTS / "statement.json").read_bytes()


def test_a_field_that_is_no_text_is_not_sent() -> None:
    with pytest.raises(NotSent, match="bad-field"):
        two_phase_request.about(CREATE, a_payment(subscriber={"phone": "\ud800"}), 7)


async def test_no_two_requests_have_one_number() -> None:
    payee = MemoryPayee()
    gateway, other = a_two_phase(payee), a_two_phase(payee)
    await gateway.pay(OURS)
    await gateway.pay(OURS)
    await other.pay(OURS)
    numbers = [asked["id"] for asked in payee.asked]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 2**53 for number in numbers)


# --- pay, step by step


@pytest.mark.parametrize("strict", [True, False])
async def test_a_payment_is_created_and_performed_and_a_repeat_says_paid_again(strict: bool) -> None:
    payee = MemoryPayee(strict=strict)
    gateway = a_two_phase(payee)
    outcomes = [await gateway.pay(OURS) for _ in range(3)]
    assert outcomes == [GatewayOutcome("pay", PAID, "2", "ref-1234567")] * 3
    assert payee.methods()[:2] == [CREATE, PERFORM]
    assert (payee.book["1234567"].amount, payee.book["1234567"].performed) == (20000, 1)


# What happens to the exchanges of a first pay -> its verdict, and what the payee has then (0: nothing).
FIRST_PAYS = [
    ([NOT_SENT], Verdict.NOT_SENT, 0),
    ([LOST_REQUEST], UNCLEAR, 0),
    ([LOST_REPLY], UNCLEAR, 1),
    ([FAILED_AFTER], UNCLEAR, 1),
    ([FINE, NOT_SENT], UNCLEAR, 1),  # not "not sent": the payee holds a transaction of ours, so no other route
    ([FINE, LOST_REQUEST], UNCLEAR, 1),
    ([FINE, LOST_REPLY], UNCLEAR, 2),
    ([FINE, FAILED_AFTER], UNCLEAR, 2),
]


@pytest.mark.parametrize(("mishaps", "verdict", "state"), FIRST_PAYS)
async def test_a_pay_that_breaks_is_unclear_from_create_on(mishaps: list[str], verdict: Verdict, state: int) -> None:
    payee = MemoryPayee(mishaps=list(mishaps))
    outcome = await a_two_phase(payee).pay(OURS)
    assert (outcome.step, outcome.verdict) == ("pay", verdict)
    assert (payee.book["1234567"].state if payee.book else 0) == state


@pytest.mark.parametrize(("mishaps", "state"), [(mishaps, state) for mishaps, _, state in FIRST_PAYS])
async def test_its_status_says_where_it_is_and_the_next_pay_ends_it(mishaps: list[str], state: int) -> None:
    payee = MemoryPayee(mishaps=list(mishaps))
    gateway = a_two_phase(payee)
    await gateway.pay(OURS)
    status = await gateway.status(OURS)
    assert (status.step, status.verdict) == ("status", PAID if state == 2 else ABSENT)
    assert (await gateway.pay(OURS)).verdict is PAID
    assert payee.book["1234567"].performed == 1


@pytest.mark.parametrize("strict", [True, False])
async def test_what_the_payee_gave_up_meanwhile_is_refused_as_a_status_is(strict: bool) -> None:
    """Not as a pay is: after an unclear attempt that would be an operator's to find out, and here it is known."""
    payee = MemoryPayee(strict=strict, mishaps=[FINE, LOST_REQUEST])
    gateway = a_two_phase(payee)
    assert (await gateway.pay(OURS)).verdict is UNCLEAR
    payee.give_up(["1234567"])
    for outcome in (await gateway.pay(OURS), await gateway.status(OURS)):
        assert (outcome.step, outcome.verdict, outcome.code) == ("status", IS_FATAL, "-1")


async def test_a_payee_that_gives_up_between_create_and_perform_is_looked_at() -> None:
    payee = MemoryPayee()
    gateway = a_two_phase(payee)
    create = payee.CreateTransaction

    def created_then_given_up(params: dict[str, Any]) -> dict[str, Any]:
        said = create(params)
        payee.give_up([params["id"]])
        return said

    payee.CreateTransaction = created_then_given_up  # type: ignore[method-assign]
    outcome = await gateway.pay(OURS)
    assert (outcome.step, outcome.verdict, outcome.code) == ("status", IS_FATAL, "-1")
    assert payee.methods() == [CREATE, PERFORM, LOOK]


async def test_a_payment_that_was_given_back_is_never_paid_again() -> None:
    payee = MemoryPayee()
    gateway = a_two_phase(payee)
    await gateway.pay(OURS)
    assert {(await gateway.cancel(OURS)).verdict for _ in range(3)} == {Verdict.CANCELLED}
    for outcome in (await gateway.pay(OURS), await gateway.status(OURS)):
        assert (outcome.step, outcome.verdict, outcome.code) == ("status", IS_FATAL, "-2")
    assert payee.book["1234567"].cancelled == 1


@pytest.mark.parametrize("code", [-31001, -31050, -31099, -31008])
async def test_a_new_transaction_that_is_refused_is_refused_for_good(code: int) -> None:
    outcome = await a_two_phase(MemoryPayee(refuses=code)).pay(OURS)
    assert (outcome.step, outcome.verdict, outcome.code, outcome.comment) == ("pay", IS_FATAL, str(code), "Отказ")


async def test_cannot_perform_is_no_refusal_while_nobody_can_be_asked_what_of() -> None:
    outcome = await a_two_phase(MemoryPayee(refuses=-31008, mishaps=[FINE, LOST_REPLY])).pay(OURS)
    assert (outcome.step, outcome.verdict, outcome.code) == ("pay", UNCLEAR, "-31008")


@pytest.mark.parametrize("code", [-31003, -31007, -31049, -31100, -32400, -32504, -32600, -32700, 1, 5])
async def test_no_other_error_is_a_refusal_of_a_pay(code: int) -> None:
    assert (await a_two_phase(MemoryPayee(refuses=code)).pay(OURS)).verdict is UNCLEAR


async def test_a_dialect_moves_codes_but_makes_no_error_a_yes_and_no_transport_a_no() -> None:
    dialect: dict[str, Any] = {"results": {"-31900": "fatal", "-31050": "repeat", "-31060": "ok", "-32400": "fatal"}}
    for code, verdict in ((-31900, IS_FATAL), (-31050, UNCLEAR), (-31060, UNCLEAR), (-32400, UNCLEAR)):
        gateway = a_two_phase(MemoryPayee(refuses=code), **dialect)
        for outcome in (await gateway.check(OURS), await gateway.pay(OURS)):
            assert (outcome.verdict, outcome.code) == (verdict, str(code))


async def test_a_refused_password_is_read_again() -> None:
    payee = MemoryPayee(refuses=-32504)
    assert (await a_two_phase(payee).check(OURS)).verdict is UNCLEAR
    assert payee.forgotten == 1


async def test_a_cancel_that_the_payee_does_not_know_is_unclear_and_one_it_keeps_is_final() -> None:
    payee = MemoryPayee()
    gateway = a_two_phase(payee)
    assert (await gateway.cancel(OURS)).verdict is UNCLEAR  # it said it was paid, and now it has not heard of it
    payee.CancelTransaction = lambda params: {"error": {"code": -31007}}  # type: ignore[method-assign]
    outcome = await gateway.cancel(OURS)
    assert (outcome.step, outcome.verdict, outcome.code) == ("cancel", IS_FATAL, "-31007")


# --- whatever breaks


@settings(max_examples=400, deadline=None)
@given(
    mishaps=st.lists(st.sampled_from(MISHAPS), max_size=12),
    strict=st.booleans(),
    refuses=st.sampled_from([0, 0, 0, -31050]),
    gives_up=st.integers(0, 12),
    asks_status=st.booleans(),
)
def test_whatever_breaks_the_payment_is_performed_once_or_never(
    mishaps: list[str], strict: bool, refuses: int, gives_up: int, asks_status: bool
) -> None:
    """As dispatch asks: pay; once that was unclear its status, and pay again where it is absent."""
    asyncio.run(_asked_to_the_end(MemoryPayee(strict, refuses, list(mishaps)), gives_up, asks_status))


async def _asked_to_the_end(payee: MemoryPayee, gives_up: int, asks_status: bool) -> None:
    gateway, maybe_sent = a_two_phase(payee), False
    outcome: GatewayOutcome | None = None
    for turn in range(20):
        if turn == gives_up:
            payee.give_up(["1234567"])
        outcome = await gateway.status(OURS) if maybe_sent and asks_status else None
        heard = len(payee.asked)
        if outcome is None or outcome.verdict is ABSENT:
            outcome = await gateway.pay(OURS)
        _is_true(outcome, payee, OURS)
        assert outcome.verdict is not Verdict.NOT_SENT or len(payee.asked) == heard
        if outcome.verdict in (PAID, IS_FATAL):
            break
        maybe_sent = maybe_sent or outcome.verdict is UNCLEAR
    assert outcome is not None
    assert outcome.verdict in (PAID, IS_FATAL)


def _is_true(outcome: GatewayOutcome, payee: MemoryPayee, facts: PaymentFacts) -> None:
    booked = payee.book.get(str(facts.txn))
    if outcome.verdict is PAID:
        assert booked is not None
        assert (booked.state, booked.performed, booked.amount) == (2, 1, facts.amount)
    if outcome.verdict is IS_FATAL:
        assert booked is None or booked.state < 0
    assert booked is None or booked.performed <= 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
async def test_no_bytes_make_it_raise_or_conclude_anything(body: bytes) -> None:
    class Babbling(MemoryPayee):
        async def post(self, *_: Any, **__: Any) -> HttpReply:
            return HttpReply(200, "", body)

    gateway = a_two_phase(Babbling())
    for outcome in (await gateway.check(OURS), await gateway.pay(OURS), await gateway.status(OURS)):
        assert outcome.verdict is UNCLEAR
    assert isinstance(await gateway.statement(0, 1), GatewayOutcome)


@pytest.mark.parametrize("path", sorted(REQUESTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_page_shows_the_golden_requests(path: Path) -> None:
    page = Path(__file__).parent.parent / "docs" / "gateways" / "two-phase.md"
    assert f"\n    {path.read_text(encoding='utf-8')}" in page.read_text(encoding="utf-8")
