"""Tracking before payment: what a terminal asks about a subscriber before cash is taken, and what it is told.

Nothing of it is on the ledger. No money moves, nothing is decided, and a payment asks its payee again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, StringConstraints

from schemas.ids import (
    AgentId,
    CommandId,
    Currency,
    FieldName,
    FieldValue,
    Instant,
    Minor,
    PayeeId,
    PositiveMinor,
    TerminalId,
    Wire,
)  # fmt: skip
from schemas.money import MAX_MINOR
from schemas.outcome import GatewayOutcome
from schemas.sealing import OpeningKey, SealingKey

# Fields shown to a payer, and the characters of a field's name and text; what a payee sends beyond is cut off.
MAX_SHOWN, MAX_LABEL, MAX_TEXT = 20, 64, 200
MAX_DENOMINATIONS = 50
# Payees' numbers of payments begin below this (streams.ledger.state.TXN_PER_PARTITION, at most 256 partitions).
CHECKS_FROM, CHECKS = 10**18, 8 * 10**18

# Who was asked: the payee; its uploaded list; nobody, where the payee has neither (skip_check, stock, registry).
Source = Literal["payee", "subscribers", "rules"]
Label = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LABEL)]
ShownText = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Debt = Annotated[
    int, Field(strict=True, ge=-MAX_MINOR, le=MAX_MINOR, description="minor units; below zero: paid in advance")
]


class CheckRequest(Wire):
    """Payload of a JWS on topic `checks`; the record's key is the terminal's tree (root agent's id).

    A question, not an order: asked again with the same id it is answered again.
    """

    id: Annotated[CommandId, Field(description="the terminal's own name of the question; the reply carries it")]
    terminal: TerminalId
    agent: AgentId
    payee: PayeeId
    subscriber: Annotated[
        dict[FieldName, FieldValue], Field(min_length=1, max_length=8, description="the payee's typed fields")
    ]
    amount: Annotated[
        PositiveMinor | None, Field(description="what the payee is to receive, minor units; none: not known yet")
    ] = None
    made_at: Annotated[Instant, Field(description="the terminal's clock; recorded, never trusted")]

    def txn(self) -> int:
        """The number a payee is asked under: 19 digits, none that a payment can have; the same for the same question.

        A payee that keeps what it answered under a number must never take a question for the payment that follows.
        """
        canonical = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        drawn = int.from_bytes(hashlib.blake2b(canonical, digest_size=16).digest(), "big")
        return CHECKS_FROM + drawn % CHECKS


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a payee, or its list, says of a subscriber: the value of a gateway's `track`.

    outcome: of step "check". name: of the subscriber, "" where it is not told. debt: minor units, below zero: paid in
    advance; None where it is not told. denominations: the only amounts taken of this subscriber, minor units; empty:
    any. shown: name and text of further fields, in the payee's order, plain text of one line, bounded by MAX_SHOWN,
    MAX_LABEL and MAX_TEXT.
    """

    outcome: GatewayOutcome
    name: str = ""
    debt: int | None = None
    denominations: tuple[int, ...] = ()
    shown: tuple[tuple[str, str], ...] = ()


class ShownField(Wire):
    """One more thing to show to the payer."""

    name: Label
    text: ShownText


class SubscriberFacts(Wire):
    """What is told of a subscriber, for the terminal that asked and nobody else. Amounts in minor units."""

    reason: Annotated[str, Field(description="of the code, for people; maybe in the payee's words")] = ""
    name: Annotated[ShownText, Field(description="the subscriber's, as the payee shows it; empty: not told")] = ""
    debt: Annotated[Debt | None, Field(description="what the subscriber owes; none: not told")] = None
    denominations: Annotated[
        tuple[PositiveMinor, ...], Field(max_length=MAX_DENOMINATIONS, description="the only amounts taken; empty: any")
    ] = ()
    shown: Annotated[tuple[ShownField, ...], Field(max_length=MAX_SHOWN)] = ()


_NOTHING_TOLD = SubscriberFacts()


class CheckReply(SubscriberFacts):
    """Payload of a JWS (server's key) on topic `check_replies`, key: the terminal's id. Amounts in minor units.

    Where the terminal has a sealing key what is told of the subscriber is in `secret` instead.

    Code 0 says that a payment would be taken as things stand, not that it will be: funds, limits and the payee decide
    when it comes.
    """

    id: Annotated[str, Field(description="the request's id")]
    payee: PayeeId
    code: Annotated[int, Field(description="0, or the refusal code; 1 and 243: it cannot be checked")] = 0
    retryable: Annotated[bool, Field(description="the same question may be answered otherwise later")] = False
    source: Annotated[Source, Field(description="who was asked; rules: nobody, only Kassa's own rules were looked at")]
    min_amount: PositiveMinor | None = None
    max_amount: PositiveMinor | None = None
    fee: Annotated[
        Minor | None,
        Field(description="on top of the amount asked about, by the tariff; none: no amount, or none fits"),
    ] = None
    currency: Currency | None = None
    listed_at: Annotated[Instant | None, Field(description="of source subscribers: as of when the payee's list is")] = (
        None
    )
    at: Instant
    secret: Annotated[
        str | None,
        Field(description="a JWE to the terminal's sealing key: reason, name, debt, denominations, shown, as here"),
    ] = None

    def facts(self) -> SubscriberFacts:
        return SubscriberFacts.model_construct(**_facts_of(self))

    def without_facts(self) -> CheckReply:
        return self.model_copy(update=_facts_of(_NOTHING_TOLD))

    def sealed(self, key: SealingKey) -> CheckReply:
        """For the terminal with this key alone. Raises ValueError when this is no key."""
        facts = orjson.dumps(self.facts().model_dump(mode="json", exclude_none=True))
        return self.without_facts().model_copy(update={"secret": key.seal(facts)})

    def opened(self, key: OpeningKey) -> CheckReply:
        """As it was before it was sealed. Raises NotSealed, ValidationError."""
        facts = SubscriberFacts.model_validate_json(key.open(self.secret or ""))
        return self.model_copy(update={**_facts_of(facts), "secret": None})


def _facts_of(told: SubscriberFacts) -> dict[str, Any]:
    return {name: getattr(told, name) for name in SubscriberFacts.model_fields}
