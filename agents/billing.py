"""The billing clock: hands the ledger what agents owe for the periods that have begun.

Like the settlement clock it has no memory of its own: what was charged last follows from the fold, so a worker that
takes a partition over goes on where the one before it stopped, and the ledger charges a period once, whoever asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import structlog

from agents.clockwork import RecordClock
from schemas.entry import Entry
from schemas.plan import Plan
from streams.ledger.charges import next_charge, today_of
from streams.ledger.commands import FeeDue
from streams.ledger.state import Book

log = structlog.get_logger()

# Fees decided in one transaction; the rest follow at the next look.
AT_ONCE = 200


class BillingClock(RecordClock[Plan]):
    """A service of the Faust app."""

    def records(self) -> Iterable[Plan]:
        return self._directory.plans.values()

    def book_of(self, record: Plan) -> str:
        return record.tree

    def done(self, record: Plan, entries: Sequence[Entry]) -> None:
        log.info("fees_charged", tree=record.tree, plan=record.id, fees=len(entries))

    def due(self, record: Plan, partition: int, now: int) -> list[FeeDue]:
        """One for each agent that is to be charged now (ms UTC), its oldest period; AT_ONCE at most."""
        state = self._shards.state(partition)
        book = state.books.get(record.tree) if state is not None else None
        if book is None or not book.agents or record.is_paused:
            return []
        found = list(islice(_periods(record, book, now), AT_ONCE))
        if not found:
            return []
        mine = (one for one in self._directory.terminals.values() if one.tree == record.tree)
        terminals = Counter(one.agent for one in mine if one.is_in_service)
        digest = record.digest()
        return [
            FeeDue(
                record.tree, record.id, agent, period, since, record.currency, record.fixed, record.per_terminal,
                terminals[agent], digest,
            )
            for agent, period, since in found
        ]  # fmt: skip


def _periods(plan: Plan, book: Book, now: int) -> Iterator[tuple[str, str, str]]:
    """(agent, period, since) of those that have not paid for all that has begun."""
    today = today_of(book, now)
    for name in plan.agents or list(book.agents):
        agent = book.agents.get(name)
        if agent is not None and (due := next_charge(book, plan, agent, today)) is not None:
            yield name, *due
