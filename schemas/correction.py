"""A manual correction: a new entry by hand, linked to what it corrects. Above a threshold two operators sign it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.ids import AgentId, CommandId, Currency, Grounds, Wire
from schemas.money import MAX_MINOR
from schemas.operator_order import OperatorOrder

MOVEMENTS_MAX = 20

AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,19}(:[A-Za-z0-9_.:-]{1,90})?$")]
Corrects = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,39}\.[1-9][0-9]{0,17}|entry [1-9][0-9]{0,14})$"),
    Field(description="a payment's id, or the number of an entry of the tree's book: entry 17"),
]
SignedMinor = Annotated[
    int, Field(strict=True, ge=-MAX_MINOR, le=MAX_MINOR, description="whole minor units; a credit is positive")
]


class Movement(Wire):
    """What one account gets, or below zero gives."""

    account: AccountName
    amount: SignedMinor


class Correct(OperatorOrder):
    """Move money by hand, to make good what an earlier entry or payment did wrong.

    What it debits in all, where that is above the server's `four_eyes_above`, makes it a proposal: nothing is moved
    until another operator approves.
    """

    kind: Literal["ledger.correct"] = "ledger.correct"
    tree: AgentId
    currency: Currency
    movements: Annotated[tuple[Movement, ...], Field(min_length=2, max_length=MOVEMENTS_MAX)]
    corrects: Corrects
    reason: Annotated[Grounds, Field(description="why, for whoever asks later")]
    evidence: Annotated[Grounds, Field(description="the act, letter or statement it rests on: it goes on record")]

    @model_validator(mode="after")
    def _is_balanced(self) -> Self:
        accounts = [one.account for one in self.movements]
        if len(set(accounts)) < len(accounts):
            raise ValueError("an account is named twice")
        if not all(one.amount for one in self.movements):
            raise ValueError("a movement of 0 is none")
        if off := sum(one.amount for one in self.movements):
            raise ValueError(f"what is debited and what is credited must be the same: they differ by {off}")
        return self


class ApproveCorrection(OperatorOrder):
    """Another operator than who proposed it agrees: the money moves."""

    kind: Literal["correction.approve"] = "correction.approve"
    tree: AgentId
    proposal: Annotated[CommandId, Field(description="the id of the command that proposed it")]
    evidence: Annotated[Grounds, Field(description="what the second operator has seen: it goes on record")]


class DropCorrection(OperatorOrder):
    """A proposal is withdrawn or refused, by any operator. It is never approved after that."""

    kind: Literal["correction.drop"] = "correction.drop"
    tree: AgentId
    proposal: CommandId
    reason: Grounds


CorrectionCommand = Correct | ApproveCorrection | DropCorrection


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction as every entry about it has it, from the proposal to its end. Amounts in minor units.

    proposal: the id of the command that asked for it. movements: account and amount, a credit positive. proposed_by,
    approved_by: key ids of two operators; approved_by is "" before, and where one was enough. threshold: up to how much
    one was, of all debits together.
    """

    proposal: str
    currency: str
    movements: tuple[tuple[str, int], ...]
    corrects: str
    reason: str
    evidence: str
    proposed_by: str
    threshold: int
    approved_by: str = ""

    @property
    def total(self) -> int:
        """All debits together, as a positive number; minor units."""
        return sum(amount for _, amount in self.movements if amount > 0)
