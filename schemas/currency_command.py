"""What an operator may order about an agent's currencies: a further account, and an exchange between two of them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.agent_command import Comment, Document
from schemas.ids import AgentId, Currency, Minor, PositiveMinor
from schemas.operator_order import OperatorOrder


class OpenCurrency(OperatorOrder):
    """Give an agent an account in a further currency. Every agent above it must have one already."""

    kind: Literal["agent.currency"] = "agent.currency"
    tree: AgentId
    agent: AgentId
    currency: Currency
    overdraft: Annotated[Minor, Field(description="how far the balance in it may go below zero; 0: prepayment")] = 0


_RATE = r"^[0-9]{1,10}(\.[0-9]{1,10})?$"

Rate = Annotated[
    str,
    StringConstraints(pattern=_RATE),
    Field(description="units of the currency taken for one of the currency given, as people write both: 0.0125"),
]


class Exchange(OperatorOrder):
    """An agent's money in one currency becomes money in another. What it takes is what it gives times the rate, rounded
    down to the minor unit; the command says it, so that both sides have seen the same figure."""

    kind: Literal["agent.exchange"] = "agent.exchange"
    tree: AgentId
    agent: AgentId
    give: PositiveMinor
    give_currency: Currency
    take: PositiveMinor
    take_currency: Currency
    rate: Rate
    document: Document
    comment: Comment = ""


CurrencyCommand = OpenCurrency | Exchange


def is_rate(text: str) -> bool:
    """Is it a rate as people write one?"""
    return re.match(_RATE, text, re.ASCII) is not None and not text.endswith("\n")
