"""JSON-RPC in two phases as a simulated payee speaks it. See docs/gateways/two-phase.md.

Options of a payee's behaviour: `strict`: "1": a create of what is past being created is refused (-31008), as the
protocol has it; else it tells the state. `gives_up_ms`: how long it keeps what was created and not performed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson

from agents.gateways.simulator_book import Created, Paid
from agents.gateways.simulator_faults import BEFORE_ACCEPTING, Behaviour, Fault, debtor
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_question import Answer, BadRequest, Question, Said
from agents.gateways.simulator_wire import Reply, Request, Wire

GIVES_UP_MS = 43_200_000  # half a day, as payees of this class have it
CANNOT_PERFORM = -31008
ACCOUNT = -31050
CODES = {
    Said.TEMPORARY: -32400,
    Said.NOT_FINISHED: -32400,
    Said.ABSENT: -31003,
    Said.NOT_PAID: -31003,
    Said.INCONSISTENT: -31001,
    Said.NO_CANCELS: -31007,
    Said.TOO_LATE: -31007,
    Said.KEPT: -31007,
}
# A create is counted as what it is to the asker: a pay.
_COMMANDS = {
    "CheckPerformTransaction": "check",
    "CreateTransaction": "pay",
    "PerformTransaction": "perform",
    "CheckTransaction": "status",
    "CancelTransaction": "cancel",
    "GetStatement": "statement",
}


@dataclass(frozen=True, slots=True)
class Call(Question):
    """A question of this protocol. rpc_id: the request's, which the reply has again."""

    rpc_id: int = 0

    @property
    def part_of(self) -> str:
        return "pay" if self.command == "perform" else self.command


class TwoPhaseWire(Wire):
    def read(self, request: Request, behaviour: Behaviour) -> Question:
        try:
            asked = orjson.loads(request.body)
            command, params = _COMMANDS[asked["method"]], asked["params"]
            call = Call(request.payee, command, 0, rpc_id=int(asked["id"]))
            if command == "statement":
                return replace(call, since=int(params["from"]), until=int(params["to"]) + 1)
            call = replace(call, txn=int(params.get("id", 0)))
            if command not in ("check", "pay"):
                return call
            return replace(call, account=str(next(iter(params["account"].values()))), sum=_major(params["amount"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, StopIteration):
            raise BadRequest("expected a JSON-RPC request of the two-phase protocol") from None

    def meets(self, question: Question, fault: Fault) -> bool:
        """What books nothing hits the create, what books first the perform; some replies to a create are lost too.

        Both meet the fault of their pay, and one of them it hits.
        """
        if question.command not in ("pay", "perform"):
            return True
        lost = fault in (Fault.DROP_AFTER, Fault.TIME_OUT_AFTER) and question.txn % 3 == 0
        return (question.command == "pay") == (lost or fault in BEFORE_ACCEPTING)

    def answer(self, payees: Payees, question: Question, at: int) -> Answer:
        book = payees.books[question.payee]
        created = _kept(payees, question, at)
        if created is not None and not book.stored(question.txn):
            return _of_created(payees, question, created, at)
        if question.command == "perform":
            stored = book.stored(question.txn)
            return payees.answer(replace(question, command="status"), at) if stored else Answer(Said.NOT_PAID)
        if question.command != "pay":
            return payees.answer(question, at)
        if book.stored(question.txn):
            known = payees.answer(question, at)
            return Answer(Said.REFUSED, CANNOT_PERFORM) if known.paid and _is_strict(payees, question) else known
        return _create(payees, question, at)

    def write(self, question: Question, answer: Answer, behaviour: Behaviour, fault: Fault | None) -> Reply:
        rpc_id = question.rpc_id if isinstance(question, Call) else 0
        said = {"jsonrpc": "2.0", "id": rpc_id + (fault is Fault.WRONG_TXN), **_said(question, answer, behaviour)}
        return Reply(orjson.dumps(said), "application/json; charset=utf-8")


def _kept(payees: Payees, question: Question, at: int) -> Created | None:
    """The transaction that is created and no more; one that waited too long is cancelled now."""
    created = payees.books[question.payee].created.get(question.txn)
    if created is not None and not created.cancelled_at:
        patience = payees.behaviours[question.payee].options.get("gives_up_ms", GIVES_UP_MS)
        if at - created.created_at > int(patience):
            created.cancelled_at = at
            payees.write(question, created)
    return created


def _of_created(payees: Payees, question: Question, created: Created, at: int) -> Answer:
    if question.command == "pay" and (created.account, created.sum) != (question.account, question.sum):
        payees.books[question.payee].inconsistencies += 1
        return Answer(Said.INCONSISTENT)
    if question.command == "cancel" and not created.cancelled_at:
        created.cancelled_at = at
        payees.write(question, created)
    if created.cancelled_at:
        refused = question.command == "perform" or (question.command == "pay" and _is_strict(payees, question))
        return Answer(Said.REFUSED, CANNOT_PERFORM) if refused else Answer(Said.CANCELLED)
    if question.command != "perform":
        return Answer(Said.OK)
    return payees.answer(replace(question, command="pay", account=created.account, sum=created.sum), at)


def _create(payees: Payees, question: Question, at: int) -> Answer:
    if payees.answer(replace(question, command="check"), at).said is not Said.OK:
        return payees.answer(question, at)  # refused, and kept as such
    payees.write(question, Created(question.account, question.sum, at))
    return Answer(Said.OK)


def _is_strict(payees: Payees, question: Question) -> bool:
    return payees.behaviours[question.payee].options.get("strict") == "1"


def _said(question: Question, answer: Answer, behaviour: Behaviour) -> dict[str, Any]:
    if answer.said not in (Said.OK, Said.CANCELLED):
        code = CODES.get(answer.said, answer.code if answer.code < 0 else ACCOUNT)
        return {"error": {"code": code, "message": {"ru": "Отказ", "en": "Refused"}, "data": "account"}}
    if question.command == "check":
        known = debtor(behaviour, question.account)
        told = {} if known is None else {"additional": {"name": known[0], "debt": known[1], "period": "01.2026"}}
        return {"result": {"allow": True, **told}}
    if question.command == "statement":
        return {"result": {"transactions": [_row(txn, paid) for txn, paid in answer.lines]}}
    return {"result": _standing(question, answer)}


def _standing(question: Question, answer: Answer) -> dict[str, Any]:
    """A payee that names the sum too, where it was asked about one."""
    named = {"amount": _minor(question.sum)} if question.sum else {}
    if answer.paid is None:
        return {"transaction": "", "state": 1 if answer.said is Said.OK else -1, **named}
    paid = answer.paid
    state = -2 if paid.cancelled_at else 2
    return {"transaction": str(paid.prv_txn), "state": state, "perform_time": paid.paid_at, **named}


def _row(txn: int, paid: Paid) -> dict[str, Any]:
    return {
        "id": str(txn),
        "time": paid.paid_at,
        "amount": _minor(paid.sum),
        "account": {"account": paid.account},
        "create_time": paid.paid_at,
        "perform_time": paid.paid_at,
        "cancel_time": paid.cancelled_at,
        "transaction": str(paid.prv_txn),
        "state": -2 if paid.cancelled_at else 2,
        "reason": 5 if paid.cancelled_at else None,
    }


def _major(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def _minor(text: str) -> int:
    whole, _, rest = text.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))
