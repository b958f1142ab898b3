"""Whether a tree, its agents and a payee are there: a record that names none does nothing, and nobody notices."""

from __future__ import annotations

from collections.abc import Iterable

from console.lookup import find_agent, find_payee
from streams.settings import Settings


def must_be_there(settings: Settings, tree: str, agents: Iterable[str] = (), payee: str | None = None) -> None:
    """Raises NotFound."""
    for agent in (tree, *agents):
        find_agent(settings, agent, tree)
    if payee is not None:
        find_payee(settings, payee)
