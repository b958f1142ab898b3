"""What an operator may order about payers' change that is kept."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.change import ChangeCode, ChangeMark
from schemas.ids import AgentId, Currency, Grounds, PaymentId, PositiveMinor
from schemas.operator_order import OperatorOrder


class ReclaimChange(OperatorOrder):
    """An agent gave a payer cash for change that has expired. The code proves whose it was, or where there is none the
    payment and what the operator saw; never more than has expired of it."""

    kind: Literal["change.reclaim"] = "change.reclaim"
    tree: AgentId
    agent: AgentId
    code: Annotated[ChangeCode | None, Field(description="as it is printed on the payer's receipt")] = None
    payment: PaymentId | None = None
    amount: PositiveMinor
    currency: Currency
    evidence: Grounds

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.code is None) == (self.payment is None):
            raise ValueError("give the code, or the payment of change that has none")
        return self


class _ChangeStanding(OperatorOrder):
    """Which change: under a fingerprint, or what was kept because of a payment, wherever that is."""

    tree: AgentId
    payment: PaymentId | None = None
    mark: Annotated[ChangeMark | None, Field(description="fingerprint of its code")] = None
    reason: Annotated[Grounds, Field(description="why, for whoever asks later")]

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.payment is None) == (self.mark is None):
            raise ValueError("give the payment, or the fingerprint")
        return self


class BlockChange(_ChangeStanding):
    """From here on nothing leaves it: it is not spent, handed out or reclaimed, and does not expire."""

    kind: Literal["change.block"] = "change.block"


class UnblockChange(_ChangeStanding):
    """It is the payer's again, and its days until it expires begin anew."""

    kind: Literal["change.unblock"] = "change.unblock"


ChangeCommand = ReclaimChange | BlockChange | UnblockChange
