"""The payment order: what a terminal signs."""

from __future__ import annotations

import hashlib
from typing import Annotated, Self

import orjson
from pydantic import Field, model_validator

from schemas.change import SPENT_MAX, ChangeMark, ChangeSpent
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
    number: Annotated[int, Field(ge=1, lt=10**18, description="the terminal's own running number")]
    agent: AgentId
    payee: PayeeId
    subscriber: Annotated[
        dict[FieldName, FieldValue], Field(min_length=1, max_length=8, description="the payee's typed fields")
    ]
    amount: Annotated[PositiveMinor, Field(description="what the payee is to receive, minor units")]
    fee: Annotated[Minor, Field(description="what the payer pays on top, minor units")] = 0
    collected: Annotated[
        Minor,
        Field(description="cash already in the box, minor units: with change_from at least amount and fee; 0: not yet"),
    ] = 0
    currency: Currency
    made_at: Annotated[Instant, Field(description="the terminal's clock; recorded, never trusted")]
    change_to: Annotated[
        ChangeMark | None,
        Field(description="fingerprint of the payer's change code; needed where collected is beyond amount and fee"),
    ] = None
    change_from: Annotated[
        tuple[ChangeSpent, ...],
        Field(
            max_length=SPENT_MAX,
            exclude_if=lambda spent: not spent,
            description="change that pays amount and fee before any cash does",
        ),
    ] = ()

    @model_validator(mode="after")
    def _id_is_terminal_and_number(self) -> Self:
        if self.id != f"{self.terminal}.{self.number}":
            raise ValueError("id must be '<terminal>.<number>'")
        return self

    @model_validator(mode="after")
    def _no_code_twice(self) -> Self:
        if self.change_from and len({one.code for one in self.change_from}) < len(self.change_from):
            raise ValueError("change_from names a code twice")
        return self

    @property
    def from_change(self) -> int:
        """What change pays of it, minor units."""
        return sum(one.amount for one in self.change_from) if self.change_from else 0

    def digest(self) -> str:
        """128-bit hash of the content, equal for equal orders however their JSON was written; 32 hex digits."""
        content = dict(self.__dict__)
        # Orders have had none of these for a long time, and their digests are on ledgers.
        if self.change_to is None:
            del content["change_to"]
        if self.change_from:
            content["change_from"] = [one.__dict__ for one in self.change_from]
        else:
            del content["change_from"]
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
        return hashlib.blake2b(canonical, digest_size=16).hexdigest()
