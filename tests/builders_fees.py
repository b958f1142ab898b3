"""Builders of plans and of the fees they lead to."""

from __future__ import annotations

from datetime import date
from typing import Any

from schemas.command import SetPlan
from schemas.plan import Plan
from streams.ledger.commands import FeeDue, Instruct
from tests.builders import NOW, an_instruct

DIGEST = "ab" * 16


def a_plan(plan: str = "service", tree: str = "A", **changes: Any) -> Plan:
    """150.00 a month and 30.00 for each terminal, since January 2026."""
    values: dict[str, Any] = {
        "id": plan, "tree": tree, "fixed": 15_000, "per_terminal": 3_000, "currency": "RUB", "period": "month",
        "starts": date(2026, 1, 1),
    }  # fmt: skip
    return Plan(**values | changes)


def set_plan(plan: Plan | None = None, command_id: str = "plan-1") -> Instruct:
    return an_instruct(SetPlan(id=command_id, issued_at=NOW, plan=plan if plan is not None else a_plan()))


def fee_due(period: str = "2026-01", agent: str = "S", tree: str = "A", **changes: Any) -> FeeDue:
    """Of the plan above; two terminals."""
    values: dict[str, Any] = {
        "book": tree, "plan": "service", "agent": agent, "period": period, "since": "2026-01", "currency": "RUB",
        "fixed": 15_000, "per_terminal": 3_000, "terminals": 2, "plan_digest": DIGEST,
    }  # fmt: skip
    return FeeDue(**values | changes)
