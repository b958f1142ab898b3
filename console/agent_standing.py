"""`kassa agent block`, `unblock`, `close`: whether an agent may work."""

from __future__ import annotations

from typing import Any

import typer

from console.context import broker_settings
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import AgentArgument, CommandId, Operator, Reason, TimeOut, Tree
from console.signing import done, give, now
from schemas.agent_command import BlockAgent, CloseAgent, UnblockAgent


def add_to(group: typer.Typer) -> None:
    group.command("block")(block)
    group.command("unblock")(unblock)
    group.command("close")(close)


def block(
    agent: AgentArgument,
    reason: Reason,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Stop an agent and all below it; their payments already held still settle."""
    said = "is blocked, and all below"
    _order(BlockAgent, agent, reason, tree, command_id, operator, time_out, said)


def unblock(
    agent: AgentArgument,
    reason: Reason,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Let a blocked agent work again."""
    _order(UnblockAgent, agent, reason, tree, command_id, operator, time_out, "may work again")


def close(
    agent: AgentArgument,
    reason: Reason,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Close an agent for good: without money, open payments or open sub-agents."""
    _order(CloseAgent, agent, reason, tree, command_id, operator, time_out, "is closed for good")


def _order(
    kind: type[BlockAgent | UnblockAgent | CloseAgent],
    agent: str,
    reason: str,
    tree: str | None,
    command_id: str | None,
    operator: str | None,
    time_out: float,
    said: str,
) -> None:
    settings = broker_settings()
    there = find_agent(settings, agent, tree)
    order: dict[str, Any] = {"tree": there.tree, "agent": agent, "reason": reason}
    command = kind(id=command_id or fresh_id(), issued_at=now(), **order)
    answer = give(settings, command, operator, time_out)
    done(f"agent {agent} {said}", command, answer)
