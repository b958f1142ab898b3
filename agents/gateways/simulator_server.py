"""The HTTP side of simulated payees: OSMP under /<payee>/, the books under /book, behaviour under /behaviour."""

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
from agents.gateways.simulator_payees import Answer, BadRequest, Payees, Question

RESERVED = frozenset({"book", "behaviour"})  # paths of ours, so no names for payees
TEMPORARY, NOT_FINISHED = 1, 90
PAGE = 10_000
HANG_S = 3_600.0  # "never": the asker gives up long before

_XML = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<response><osmp_txn_id>{txn}</osmp_txn_id>{prv_txn}'
    "<sum>{sum}</sum><result>{result}</result><comment>{comment}</comment></response>\n"
)
_GARBAGE = b"<html><head><title>502</title></head><body><center>Bad Gateway</center><hr>\xff\xfe\x00</body>"


def server(payees: Payees) -> web.Server:
    """To be run by aiohttp's ServerRunner with no router around it: a route lookup costs more than a payment."""
    return web.Server(Desk(payees).serve, handler_cancellation=True, access_log=None)


class Desk:
    """Answers requests."""

    def __init__(self, payees: Payees) -> None:
        self._payees = payees

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
            case ["GET", payee] if payee in self._payees.behaviours:
                return await self._osmp(payee, request)
            case _:
                return web.Response(status=404, text="no such payee\n")

    async def _osmp(self, payee: str, request: web.BaseRequest) -> web.StreamResponse:
        query = request.query
        behaviour = self._payees.behaviours[payee]
        if not _is_known(behaviour, request.headers.get("Authorization")):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="payee"'})
        try:
            question = Question.read(payee, *(query.get(name, "") for name in ("command", "txn_id", "account", "sum")))
        except BadRequest as error:
            return web.Response(status=400, text=f"{error}\n")
        if delay_ms := self._payees.delay_ms(question):
            await asyncio.sleep(delay_ms / 1000)
        fault = self._payees.meet(question)
        at = time.time_ns() // 1_000_000
        answer = Answer(TEMPORARY) if fault in BEFORE_ACCEPTING else self._payees.answer(question, at)
        return await _say(request, question, answer, fault, cp1251=behaviour.cp1251)

    def _behave(self, payee: str, body: bytes) -> web.Response:
        try:
            self._payees.behave(payee, Behaviour.model_validate_json(body))
        except ValidationError as error:
            return web.Response(status=422, text=f"{error}\n")
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
    request: web.BaseRequest, question: Question, answer: Answer, fault: Fault | None, *, cp1251: bool
) -> web.StreamResponse:
    """Give the answer, or what the fault makes of it."""
    reply = _xml(question, answer, cp1251=cp1251)
    match fault:
        case Fault.TIME_OUT_BEFORE | Fault.TIME_OUT_AFTER:
            await asyncio.sleep(HANG_S)  # cancelled when the asker hangs up
        case Fault.DROP_AFTER:
            if request.transport is not None:
                request.transport.abort()
        case Fault.NOT_FINISHED if answer.result == 0:
            reply = _xml(question, Answer(NOT_FINISHED), cp1251=cp1251)
        case Fault.HTTP_500_BEFORE | Fault.HTTP_500_AFTER:
            return web.Response(status=500, text="internal error\n")
        case Fault.BROKEN_XML:
            reply = reply[: len(reply) * 2 // 3]
        case Fault.GARBAGE:
            return web.Response(body=_GARBAGE, content_type="text/html")
        case Fault.WRONG_TXN:
            reply = reply.replace(
                f"<osmp_txn_id>{question.txn}<".encode(), f"<osmp_txn_id>{question.txn + 1}<".encode()
            )
        case Fault.WRONG_SUM:
            reply = _xml(replace(question, sum=f"1{question.sum}"), answer, cp1251=cp1251)
        case _:
            pass
    charset = "windows-1251" if cp1251 else "utf-8"
    return web.Response(body=reply, headers={"Content-Type": f"text/xml; charset={charset}"})


def _xml(question: Question, answer: Answer, *, cp1251: bool) -> bytes:
    encoding = "windows-1251" if cp1251 else "UTF-8"
    comment = ("Платёж принят" if answer.result == 0 else "Отказ") if cp1251 else ""
    prv_txn = f"<prv_txn>{answer.prv_txn}</prv_txn>" if answer.prv_txn else ""
    return _XML.format(
        encoding=encoding,
        txn=question.txn,
        prv_txn=prv_txn,
        sum=question.sum,
        result=answer.result,
        comment=comment,
    ).encode(encoding)


def _is_known(behaviour: Behaviour, authorization: str | None) -> bool:
    if behaviour.credentials is None:
        return True
    return authorization == "Basic " + b64encode(behaviour.credentials.encode()).decode()


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
