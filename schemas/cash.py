"""Cash that is taken out of a terminal: the operator's command, and what its entry says. Amounts in minor units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.agent_command import Comment
from schemas.ids import AgentId, Currency, Grounds, TerminalId
from schemas.operator_order import OperatorOrder

Denomination = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,12}$")]
Pieces = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class CollectCash(OperatorOrder):
    """A terminal was emptied and what was in it was counted, note by note. Nothing in it is a count too."""

    kind: Literal["cash.collect"] = "cash.collect"
    tree: AgentId
    terminal: TerminalId
    agent: Annotated[AgentId, Field(description="whose terminal it is")]
    currency: Currency
    counted: Annotated[
        dict[Denomination, Pieces],
        Field(max_length=100, description="denomination in minor units -> how many notes or coins of it"),
    ]
    bag: Annotated[Grounds, Field(description="number of the bag, or of the paper that goes with it")]
    comment: Comment = ""

    @property
    def total(self) -> int:
        """Minor units."""
        return sum(int(denomination) * pieces for denomination, pieces in self.counted.items())


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as its entry has it. number: 1, 2, 3, … of this terminal, agent and currency.

    expected: what payments put in since the collection before, by the entries `first_entry` … `last_entry`, the
    collection's own included. shortage: expected less counted; below zero it is a surplus. denominations: (minor
    units, pieces), the largest first.
    """

    terminal: str
    agent: str
    currency: str
    number: int
    expected: int
    counted: int
    shortage: int
    denominations: tuple[tuple[int, int], ...]
    first_entry: int
    last_entry: int
