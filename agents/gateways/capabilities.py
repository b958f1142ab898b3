"""What a payee can be asked, and one line of what it says of a day. Data, told by each gateway about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.outcome import GatewayOutcome, Step, Verdict


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The questions besides `pay` that a payee answers; a gateway answers the others itself, with `unasked`.

    idempotent: a `pay` may be repeated with the same number; if not, the attempt must be on record before it is sent.
    """

    check: bool = True
    status: bool = False
    cancel: bool = False
    statement: bool = False
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One payment as the payee has it. txn: our number; amount: minor units; at: ms UTC of its booking there.

    state: open is what the payee has heard of and was not told to take, or not yet.
    """

    txn: int
    amount: int
    state: Literal["open", "paid", "cancelled"]
    provider_ref: str
    at: int


def unasked(step: Step, question: str = "") -> GatewayOutcome:
    """The outcome of a question this payee does not have: nothing was sent. question: the step, or "statement"."""
    return GatewayOutcome(step, Verdict.NOT_SENT, f"no-{question or step}", comment="the payee has no such question")
