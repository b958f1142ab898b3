"""Builders of routes, and of a payee that has several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from schemas.outcome import Verdict
from schemas.payee import Payee
from schemas.route import TECHNICAL, Route
from streams.ledger.commands import Settle
from tests.builders import a_payee, a_settle


def a_route(gateway: str, priority: int = 1, share: int = 1, **changes: Any) -> Route:
    return Route(gateway=gateway, priority=priority, share=share, **changes)


def a_payee_with(*routes: Route | str, payee: str = "mobile", **changes: Any) -> Payee:
    """Gateways named alone come one after the other."""
    given = tuple(a_route(one, n) if isinstance(one, str) else one for n, one in enumerate(routes, 1))
    return a_payee(payee, routes=given, **changes)


def an_answer(verdict: Verdict = Verdict.NOT_SENT, step: Any = "check", code: str = "243", **changes: Any) -> Settle:
    """A gateway's answer, to a dispatch that knows the usual technical codes."""
    asked = a_settle(verdict=verdict, step=step, code=code, **{"payment": "kiosk-1.1", **changes})
    return replace(asked, technical=frozenset(TECHNICAL))
