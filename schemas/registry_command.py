"""What is said to a payee's registries, and what they say to trees.

Operators cut, deliver and answer. The other two the workers sign, in the transaction of the entry that calls for them:
their ids begin with REGISTRY and end with the payment's number at the payee, so each is done once.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

import orjson
from pydantic import Field, StringConstraints, model_validator

from schemas.ids import AgentId, Currency, FieldName, FieldValue, Grounds, PayeeId, PaymentId, PositiveMinor, Wire
from schemas.operator_order import OperatorOrder

REGISTRY = "registry."
ANSWERS_MAX = 200

Txn = Annotated[int, Field(strict=True, ge=1, lt=10**18, description="our number of the payment at the payee")]
RegistryNumber = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
Reason = Annotated[str, StringConstraints(max_length=200)]


class AddToRegistry(OperatorOrder):
    """A payment of a tree is queued: it needs a line."""

    kind: Literal["registry.add"] = "registry.add"
    payee: PayeeId
    tree: AgentId
    payment: PaymentId
    txn: Txn
    subscriber: Annotated[dict[FieldName, FieldValue], Field(max_length=8)]
    amount: PositiveMinor
    currency: Currency
    paid_at: Annotated[int, Field(strict=True, ge=0, description="when it was received, ms UTC")]


class CutRegistry(OperatorOrder):
    """The registry that is open has its last line, now."""

    kind: Literal["registry.cut"] = "registry.cut"
    payee: PayeeId
    number: Annotated[RegistryNumber, Field(description="the one that is open")]


class DeliverRegistry(OperatorOrder):
    """An operator has brought a registry to the payee that could not be delivered, or says it was."""

    kind: Literal["registry.deliver"] = "registry.deliver"
    payee: PayeeId
    number: RegistryNumber
    evidence: Annotated[Grounds, Field(description="how, and who took it")]


class AnswerOfLine(Wire):
    """The payee's word about one line of a registry."""

    txn: Txn
    amount: PositiveMinor
    accepted: bool
    reason: Annotated[Reason, Field(description="why it is rejected")] = ""


class AnswerRegistry(OperatorOrder):
    """What a payee said of some lines of a registry: all of it holds, or nothing of it does."""

    kind: Literal["registry.answer"] = "registry.answer"
    payee: PayeeId
    number: RegistryNumber
    answers: Annotated[tuple[AnswerOfLine, ...], Field(min_length=1, max_length=ANSWERS_MAX)]

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        if len({one.txn for one in self.answers}) < len(self.answers):
            raise ValueError("a line is answered twice")
        return self

    def digest(self) -> str:
        """Of what the payee said, not of when: the same file given again is the same command."""
        content = orjson.dumps(self.model_dump(mode="json", exclude={"issued_at"}), option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(content, digest_size=16).hexdigest()


class PaymentAnswered(OperatorOrder):
    """A registry's payee has answered the line of this payment."""

    kind: Literal["payment.answered"] = "payment.answered"
    tree: AgentId
    payment: PaymentId
    txn: Txn
    payee: PayeeId
    number: RegistryNumber
    accepted: bool
    reason: Reason


RegistryOrder = CutRegistry | DeliverRegistry | AnswerRegistry
RegistryWord = AddToRegistry | PaymentAnswered  # the workers' own
RegistryCommand = RegistryOrder | RegistryWord


def adding_id(txn: int) -> str:
    return f"{REGISTRY}add.{txn}"


def answered_id(txn: int) -> str:
    return f"{REGISTRY}answered.{txn}"
