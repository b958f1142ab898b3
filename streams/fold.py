"""The fold of a ledger partition: what a worker must know before it decides, and how it comes to know it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import structlog
from pydantic import ValidationError

from schemas.entry import Entry
from streams import metrics
from streams.archive import Archive, ArchiveError, NoRoom
from streams.ledger import memory
from streams.ledger.commands import LedgerCommand
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.state import State
from streams.ledger_reader import read_records
from streams.settings import Settings
from streams.snapshots import Mark, Snapshot, Snapshots, SnapshotUnusable
from streams.workplace import Workplace

log = structlog.get_logger()

# Reading a long ledger, snapshots are for memory's sake alone: what is final must leave it.
_READING_IS_QUICK = 20


class LedgerUnreadable(LedgerCorrupt):
    """A record on the ledger is not an entry. The ledger is the truth: the worker must stop, not guess."""


class Fold:
    """A state, the archive of what left its memory, and how much of the ledger is in both.

    Without a workplace nothing is archived and no snapshot is taken or looked for: all stays in memory.
    """

    def __init__(self, settings: Settings, partition: int, work: Workplace | None = None) -> None:
        self.state = State(partition)
        self.since = 0  # entries folded since the last snapshot
        self.folded = 0  # entries read from the ledger
        self._every = settings.snapshot_every if work is not None else 0
        self._work = work
        self._snapshots = Snapshots(settings.snapshots, partition)
        self._archive: Archive | None = None
        self._archive_is_sound = False
        self._mark: Mark | None = None
        self._last: tuple[int, bytes] | None = None

    def open(self, snapshot: Snapshot | None) -> Mark | None:
        """Begin with a snapshot or with nothing; returns the mark it reaches. Raises SnapshotUnusable, ArchiveError."""
        if self._work is None or not self._every:
            return None
        place = self._work.place(str(self.state.partition))
        if snapshot is None:
            self._archive = Archive(place)
        else:
            self.state, self._archive = snapshot.load(place)
            self._mark = snapshot.label.mark
        self._archive_is_sound = True
        return self._mark

    def recall(self, commands: Iterable[LedgerCommand]) -> None:
        """Have at hand what these may be about. Raises ArchiveError."""
        if self._archive is not None:
            memory.recall(self.state, self._archive.find(memory.needed_to_decide(self.state, commands)))

    def read(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Fold ledger records, (offset, value) each. Raises LedgerCorrupt, ArchiveError."""
        entries = [_decode(self.state.partition, offset, value) for offset, value in records]
        if self._archive is not None:
            memory.recall(self.state, self._archive.find(memory.needed_to_evolve(self.state, entries)))
        for (offset, _), entry in zip(records, entries, strict=True):
            try:
                evolve(self.state, entry)
            except LedgerCorrupt as error:
                raise LedgerCorrupt(f"ledger partition {self.state.partition}, offset {offset}: {error}") from error
        self.folded += len(entries)
        self.took(*records[-1], len(entries))

    def took(self, offset: int, value: bytes, entries: int) -> None:
        """So many entries more are in the state and on the ledger, the last one there under this offset."""
        self._last = (offset, value)
        self.since += entries

    def snapshot_if_due(self, *, reading: bool = False) -> None:
        """Archive what is final and take a snapshot, every so many entries.

        Only when all of the state is on the ledger. A failure is logged, and costs memory until one succeeds: nothing
        leaves it before.
        """
        if self._every and self.since >= self._every * (_READING_IS_QUICK if reading else 1):
            self._snapshot()

    def distrust(self) -> None:
        """The archive could not be read: neither it nor the snapshot it is linked with is to be gone on from."""
        if self._mark is not None:
            self._snapshots.condemn(self._mark)

    def close(self) -> None:
        archive, self._archive = self._archive, None
        if archive is not None:
            with suppress(ArchiveError):  # it may fail to write its last; all of that is on the ledger
                archive.close()
            shutil.rmtree(archive.directory, ignore_errors=True)

    def _snapshot(self) -> None:
        assert self._last is not None
        began, entries, self.since = time.monotonic(), self.since, 0
        mark = Mark.of(*self._last)
        try:
            archive = self._sound_archive()
            self._archive_is_sound = False
            archived = archive.put(memory.leaving(self.state))
            size = self._snapshots.write(self.state, archive, mark, time.time_ns() // 1_000_000)
        except (OSError, ArchiveError) as error:
            metrics.SNAPSHOTS_FAILED.inc()
            log.error("snapshot_failed", partition=self.state.partition, error=str(error)[:300])
            return
        self._archive_is_sound = True
        self._mark = mark
        memory.let_go(self.state)
        seconds = time.monotonic() - began
        metrics.SNAPSHOT_SECONDS.observe(seconds)
        log.info("snapshot", partition=self.state.partition, offset=mark.offset, entries=entries, archived=archived,
                 open=len(self.state.open), bytes=size, seconds=round(seconds, 3))  # fmt: skip

    def _sound_archive(self) -> Archive:
        """Ours; after a failure, since RocksDB then writes no more, a new one from where the last snapshot left it."""
        assert self._archive is not None
        assert self._work is not None
        if self._archive_is_sound:
            return self._archive
        place = self._work.place(str(self.state.partition))
        # Without a mark nothing has left memory yet.
        kept = self._snapshots.archive_at(self._mark) if self._mark is not None else None
        fresh = Archive.copy_of(kept, place) if kept is not None else Archive(place)
        self.close()
        self._archive = fresh
        return fresh


def recover(settings: Settings, partition: int, work: Workplace | None = None) -> Fold:
    """The partition's ledger folded to its present end, from the newest snapshot that can be believed.

    Raises LedgerCorrupt when the ledger contradicts itself, KafkaException and TimeoutError when it cannot be read,
    NoRoom when the disk is full.
    """
    if work is not None and settings.snapshot_every:
        snapshots = Snapshots(settings.snapshots, partition)
        for snapshot in snapshots.newest_first():
            try:
                return _folded(settings, Fold(settings, partition, work), snapshot)
            except NoRoom:
                raise  # the snapshot is as good as ever
            except (SnapshotUnusable, ArchiveError, LedgerCorrupt) as error:
                metrics.SNAPSHOTS_PASSED_OVER.inc()
                log.warning(
                    "snapshot_not_used", partition=partition, snapshot=str(snapshot.directory), error=str(error)
                )
                snapshots.condemn(snapshot.label.mark)
    return _folded(settings, Fold(settings, partition, work), None)


def _folded(settings: Settings, fold: Fold, snapshot: Snapshot | None) -> Fold:
    try:
        mark = fold.open(snapshot)
        for records in _after(mark, read_records(settings, fold.state.partition, mark.offset if mark else 0)):
            fold.read(records)
            fold.snapshot_if_due(reading=True)
        fold.snapshot_if_due()  # so that the next start has less to read
    except BaseException:
        fold.close()
        raise
    return fold


def _after(mark: Mark | None, chunks: Iterator[list[tuple[int, bytes]]]) -> Iterator[list[tuple[int, bytes]]]:
    """The records behind the mark. Raises SnapshotUnusable when the ledger does not have the marked record there."""
    if mark is not None:
        first = next(chunks, [])
        if not first or Mark.of(*first[0]) != mark:
            raise SnapshotUnusable(f"the ledger has another record at offset {mark.offset}, or none")
        if first[1:]:
            yield first[1:]
    yield from chunks


def _decode(partition: int, offset: int, value: bytes) -> Entry:
    try:
        return Entry.decode(value)
    except ValidationError as error:
        raise LedgerUnreadable(f"ledger partition {partition}, offset {offset} is not an entry: {error}") from error
