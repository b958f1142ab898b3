"""A command carried out: decided, folded, and with it whatever it sets free."""

from __future__ import annotations

from schemas.entry import Entry
from streams.ledger.commands import LedgerCommand
from streams.ledger.decide import decide
from streams.ledger.decisions import Decision
from streams.ledger.errors import Undecidable
from streams.ledger.evolve import evolve
from streams.ledger.registries import queue
from streams.ledger.state import State
from streams.ledger.waiting import roused


def perform(state: State, command: LedgerCommand, at: int) -> Decision:
    """What the command leads to at that time (ms UTC), already in the state: [DEPOSITED, HELD, HELD, …], say.

    The entries are one decision: to be kept all, or none of them. Raises Undecidable; then nothing was changed.
    """
    try:
        decision = decide(state, command, at)
    except MemoryError:
        raise
    except Exception as error:
        raise Undecidable from error
    if not isinstance(decision, list):
        return decision
    entries = list[Entry]()
    for entry in decision:
        entries += _folded(state, entry)
    if state.waiting and command.book in state.books:
        for entry in roused(state, state.books[command.book], entries or None, at):
            entries += _folded(state, entry)
    return entries


def _folded(state: State, entry: Entry) -> list[Entry]:
    """The entry, and what it calls for in its own book; both in the state."""
    evolve(state, entry)
    queued = queue(state, entry)
    if queued is None:
        return [entry]
    evolve(state, queued)
    return [entry, queued]
