"""Change of one tree is wanted in another: who has the code has it brought there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.change import ChangeCode
from schemas.ids import AgentId, Currency, PositiveMinor
from schemas.operator_order import OperatorOrder


class BringChange(OperatorOrder):
    """So much of a payer's change goes to another tree, where it is kept under the same code: to be spent or handed out
    there. An operator orders it, or a terminal of that other tree, at which the payer stands."""

    kind: Literal["change.bring"] = "change.bring"
    tree: Annotated[AgentId, Field(description="where it is kept")]
    code: Annotated[ChangeCode, Field(description="as it is printed on the payer's receipt")]
    amount: PositiveMinor
    currency: Currency
    to_tree: Annotated[AgentId, Field(description="where it is wanted")]
