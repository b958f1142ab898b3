"""Payments of which nobody knows what became of them, as ClickHouse has them, and what would prove it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from console.output import major
from console.story import said
from console.warehouse import named, select
from schemas.entry import EntryKind
from schemas.outcome import Verdict

# A reversal in doubt is as old as its doubt; a payment as its receipt.
_QUERY = """
SELECT payment_id, state, payee, gateway, txn, amount, currency, age_s, tries, outcome_step,
    outcome_verdict, outcome_code, reason, due_at, received_at
FROM (
    SELECT *, dateDiff('second', if(state = 'REVERSAL_MANUAL', changed_at, received_at), now64(3)) AS age_s
    FROM payments
    WHERE state IN ('MANUAL', 'REVERSAL_MANUAL', 'UNKNOWN', 'SENT', 'REVERSING') AND {payee:String} IN ('', payee)
)
WHERE state IN ('MANUAL', 'REVERSAL_MANUAL') OR age_s >= {older_than:Int64}
ORDER BY age_s DESC, payment_id
"""


class OpenPayment(NamedTuple):
    """amount: minor units. said: the payee's last word. find_out: what an operator needs evidence of."""

    payment: str
    state: str
    payee: str
    gateway: str
    txn: int
    amount: int
    currency: str
    age_s: int
    tries: int
    said: str
    reason: str
    find_out: str
    received_at: datetime

    def as_json(self) -> dict[str, Any]:
        return named(self._fields, self)


def open_payments(older_than_s: int, payee: str | None) -> list[OpenPayment]:
    """Those in doubt for an operator, and those asked about for so long; the oldest first. Raises as `select` does."""
    return [_open_payment(row) for row in select(_QUERY, {"payee": payee or "", "older_than": older_than_s})]


def _open_payment(row: Any) -> OpenPayment:
    (payment, state, payee, gateway, txn, amount, currency, age_s, tries, step, verdict, code, reason, due_at,
     received_at) = row  # fmt: skip
    what = f"{major(amount, currency)} {currency}"
    find_out = evidence(state, f"{step} {verdict}", payee, txn, what, due_at)
    last = said(step, verdict, code, "", "")
    return OpenPayment(
        payment, state, payee, gateway, txn, amount, currency, age_s, tries, last, reason, find_out, received_at
    )


def evidence(state: str, answer: str, payee: str, txn: int, amount: str, due_at: datetime | None) -> str:
    """What would prove it. answer: step and verdict of the payee's last word. amount: as people write it."""
    if state == EntryKind.REVERSAL_MANUAL:
        return f"did {payee} give number {txn} ({amount}) back? still there: --paid; given back: --not-paid"
    if state == EntryKind.MANUAL:
        if answer in (f"check {Verdict.PAID}", f"status {Verdict.PAID}"):
            return f"whose is number {txn} at {payee}? no pay was sent: ours, by another way: --paid; else --not-paid"
        return f"is number {txn} ({amount}) in {payee}'s register of its day? yes: --paid; no, day closed: --not-paid"
    again = f" at {due_at:%H:%M:%S}" if due_at is not None else ""
    return f"nothing yet: {payee} is asked again{again}"
