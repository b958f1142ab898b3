"""The clock of cut-offs: cuts the registry of a payee that is served offline when its record says so.

A cut-off that passed while nobody was there is kept late, once: the ledger cuts a registry by its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from agents.clockwork import RecordClock
from schemas.cron import next_moment
from schemas.entry import Entry
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.registry import registry_book
from streams.ledger.commands import RegistryDue, RegistryTerms
from streams.ledger.registry_state import Registries

log = structlog.get_logger()


class RegistryClock(RecordClock[Payee]):
    """A service of the Faust app."""

    def records(self) -> Iterable[Payee]:
        return (payee for payee in list(self._directory.payees.values()) if payee.offline is not None)

    def book_of(self, record: Payee) -> str:
        return registry_book(record.id)

    def done(self, record: Payee, entries: Sequence[Entry]) -> None:
        for entry in entries:
            number = entry.registry.number if entry.registry is not None else 0
            log.info("registry_cut", payee=record.id, number=number, entry=entry.seq)

    def due(self, record: Payee, partition: int, now: int) -> Sequence[RegistryDue]:
        """The registry that is to be cut now (ms UTC); none: it is not time, or not our book."""
        state, terms = self._shards.state(partition), record.offline
        if state is None or terms is None or terms.since is None:
            return ()
        name = registry_book(record.id)
        book = state.books.get(name)
        current = (book.registries if book is not None and book.registries is not None else Registries()).current
        moment = next_moment(terms.cut_off, record.time_zone, max(current.since, instant_ms(terms.since)))
        due = RegistryTerms(terms.form, record.time_zone, record.currency)
        return [RegistryDue(name, record.id, current.number, moment, due)] if moment <= now else ()
