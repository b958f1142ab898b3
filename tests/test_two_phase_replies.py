"""What we make of two-phase answers, however hostile: a yes or a no only where it is clearly about our payment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateways import strict_json
from agents.gateways.capabilities import StatementLine
from agents.gateways.http import HttpReply
from agents.gateways.two_phase import TwoPhaseGateway
from agents.gateways.two_phase_statement import MAX_PARTS, whole_statement
from schemas.outcome import GatewayOutcome, Step, Verdict
from tests.gateway_builders import RECEIVED_AT, a_payment
from tests.test_two_phase import a_two_phase

REPLIES_AT = Path(__file__).parent / "golden" / "gateways" / "two_phase" / "replies"
OURS = a_payment()
PAID, CHECKED, IS_FATAL, UNCLEAR, ABSENT = Verdict.PAID, Verdict.CHECKED, Verdict.FATAL, Verdict.UNCLEAR, Verdict.ABSENT


def golden(name: str) -> bytes:
    return (REPLIES_AT / f"{name}.json").read_bytes()


class Always:
    """A payee that answers everything with one reply. The golden files answer request 7."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.body, self.status = body, status

    async def post(self, *_: Any, **__: Any) -> HttpReply:
        return HttpReply(self.status, "utf-8", self.body)

    def forget_credentials(self) -> None:
        pass


def told(body: bytes, status: int = 200) -> TwoPhaseGateway:
    gateway = a_two_phase(Always(body, status))
    gateway._rpc_ids = iter([7] * 10)  # type: ignore[assignment]
    return gateway


async def judged(step: Step, body: bytes, status: int = 200) -> tuple[Step, Verdict, str]:
    outcome: GatewayOutcome = await getattr(told(body, status), step)(OURS)
    return outcome.step, outcome.verdict, outcome.code


# Name of the reply -> what it makes of a check, a status, a cancel.
REPLIES: dict[str, tuple[tuple[Verdict, str], tuple[Verdict, str], tuple[Verdict, str]]] = {
    "created": ((UNCLEAR, "reply-broken"), (ABSENT, "1"), (UNCLEAR, "1")),
    "performed": ((UNCLEAR, "reply-broken"), (PAID, "2"), (UNCLEAR, "2")),
    "performed_number_ref": ((UNCLEAR, "reply-broken"), (PAID, "2"), (UNCLEAR, "2")),
    "performed_with_id_and_amount": ((UNCLEAR, "reply-broken"), (PAID, "2"), (UNCLEAR, "2")),
    "performed_null_error": ((UNCLEAR, "reply-broken"), (PAID, "2"), (UNCLEAR, "2")),
    "performed_without_version": ((UNCLEAR, "reply-broken"), (PAID, "2"), (UNCLEAR, "2")),
    "bom": ((UNCLEAR, "reply-broken"), (PAID, "2"), (UNCLEAR, "2")),
    "cancelled_before": ((UNCLEAR, "reply-broken"), (IS_FATAL, "-1"), (Verdict.CANCELLED, "-1")),
    "cancelled_after": ((UNCLEAR, "reply-broken"), (IS_FATAL, "-2"), (Verdict.CANCELLED, "-2")),
    "allowed": ((CHECKED, ""), (UNCLEAR, "reply-broken"), (UNCLEAR, "reply-broken")),
    "allowed_with_more": ((CHECKED, ""), (UNCLEAR, "reply-broken"), (UNCLEAR, "reply-broken")),
    "not_allowed": ((IS_FATAL, "not-allowed"), (UNCLEAR, "reply-broken"), (UNCLEAR, "reply-broken")),
    "wrong_amount_31001": ((IS_FATAL, "-31001"), (UNCLEAR, "-31001"), (UNCLEAR, "-31001")),
    "not_found_31003": ((UNCLEAR, "-31003"), (ABSENT, "-31003"), (UNCLEAR, "-31003")),
    "cannot_cancel_31007": ((UNCLEAR, "-31007"), (UNCLEAR, "-31007"), (IS_FATAL, "-31007")),
    "cannot_perform_31008": ((IS_FATAL, "-31008"), (UNCLEAR, "-31008"), (UNCLEAR, "-31008")),
    "no_subscriber_31050": ((IS_FATAL, "-31050"), (UNCLEAR, "-31050"), (UNCLEAR, "-31050")),
    "subscriber_31099": ((IS_FATAL, "-31099"), (UNCLEAR, "-31099"), (UNCLEAR, "-31099")),
    "long_message": ((IS_FATAL, "-31050"), (UNCLEAR, "-31050"), (UNCLEAR, "-31050")),
    "message_of_numbers": ((IS_FATAL, "-31050"), (UNCLEAR, "-31050"), (UNCLEAR, "-31050")),
    "not_a_subscriber_31100": ((UNCLEAR, "-31100"), (UNCLEAR, "-31100"), (UNCLEAR, "-31100")),
    "system_32400": ((UNCLEAR, "-32400"), (UNCLEAR, "-32400"), (UNCLEAR, "-32400")),
    "no_right_32504": ((UNCLEAR, "-32504"), (UNCLEAR, "-32504"), (UNCLEAR, "-32504")),
    "parse_32700": ((UNCLEAR, "-32700"), (UNCLEAR, "-32700"), (UNCLEAR, "-32700")),
    "method_32601": ((UNCLEAR, "-32601"), (UNCLEAR, "-32601"), (UNCLEAR, "-32601")),
    "unknown_1": ((UNCLEAR, "1"), (UNCLEAR, "1"), (UNCLEAR, "1")),
    "another_id": ((UNCLEAR, "wrong-id"),) * 3,
    "text_id": ((UNCLEAR, "wrong-id"),) * 3,
    "null_id": ((UNCLEAR, "wrong-id"),) * 3,
    "true_id": ((UNCLEAR, "wrong-id"),) * 3,
    "no_id": ((UNCLEAR, "wrong-id"),) * 3,
    "wrong_txn": ((UNCLEAR, "reply-broken"), (UNCLEAR, "wrong-txn"), (UNCLEAR, "wrong-txn")),
    "txn_as_number": ((UNCLEAR, "reply-broken"), (UNCLEAR, "wrong-txn"), (UNCLEAR, "wrong-txn")),
    "wrong_sum": ((UNCLEAR, "reply-broken"), (UNCLEAR, "wrong-sum"), (UNCLEAR, "wrong-sum")),
    "sum_text": ((UNCLEAR, "reply-broken"), (UNCLEAR, "wrong-sum"), (UNCLEAR, "wrong-sum")),
}
STEPS: tuple[Step, ...] = ("check", "status", "cancel")
EVERY = {path.stem for path in REPLIES_AT.glob("*.json")}
STATEMENTS = {name for name in EVERY if name.startswith("statement")}
BROKEN = sorted(EVERY - set(REPLIES) - STATEMENTS)


@pytest.mark.parametrize("name", REPLIES)
async def test_an_answer_about_our_payment(name: str) -> None:
    for step, (verdict, code) in zip(STEPS, REPLIES[name], strict=True):
        assert await judged(step, golden(name)) == (step, verdict, code)


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_clear_answer_is_unclear(name: str) -> None:
    for step in (*STEPS, "pay"):
        assert await judged(step, golden(name)) == (step, UNCLEAR, "reply-broken")
    assert isinstance(await told(golden(name)).statement(0, 1), GatewayOutcome)


@pytest.mark.parametrize("name", sorted(EVERY - {"performed", "bom", "created"}))
async def test_no_such_answer_to_a_pay_makes_it_paid(name: str) -> None:
    outcome = await told(golden(name)).pay(OURS)
    assert outcome.verdict is not PAID or name.startswith("performed_")


@pytest.mark.parametrize("status", [100, 204, 301, 302, 400, 401, 404, 500, 502, 503, 504])
async def test_a_good_body_under_a_bad_status_is_unclear(status: int) -> None:
    for name in ("performed", "no_subscriber_31050", "not_found_31003"):
        for step in (*STEPS, "pay"):
            assert await judged(step, golden(name), status) == (step, UNCLEAR, f"http-{status}")


async def test_everything_an_answer_holds_is_kept() -> None:
    assert await told(golden("performed")).pay(OURS) == GatewayOutcome("pay", PAID, "2", "5123")
    assert (await told(golden("performed_number_ref")).pay(OURS)).provider_ref == "5123"
    assert (await told(golden("cannot_cancel_31007")).cancel(OURS)).comment == "Заказ выполнен"
    assert (await told(golden("cannot_perform_31008")).check(OURS)).comment == "Cannot perform"


async def test_a_message_is_one_bounded_line_without_control_characters() -> None:
    comment = (await told(golden("long_message")).check(OURS)).comment
    assert comment.startswith("line one line two я")
    assert len(comment) == 200


@settings(max_examples=200, deadline=None)
@given(st.data())
async def test_a_damaged_answer_is_never_a_no_and_a_yes_is_still_ours(data: st.DataObject) -> None:
    body = bytearray(golden("performed"))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    outcome = await told(bytes(body)).status(OURS)
    state = next((state for state in (1, 2, -1, -2) if str(state) == outcome.code), 0)
    if outcome.verdict is not UNCLEAR:
        assert state
        assert strict_json.loads(bytes(body))["id"] == 7  # type: ignore[index]


# --- numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-2", -2),
        ("999999999999999999", 10**18 - 1),
        ('{"a":[1,true,null,"x"]}', {"a": [1, True, None, "x"]}),
    ],
)
def test_what_is_strict_is_read(text: str, value: object) -> None:
    assert strict_json.loads(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "1.0", "1e3", "-0.0", "1E400", "NaN", "Infinity", "-Infinity", "1" * 19, "-" + "1" * 19, "01", "+1", "0x10", "",
        '{"a":1,"a":1}', '[{"b":{"a":1,"a":2}}]', '{"a":1,}', "[1,]", "{a:1}", "'a'", "1 2", '"\x00"', "[" * 60_000,
    ],
)  # fmt: skip
def test_what_is_not_strict_is_not(text: str) -> None:
    with pytest.raises(strict_json.NotStrict):
        strict_json.loads(text.encode())


# --- statements


async def test_a_statement_is_every_line_of_it() -> None:
    lines = await told(golden("statement")).statement(RECEIVED_AT, RECEIVED_AT + 1)
    assert lines == [
        StatementLine(1234567, 20000, "paid", "5123", RECEIVED_AT + 900),
        StatementLine(1234568, 20000, "cancelled", "5124", RECEIVED_AT + 900),
        StatementLine(1234569, 20000, "cancelled", "5125", RECEIVED_AT + 2000),
        StatementLine(1234570, 20000, "open", "5126", RECEIVED_AT + 500),
    ]
    assert await told(golden("statement_empty")).statement(0, 1) == []


@pytest.mark.parametrize("name", sorted(STATEMENTS - {"statement", "statement_empty"}))
async def test_a_statement_with_a_line_nobody_can_read_is_none(name: str) -> None:
    outcome = await told(golden(name)).statement(0, 1)
    assert isinstance(outcome, GatewayOutcome)
    assert (outcome.step, outcome.verdict, outcome.code) == ("status", UNCLEAR, "reply-broken")


async def test_a_statement_that_is_too_long_is_asked_for_in_parts_that_meet() -> None:
    asked: list[tuple[int, int]] = []

    async def part(since: int, until: int) -> dict[str, Any] | GatewayOutcome:
        if until - since >= 30:
            return GatewayOutcome("status", UNCLEAR, "reply-too-large")
        asked.append((since, until))
        return {"transactions": []}

    assert await whole_statement(part, 100, 200) == []  # type: ignore[arg-type]
    assert asked == sorted(asked)
    assert [at for since, until in asked for at in range(since, until + 1)] == list(range(100, 200))


@pytest.mark.parametrize("code", ["reply-too-large", "timeout"])
async def test_a_statement_of_which_a_part_cannot_be_had_is_none(code: str) -> None:
    calls = 0

    async def part(since: int, until: int) -> GatewayOutcome:
        nonlocal calls
        calls += 1
        return GatewayOutcome("status", UNCLEAR, code)

    said = await whole_statement(part, 0, 2**40)
    assert isinstance(said, GatewayOutcome)
    assert calls <= MAX_PARTS


# --- what a check tells


async def test_a_subscriber_is_tracked_by_what_comes_with_the_allowance() -> None:
    found = await told(golden("allowed_with_more")).track(OURS)
    assert (found.outcome.verdict, found.name, found.debt, found.shown) == (CHECKED, "Иванов И.", 31250, ())
    for name in ("no_subscriber_31050", "not_allowed", "allow_text", "allowed"):
        found = await told(golden(name)).track(OURS)
        assert (found.name, found.debt, found.shown) == ("", None, ())
        assert found.outcome == await told(golden(name)).check(OURS)


@pytest.mark.parametrize(
    ("additional", "shown"),
    [
        ('"text"', ()),
        ("[1]", ()),
        ('{"a":{"b":1},"c":[1,"x"],"d":true,"e":null,"f":"","g":7}', (("f", ""), ("g", "7"))),
    ],
)
async def test_what_is_no_text_and_no_number_is_not_shown(additional: str, shown: tuple[tuple[str, str], ...]) -> None:
    found = await told(f'{{"id":7,"result":{{"allow":true,"additional":{additional}}}}}'.encode()).track(OURS)
    assert (found.outcome.verdict, found.shown) == (CHECKED, shown)


async def test_denominations_are_a_list_of_minor_units() -> None:
    body = b'{"id":7,"result":{"allow":true,"additional":{"denominations":[20000,10000]}}}'
    assert (await told(body).track(OURS)).denominations == (10000, 20000)
