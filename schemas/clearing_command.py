"""What one tree says to another: commands that its writer signs, in the transaction of the entry that calls for it.

Nobody else may: an operator's key is not believed for them. Their ids begin with CLEARING and name the entry.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.crossing import Crossing
from schemas.ids import AgentId
from schemas.operator_order import OperatorOrder

# With which the ids begin: no other command's may.
CLEARING = "clearing."


class ReceiveMoney(OperatorOrder):
    """Money has left its tree for this one: take it, or send it back."""

    kind: Literal["clearing.receive"] = "clearing.receive"
    tree: AgentId
    crossing: Crossing


class TakeBackMoney(OperatorOrder):
    """The other tree could not take it."""

    kind: Literal["clearing.return"] = "clearing.return"
    tree: AgentId
    crossing: Crossing
    refusal: Annotated[int, Field(description="why, as a code")]
    reason: Annotated[str, StringConstraints(max_length=500)]


class ConfirmMoney(OperatorOrder):
    """The other tree has it."""

    kind: Literal["clearing.confirm"] = "clearing.confirm"
    tree: AgentId
    crossing: Crossing


ClearingCommand = ReceiveMoney | TakeBackMoney | ConfirmMoney


def clearing_id(book: str, seq: int) -> str:
    """The id of what entry `seq` of that book says to another."""
    return f"{CLEARING}{book.replace('/', ':')}.{seq}"
