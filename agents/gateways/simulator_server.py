"""The HTTP side of simulated payees: protocols under /<payee>/, books under /book, behaviour under /behaviour."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import orjson
from aiohttp import web
from pydantic import ValidationError

from agents.gateways.simulator_faults import BEFORE_ACCEPTING, Behaviour, Fault
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_question import Answer, BadRequest, Question, Said
from agents.gateways.simulator_wire import Reply, Request, Wire

RESERVED = frozenset({"book", "behaviour"})  # paths of ours, so no names for payees
PAGE = 10_000
HANG_S = 3_600.0  # "never": the asker gives up long before

_GARBAGE = b"<html><head><title>502</title></head><body><center>Bad Gateway</center><hr>\xff\xfe\x00</body>"


def server(payees: Payees, wires: Mapping[str, Wire]) -> web.Server:
    """To be run by aiohttp's ServerRunner with no router around it: a route lookup costs more than a payment."""
    return web.Server(Desk(payees, wires).serve, handler_cancellation=True, access_log=None)


class Desk:
    """Answers requests."""

    def __init__(self, payees: Payees, wires: Mapping[str, Wire]) -> None:
        self._payees = payees
        self._wires = wires

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        match [request.method, *request.path.strip("/").split("/")]:
            case ["GET", "book"]:
                return _json({payee: self._totals(payee) for payee in self._payees.books})
            case ["GET", "book", payee] if payee in self._payees.books:
                return self._page(payee, request.query)
            case ["GET", "behaviour", payee] if payee in self._payees.behaviours:
                return _json(self._payees.behaviours[payee].model_dump())
            case ["POST", "behaviour", payee] if payee not in RESERVED:
                return self._behave(payee, await request.read())
            case ["GET" | "POST", payee, *path] if payee in self._payees.behaviours:
                return await self._ask(payee, "".join(f"/{part}" for part in path), request)
            case _:
                return web.Response(status=404, text="no such payee\n")

    async def _ask(self, payee: str, path: str, request: web.BaseRequest) -> web.StreamResponse:
        behaviour = self._payees.behaviours[payee]
        if not _is_known(behaviour, request.headers.get("Authorization")):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="payee"'})
        wire = self._wires[behaviour.protocol]
        body = await request.read()
        try:
            asked = Request(payee, request.method, path, request.query, request.headers, body)
            question = wire.read(asked, behaviour)
        except BadRequest as error:
            return web.Response(status=400, text=f"{error}\n")
        if delay_ms := self._payees.delay_ms(question):
            await asyncio.sleep(delay_ms / 1000)
        fault = self._payees.meet(question)
        fault = fault if fault is None or wire.meets(question, fault) else None
        at = time.time_ns() // 1_000_000
        answer = Answer(Said.TEMPORARY) if fault in BEFORE_ACCEPTING else wire.answer(self._payees, question, at)
        return await _say(request, wire, behaviour, question, answer, fault)

    def _behave(self, payee: str, body: bytes) -> web.Response:
        try:
            behaviour = Behaviour.model_validate_json(body)
        except ValidationError as error:
            return web.Response(status=422, text=f"{error}\n")
        if behaviour.protocol not in self._wires:
            return web.Response(status=422, text=f"no payee here speaks {behaviour.protocol!r}\n")
        self._payees.behave(payee, behaviour)
        return web.Response(status=204)

    def _totals(self, payee: str) -> dict[str, object]:
        book = self._payees.books[payee]
        return {
            "paid": len(book.paid),
            "sum": str(sum((Decimal(paid.sum) for paid in book.paid.values()), Decimal(0))),
            "refused": len(book.refused),
            "inconsistencies": book.inconsistencies,
            "cancelled": sum(paid.cancelled_at > 0 for paid in book.paid.values()),
        }

    def _page(self, payee: str, query: Mapping[str, str]) -> web.Response:
        try:
            start, limit = int(query.get("from", "0")), int(query.get("limit", str(PAGE)))
        except ValueError:
            start = limit = -1
        if start < 0 or not 1 <= limit <= PAGE:
            return web.Response(status=400, text=f"expected from >= 0 and limit 1..{PAGE}\n")
        book = self._payees.books[payee]
        following = start + limit if start + limit < len(book.paid) else None
        return _json({"payee": payee, "paid": book.page(start, limit), "next": following} | {"count": len(book.paid)})


async def _say(
    request: web.BaseRequest, wire: Wire, behaviour: Behaviour, question: Question, answer: Answer, fault: Fault | None
) -> web.StreamResponse:
    """Give the answer, or what the fault makes of it."""
    match fault:
        case Fault.TIME_OUT_BEFORE | Fault.TIME_OUT_AFTER:
            await asyncio.sleep(HANG_S)  # cancelled when the asker hangs up
        case Fault.DROP_AFTER:
            if request.transport is not None:
                request.transport.abort()
        case Fault.HTTP_500_BEFORE | Fault.HTTP_500_AFTER:
            return web.Response(status=500, text="internal error\n")
        case Fault.GARBAGE:
            return web.Response(body=_GARBAGE, content_type="text/html")
        case Fault.NOT_FINISHED if answer.said is Said.OK:
            answer = Answer(Said.NOT_FINISHED, paid=answer.paid)
        case Fault.WRONG_TXN:
            question = replace(question, txn=question.txn + 1)
        case Fault.WRONG_SUM:
            question = replace(question, sum=f"1{question.sum}")
        case _:
            pass
    reply = wire.write(question, answer, behaviour, fault)
    body = reply.body[: len(reply.body) * 2 // 3] if fault is Fault.BROKEN_REPLY else reply.body
    return _http(reply, body)


def _http(reply: Reply, body: bytes) -> web.Response:
    return web.Response(status=reply.status, body=body, headers={"Content-Type": reply.content_type, **reply.headers})


def _is_known(behaviour: Behaviour, authorization: str | None) -> bool:
    if behaviour.credentials is None:
        return True
    return authorization == "Basic " + b64encode(behaviour.credentials.encode()).decode()


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
