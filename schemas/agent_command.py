"""What an operator may order about an agent that is there: whether it may work, and where its money goes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.ids import AgentId, Currency, Grounds, PositiveMinor
from schemas.operator_order import OperatorOrder

Reason = Annotated[Grounds, Field(description="why, for whoever asks later")]
Document = Annotated[Grounds, Field(description="number of the paper behind it")]
Comment = Annotated[str, StringConstraints(max_length=200)]


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


class Transfer(OperatorOrder):
    """An agent's money to another agent, of its tree or of another one."""

    kind: Literal["agent.transfer"] = "agent.transfer"
    tree: AgentId
    giver: AgentId
    taker: AgentId
    amount: PositiveMinor
    currency: Currency
    document: Document
    comment: Comment = ""
    to_tree: Annotated[AgentId | None, Field(description="the taker's tree; none: the giver's own")] = None

    later = frozenset({"to_tree"})


class Withdraw(OperatorOrder):
    """Money that went from an agent's account to its bank."""

    kind: Literal["agent.withdraw"] = "agent.withdraw"
    tree: AgentId
    agent: AgentId
    amount: PositiveMinor
    currency: Currency
    document: Document
    comment: Comment = ""


class MoveAgent(OperatorOrder):
    """Put a sub-agent, with all below it, under another agent of its tree. Payments held before keep their rewards."""

    kind: Literal["agent.move"] = "agent.move"
    tree: AgentId
    agent: AgentId
    parent: AgentId
    reason: Reason


StatusCommand = BlockAgent | UnblockAgent | CloseAgent
AgentCommand = StatusCommand | Transfer | Withdraw | MoveAgent
