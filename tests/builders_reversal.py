"""Builders for reversals: the command, what the directory lets be reversed, and the payee's answer to a cancel."""

from __future__ import annotations

from typing import Any

from schemas.gateway import RetrySchedule
from schemas.outcome import Verdict
from schemas.reversal import ReversePayment
from streams.ledger.commands import Instruct, Reversible, Settle
from tests.builders import NOW, OPERATOR_KID, a_retry, an_outcome

WINDOW_S = 86_400
REVERSIBLE = Reversible({"mobile": WINDOW_S, "abroad": WINDOW_S}, frozenset({"osmp-1", "osmp-2", "osmp-3", "osmp-4"}))


def a_reversal(
    payment: str = "kiosk-1.1",
    tree: str = "A",
    *,
    by: str = OPERATOR_KID,
    terminal: str = "",
    reversible: Reversible | None = REVERSIBLE,
    **changes: Any,
) -> Instruct:
    """terminal: whose key `by` is; "" for an operator's."""
    values: dict[str, Any] = {"id": f"reverse-{payment}", "issued_at": NOW, "tree": tree, "payment": payment}
    command = ReversePayment(**values | {"reason": "Wrong number", "evidence": "Receipt 12"} | changes)
    return Instruct(tree, command, command.digest(), by, terminal, reversible)


def a_cancel(
    payment: str = "kiosk-1.1",
    verdict: Verdict = Verdict.CANCELLED,
    *,
    code: str = "0",
    comment: str = "",
    book: str = "A",
    retry: RetrySchedule | None = None,
    sent_before: bool = False,
    not_before: int = 0,
) -> Settle:
    """What a payee said to a cancel."""
    outcome = an_outcome(verdict, "cancel", code, comment=comment)
    return Settle(book, payment, outcome, retry if retry is not None else a_retry(), sent_before, not_before=not_before)
