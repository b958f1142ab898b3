"""Builders of questions about subscribers and of what is known about them."""

from __future__ import annotations

from typing import Any

from schemas.outcome import GatewayOutcome, Verdict
from schemas.tracking import CheckRequest, Tracked
from streams.arrival import Arrival, Check
from tests.builders import AT, NOW


def a_check(request_id: str = "kiosk-1.check.1", **changes: Any) -> CheckRequest:
    """Would 950.00 to a phone be taken?"""
    values: dict[str, Any] = {
        "id": request_id,
        "terminal": "kiosk-1",
        "agent": "S",
        "payee": "mobile",
        "subscriber": {"phone": "9161234567"},
        "amount": 95_000,
        "made_at": NOW,
    }
    return CheckRequest(**values | changes)


def an_asked(request: CheckRequest | None = None, received_at: int = AT, **changes: Any) -> Check:
    """The question as it came, on partition 0 and verified."""
    arrival = Arrival("checks", 0, 7, b"A", b"", received_at)
    return Check(request or a_check(**changes), "A", arrival)


def tracked(verdict: Verdict = Verdict.CHECKED, code: str = "0", comment: str = "", **changes: Any) -> Tracked:
    return Tracked(GatewayOutcome("check", verdict, code, comment=comment), **changes)
