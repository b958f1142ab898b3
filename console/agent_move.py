"""`kassa agent move`: a sub-agent goes to another place in its tree."""

from __future__ import annotations

from typing import Annotated

import typer

from console.context import broker_settings
from console.lookup import find_agent
from console.numbers import fresh_id
from console.options import AgentArgument, CommandId, Operator, Reason, TimeOut, Tree
from console.signing import done, give, now
from schemas.agent_command import MoveAgent


def add_to(group: typer.Typer) -> None:
    group.command("move")(move)


def move(
    agent: AgentArgument,
    parent: Annotated[str, typer.Option(metavar="AGENT", help="The agent of the same tree it is to be below.")],
    reason: Reason,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Move an agent, with all below it, under another one of its tree."""
    settings = broker_settings()
    there = find_agent(settings, agent, tree)
    command = MoveAgent(
        id=command_id or fresh_id(), issued_at=now(), tree=there.tree, agent=agent, parent=parent, reason=reason
    )
    answer = give(settings, command, operator, time_out)
    done(f"agent {agent} is below {parent}", command, answer)
