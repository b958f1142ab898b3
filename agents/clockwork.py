"""What the ledger's clocks have in common. None has a memory: what is due follows from the directory and the fold.

So a worker that takes a partition over goes on where the one before it stopped, and a moment that passed while nobody
was there is kept late, once: whoever fires a clock, the ledger does each thing once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from mode import Service

from schemas.entry import Entry
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.commands import LedgerCommand
from streams.ledger.state import Book
from streams.partitioner import partition_of
from streams.shards import NotOurs, Shards

_R = TypeVar("_R")
_LOOK_S = 1.0
_MORE_S = 0.1  # an entry takes so many and no more


async def decided(shards: Shards, partition: int, due: Iterable[LedgerCommand], at: int) -> Sequence[Entry]:
    """What came of what is due at that time (ms UTC); nothing where the partition is another worker's by now."""
    asks = [Ask(command, at) for command in due]
    if not asks:
        return ()
    try:
        return await shards.decide(partition, asks, tenure=shards.tenure(partition))
    except NotOurs:
        return ()


class BookClock(Service):
    """Looks through every book that is open here for what one entry can do about it; again at once where there was any.

    look_s: how often else.
    """

    abstract = True
    look_s = _LOOK_S

    def __init__(self, shards: Shards, clock: Clock, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shards = shards
        self._clock = clock

    def due(self, book: Book, now: int) -> LedgerCommand | None:
        """What the book is to be asked now (ms UTC); None: nothing is due."""
        raise NotImplementedError

    def done(self, entry: Entry) -> None:
        """It is on the ledger."""
        raise NotImplementedError

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            found = [await self.look(partition) for partition in self._shards.partitions()]
            await self.sleep(_MORE_S if any(found) else self.look_s)

    async def look(self, partition: int) -> int:
        """Do what is due on the partition, an entry a book; how many entries it was."""
        state, now = self._shards.state(partition), self._clock.now_ms()
        books = list(state.books.values()) if state is not None else []
        due = [command for book in books if (command := self.due(book, now)) is not None]
        entries = await decided(self._shards, partition, due, now)
        for entry in entries:
            self.done(entry)
        return len(entries)


class RecordClock(Service, Generic[_R]):
    """Looks at records of the directory, each of which says when something is due in one book."""

    abstract = True

    def __init__(self, directory: Directory, shards: Shards, clock: Clock, partitions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._directory = directory
        self._shards = shards
        self._clock = clock
        self._partitions = partitions

    def records(self) -> Iterable[_R]:
        raise NotImplementedError

    def book_of(self, record: _R) -> str:
        raise NotImplementedError

    def due(self, record: _R, partition: int, now: int) -> Sequence[LedgerCommand]:
        """What is due by the record now (ms UTC), all of it to be decided at once; none where the book is not ours."""
        raise NotImplementedError

    def done(self, record: _R, entries: Sequence[Entry]) -> None:
        """These, one at least, are on the ledger."""
        raise NotImplementedError

    @Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            await self.look()
            await self.sleep(_LOOK_S)

    async def look(self) -> None:
        """Do what is due by each record now; now is the same for all, so what is due at once is done in their order."""
        now = self._clock.now_ms()
        for record in list(self.records()):
            partition = partition_of(self.book_of(record), self._partitions)
            entries = await decided(self._shards, partition, self.due(record, partition, now), self._clock.now_ms())
            if entries:
                self.done(record, entries)
