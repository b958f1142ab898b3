"""`kassa agent tree`: who is below whom, and what each has. Read from topic `balances`; no worker is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.tree import Tree as Branches

from console.agent_limits import shown
from console.context import broker_settings
from console.errors import NotFound
from console.lookup import balances, find_agent, purses
from console.output import major, out
from schemas.balance import Balance


def add_to(group: typer.Typer) -> None:
    group.command("tree")(show_tree)


def show_tree(
    agent: Annotated[str | None, typer.Argument(metavar="AGENT", help="Only it and all below.")] = None,
    tree: Annotated[
        str | None, typer.Option(metavar="ROOT", help="The root agent, where an agent's id is in more than one tree.")
    ] = None,
) -> None:
    """Trees of agents with their balances."""
    settings = broker_settings()
    everyone = purses(settings)
    if agent is not None:
        top = [find_agent(settings, agent, tree)]
    else:
        top = [one for one in balances(settings) if one.parent is None and tree in (None, one.tree)]
    if not top:
        raise NotFound("there are no agents" if tree is None else f"there is no tree {tree!r}")
    for one in top:
        for line in lines(one, everyone):
            typer.echo(line)


def lines(top: Balance, everyone: Sequence[Balance]) -> list[str]:
    """The branches below `top`, as they are printed."""
    console = out()
    with console.capture() as captured:
        console.print(_branches(top, everyone))
    return [line.rstrip() for line in captured.get().splitlines()]


def _branches(top: Balance, everyone: Sequence[Balance]) -> Branches:
    """Level by level, so that how deep a tree is does not matter."""
    drawn = Branches(_label([one for one in everyone if (one.tree, one.agent) == (top.tree, top.agent)]))
    places = {top.agent: drawn}
    waiting = [top.agent]
    while waiting:
        above = waiting.pop(0)
        for one in everyone:
            if one.tree == top.tree and one.parent == above and one.agent not in places:
                purses_of = [purse for purse in everyone if (purse.tree, purse.agent) == (one.tree, one.agent)]
                places[one.agent] = places[above].add(_label(purses_of))
                waiting.append(one.agent)
    return drawn


def _label(purses_of: Sequence[Balance]) -> str:
    """An agent in each of its currencies."""
    one = purses_of[0]
    words = [f"[bold]{escape(one.agent)}[/bold]"]
    if one.funding == "shared":
        words.append(f"spends the money of {one.parent}")
    for purse in purses_of:
        words += _purse(purse)
    if one.status != "open":
        words.append(one.status.upper())
    return "  ".join(words)


def _purse(one: Balance) -> list[str]:
    words = [f"{major(one.balance, one.currency)} {one.currency}"]
    if one.held:
        words.append(f"held {major(one.held, one.currency)}")
    if one.overdraft:
        words.append(f"overdraft {major(one.overdraft, one.currency)}")
    return words + [f"{name} {limit}" for name, limit in shown(one).items()]
