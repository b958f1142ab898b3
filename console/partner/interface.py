"""The HTTP side: who may ask, what comes back, and how much of it is taken at all."""

from __future__ import annotations

import time

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.partner.answer import REPEAT, Told, xml
from console.partner.door import Crowded, Door
from console.partner.question import BadQuestion, parsed
from console.partner.records import Partner
from console.partner.teller import Teller
from streams import metrics
from streams.problem import MEDIA_TYPE, problem

log = structlog.get_logger()

_BASIC = {"WWW-Authenticate": 'Basic realm="kassa", charset="UTF-8"'}
_DETAILS = {
    401: "say who you are: HTTP Basic with the partner's id and password",
    403: "this partner does not come from this address",
    404: "partners are answered at /osmp/<payee>",
    405: "only GET is answered here",
    503: "too many passwords wait to be looked at: come again",
}
_NAMES = {"utf-8": "utf-8", "cp1251": "windows-1251"}


class Interface:
    """GET /osmp/<payee>?command=check|pay&…"""

    def __init__(self, door: Door, teller: Teller) -> None:
        self._door = door
        self._teller = teller
        routes = [Route("/osmp/{payee}", self._osmp, methods=["GET"])]
        self.app = Starlette(routes=routes, exception_handlers={HTTPException: _problem})

    async def _osmp(self, request: Request) -> Response:
        try:
            partner = await self._door.who(request.headers.get("authorization", ""))
        except Crowded:
            metrics.PARTNER_REFUSED.labels("crowded").inc()
            raise HTTPException(503) from None
        if partner is None:
            metrics.PARTNER_REFUSED.labels("credentials").inc()
            raise HTTPException(401, headers=_BASIC)
        if not self._door.is_from(partner, request.client.host if request.client else ""):
            metrics.PARTNER_REFUSED.labels("address").inc()
            raise HTTPException(403)
        began = time.perf_counter()
        command, told = await self._told(partner, request)
        metrics.PARTNER_REQUESTS.labels(partner.id, command, str(told.result)).inc()
        metrics.PARTNER_SECONDS.labels(command).observe(time.perf_counter() - began)
        return Response(xml(told, partner.charset), media_type=f"text/xml; charset={_NAMES[partner.charset]}")

    async def _told(self, partner: Partner, request: Request) -> tuple[str, Told]:
        """The command, "" where there is none of ours, and the answer."""
        command = ""
        try:
            question = parsed(request.scope["query_string"], partner.charset)
            command = question.command
            return command, await self._teller.answer(partner, request.path_params["payee"], question)
        except BadQuestion as bad:
            return command, Told(bad.txn, bad.refusal.code, bad.comment)
        except Exception:
            # Whatever it is, it is ours; the payment may be on its way, so nothing final is said.
            log.exception("partner_question_failed", partner=partner.id)
            return command, Told(question.txn if command else "", REPEAT, "repeat later")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = problem(error.status_code, _DETAILS.get(error.status_code, error.detail))
    return Response(body, error.status_code, error.headers, MEDIA_TYPE)
