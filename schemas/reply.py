"""What a terminal or an operator is told: the payload of a JWS (server's key) on topic `replies`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.ids import Instant, Wire

ReplyState = Literal[
    "HELD",
    "DECLINED",
    "UNKNOWN",
    "POSTED",
    "VOIDED",
    "MANUAL",
    "WAITING_FUNDS",
    "DONE",
    "REFUSED",
    "REJECTED",
    "REVERSING",
    "REVERSED",
    "REVERSAL_REFUSED",
    "REVERSAL_MANUAL",
    "QUEUED",
]


class Reply(Wire):
    """Keyed by the terminal or operator it answers.

    A payment is answered when it is taken in (HELD, WAITING_FUNDS or DECLINED) and again whenever its state changes.
    Commands get DONE or REFUSED; a transfer to another tree DONE when it has left, which is not final, and DONE or
    REFUSED when its end is known. REJECTED answers a signed message that was quarantined: it is not on the ledger.
    """

    id: Annotated[str, Field(description="the payment's or command's id")]
    state: ReplyState
    code: Annotated[int, Field(description="0, or the refusal code")] = 0
    reason: str = ""
    retryable: Annotated[bool, Field(description="a new payment with the same content may succeed later")] = False
    final: Annotated[bool, Field(description="no further reply will follow, unless a posted payment is reversed")] = (
        False
    )
    txn: Annotated[int, Field(description="our number of the payment at the payee; 0: none")] = 0
    kept: Annotated[
        int,
        Field(
            description="minor units kept for the payer so far: change, or cash of a payment that was not made. What "
            "was collected beyond this and is not paid, the terminal gives back"
        ),
    ] = 0
    at: Instant
    again: Annotated[bool, Field(description="a stored outcome repeated to a duplicate")] = False
    secret: Annotated[
        str | None,
        Field(
            description="of a voucher that was sold or printed again: a JWE to the terminal's sealing key, with schema "
            "secret in it",
            exclude_if=lambda secret: secret is None,
        ),
    ] = None
    reserved_until: Annotated[
        Instant | None,
        Field(description="of a voucher that is reserved", exclude_if=lambda until: until is None),
    ] = None
