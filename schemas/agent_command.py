"""What an operator may order about an agent that is there: whether it may work."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.ids import AgentId, ShortText
from schemas.operator_order import OperatorOrder

Reason = Annotated[ShortText, Field(description="why, for whoever asks later")]


class BlockAgent(OperatorOrder):
    """Stop an agent and all below it: their new payments are declined. Payments already held still settle."""

    kind: Literal["agent.block"] = "agent.block"
    tree: AgentId
    agent: AgentId
    reason: Reason


class UnblockAgent(OperatorOrder):
    """Let a blocked agent work again. An agent below it that is blocked itself stays so."""

    kind: Literal["agent.unblock"] = "agent.unblock"
    tree: AgentId
    agent: AgentId
    reason: Reason


class CloseAgent(OperatorOrder):
    """Close an agent for good. It must have no money, no open payments and no open sub-agents."""

    kind: Literal["agent.close"] = "agent.close"
    tree: AgentId
    agent: AgentId
    reason: Reason


StatusCommand = BlockAgent | UnblockAgent | CloseAgent
AgentCommand = StatusCommand
