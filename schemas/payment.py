"""The payment order: what a terminal signs."""

from __future__ import annotations

import hashlib
from typing import Annotated, Self

import orjson
from pydantic import Field, model_validator

from schemas.change import ChangeMark
from schemas.ids import (
    AgentId,
    Currency,
    FieldName,
    FieldValue,
    Instant,
    Minor,
    PayeeId,
    PaymentId,
    PositiveMinor,
    TerminalId,
    Wire,
)  # fmt: skip


class PaymentOrder(Wire):
    """Payload of a JWS on topic `payments`; the record's key is the terminal's tree (root agent's id).

    `id` is "<terminal>.<number>": the idempotency key. The same id with the same content is the same payment and
    gets its stored outcome; with other content it is quarantined (215).
    """

    id: PaymentId
    terminal: TerminalId
    number: Annotated[int, Field(ge=1, lt=10**15, description="the terminal's own running number")]
    agent: AgentId
    payee: PayeeId
    subscriber: Annotated[
        dict[FieldName, FieldValue], Field(min_length=1, max_length=8, description="the payee's typed fields")
    ]
    amount: Annotated[PositiveMinor, Field(description="what the payee is to receive, minor units")]
    fee: Annotated[Minor, Field(description="what the payer pays on top, minor units")] = 0
    collected: Annotated[
        Minor, Field(description="cash already in the box, minor units: at least amount and fee; 0: not taken yet")
    ] = 0
    currency: Currency
    made_at: Annotated[Instant, Field(description="the terminal's clock; recorded, never trusted")]
    change_to: Annotated[
        ChangeMark | None,
        Field(description="fingerprint of the payer's change code; needed where collected is beyond amount and fee"),
    ] = None

    @model_validator(mode="after")
    def _id_is_terminal_and_number(self) -> Self:
        if self.id != f"{self.terminal}.{self.number}":
            raise ValueError("id must be '<terminal>.<number>'")
        return self

    def digest(self) -> str:
        """128-bit hash of the content, equal for equal orders however their JSON was written; 32 hex digits."""
        content = self.__dict__
        if self.change_to is None:  # orders have had none for a long time, and their digests are on ledgers
            content = {name: value for name, value in content.items() if name != "change_to"}
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
        return hashlib.blake2b(canonical, digest_size=16).hexdigest()
