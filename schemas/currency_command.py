"""What an operator may order about an agent's currencies: a further account, and an exchange between two of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.ids import AgentId, Currency, Minor
from schemas.operator_order import OperatorOrder


class OpenCurrency(OperatorOrder):
    """Give an agent an account in a further currency. Every agent above it must have one already."""

    kind: Literal["agent.currency"] = "agent.currency"
    tree: AgentId
    agent: AgentId
    currency: Currency
    overdraft: Annotated[Minor, Field(description="how far the balance in it may go below zero; 0: prepayment")] = 0


CurrencyCommand = OpenCurrency
