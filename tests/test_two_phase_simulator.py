"""The simulated two-phase payee: what it promises outlives a kill, and what nobody performs it gives up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.gateways.simulator_book import Journal
from agents.gateways.simulator_faults import Behaviour, Fault
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_question import BadRequest
from agents.gateways.simulator_two_phase import TwoPhaseWire
from agents.gateways.simulator_wire import Request
from agents.gateways.two_phase_request import about, statement
from tests.gateway_builders import a_payment

WIRE = TwoPhaseWire()
OURS = a_payment()
CREATE, PERFORM, LOOK, CANCEL = "CreateTransaction", "PerformTransaction", "CheckTransaction", "CancelTransaction"


def a_payee(journal: Journal | None = None, **options: str) -> Payees:
    return Payees({"click": Behaviour(protocol="two-phase", options=options)}, 1, journal)


def told(payees: Payees, method: Any, at: int = 1_000, body: bytes = b"") -> dict[str, Any]:
    behaviour = payees.behaviours["click"]
    asked = Request("click", "POST", "", {}, {}, body or about(method, OURS, 7))
    question = WIRE.read(asked, behaviour)
    payees.meet(question)
    reply = orjson.loads(WIRE.write(question, WIRE.answer(payees, question, at), behaviour, None).body)
    assert reply.pop("id") == 7
    return reply.get("result") or {"code": reply["error"]["code"]}


def test_a_transaction_is_created_then_performed_and_then_in_the_book() -> None:
    payees = a_payee()
    assert told(payees, CREATE)["state"] == told(payees, LOOK)["state"] == 1
    assert not payees.books["click"].paid
    assert told(payees, PERFORM)["state"] == told(payees, PERFORM)["state"] == told(payees, CREATE)["state"] == 2
    assert payees.books["click"].paid[1234567].sum == "200.00"
    assert not payees.books["click"].created


def test_one_that_keeps_to_the_letter_refuses_to_create_what_is_past_it() -> None:
    payees = a_payee(strict="1")
    assert told(payees, CREATE)["state"] == told(payees, CREATE)["state"] == 1
    told(payees, PERFORM)
    assert told(payees, CREATE) == {"code": -31008}
    assert told(payees, LOOK)["state"] == 2


def test_what_nobody_performs_in_time_is_given_up_for_good() -> None:
    payees = a_payee(gives_up_ms="500")
    told(payees, CREATE, at=1_000)
    assert told(payees, LOOK, at=1_500)["state"] == 1
    assert told(payees, PERFORM, at=1_501) == {"code": -31008}
    assert told(payees, LOOK, at=1_501)["state"] == told(payees, CREATE, at=1_502)["state"] == -1
    assert not payees.books["click"].paid


def test_what_was_created_and_no_more_is_cancelled_and_never_performed() -> None:
    payees = a_payee()
    told(payees, CREATE)
    assert told(payees, CANCEL)["state"] == told(payees, CANCEL)["state"] == -1
    assert told(payees, PERFORM) == {"code": -31008}


def test_nothing_is_performed_or_cancelled_that_was_never_created() -> None:
    payees = a_payee()
    assert [told(payees, method) for method in (LOOK, PERFORM, CANCEL)] == [{"code": -31003}] * 3


def test_a_number_with_another_sum_is_refused_and_counted_created_or_performed() -> None:
    payees, other = a_payee(), about(CREATE, a_payment(amount=20001), 7)
    told(payees, CREATE)
    assert told(payees, CREATE, body=other) == {"code": -31001}
    told(payees, PERFORM)
    assert told(payees, CREATE, body=other) == {"code": -31001}
    assert payees.books["click"].inconsistencies == 2


def test_a_statement_has_what_was_performed_in_it() -> None:
    payees = a_payee()
    told(payees, CREATE)
    everything = statement(0, 5_000, 7)
    assert told(payees, None, body=everything) == {"transactions": []}
    told(payees, PERFORM, at=2_000)
    (row,) = told(payees, None, body=everything)["transactions"]
    assert (row["id"], row["amount"], row["state"], row["perform_time"]) == ("1234567", 20000, 2, 2_000)
    assert told(payees, None, body=statement(0, 1_999, 7)) == {"transactions": []}


def test_a_promise_outlives_a_kill(tmp_path: Path) -> None:
    for method, state in ((CREATE, 1), (PERFORM, 2), (CANCEL, -2)):
        with Journal(tmp_path / "book") as journal:
            payees = a_payee(journal)
            assert told(payees, method)["state"] == state
        with Journal(tmp_path / "book") as journal:
            payees = a_payee(journal)
            assert told(payees, LOOK)["state"] == state


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"id":1,"method":"Refund","params":{}}', b'{"id":1,"method":"CreateTransaction","params":[]}',
     b'{"id":1,"method":"CreateTransaction","params":{"id":"1","amount":1,"account":{}}}'],
)  # fmt: skip
def test_what_is_no_request_is_told_so(body: bytes) -> None:
    with pytest.raises(BadRequest):
        WIRE.read(Request("click", "POST", "", {}, {}, body), Behaviour(protocol="two-phase"))


def test_a_pay_meets_one_fault_in_one_of_its_two_requests() -> None:
    create, perform = (
        WIRE.read(Request("click", "POST", "", {}, {}, about(method, OURS, 7)), Behaviour())
        for method in (CREATE, PERFORM)
    )
    for fault in Fault:
        assert WIRE.meets(create, fault) != WIRE.meets(perform, fault)
    payees = Payees({"click": Behaviour(protocol="two-phase", garbage_pct=50, faulty_askings=9)}, 1)
    assert len({(payees.meet(create), payees.meet(perform)) for _ in range(9)}) == 2
