"""Reversal: a payment that the payee has is taken back, with all that was earned by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from schemas.ids import AgentId, Grounds, PaymentId
from schemas.operator_order import OperatorOrder

Refund = Literal["cash", "change"]


class ReversePayment(OperatorOrder):
    """Ask the payee to give a posted payment back. An operator may, and the terminal that took it.

    DONE says that the payee is asked; what it answers is told as the payment's next state.
    """

    kind: Literal["payment.reverse"] = "payment.reverse"
    tree: AgentId
    payment: PaymentId
    reason: Annotated[Grounds, Field(description="why, for whoever asks later")]
    evidence: Annotated[Grounds, Field(description="the payer's receipt or letter: it goes on record")]
    refund: Annotated[
        Refund,
        Field(description="how the payer gets amount and fee back: cash from the agent's hand, or as change"),
    ] = "cash"


@dataclass(frozen=True, slots=True)
class Posted:
    """How a payment was posted, as its reversal needs it.

    at: when, ms UTC. provider_ref: the payee's number of it, "" where it gave none. refund: how the payer gets amount
    and fee back once it is reversed, "" while no reversal is asked. voucher: batch, serial, key id and ciphertext of
    the PIN that was sold with it, empty where none was.
    """

    at: int
    provider_ref: str = ""
    refund: Literal["", "cash", "change"] = ""
    voucher: tuple[str, ...] = ()
