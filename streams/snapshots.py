"""Snapshots of a partition's fold on this machine's disk, so that a worker need not read the whole ledger again.

    <dir>/snapshots/<partition>/<offset>/snapshot.json   what it is of, and checksums
                                         state.json      accounts, agents, open payments
                                         archive/        final payments and answered commands (see archive.py)

A snapshot holds nothing the ledger does not hold: it may be lost, damaged, or of another release, and is then passed
over. Its directory appears all at once, by a rename; several workers on one machine share them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from streams.archive import Archive, ArchiveError, NoRoom
from streams.ledger.image import VERSION, StateImage, image_of, state_of
from streams.ledger.state import State

log = structlog.get_logger()

_STATE: TypeAdapter[StateImage] = TypeAdapter(StateImage)
_KEEP = 2  # the newest, and the one before in case it is damaged
_LABEL, _STATE_FILE, _ARCHIVE = "snapshot.json", "state.json", "archive"


class SnapshotUnusable(Exception):
    """This snapshot cannot be gone on from; the text says why. The one before it, or the ledger, can."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A ledger record by which to know the ledger again: its offset, and the SHA-256 of its value, hex."""

    offset: int
    sha256: str

    @classmethod
    def of(cls, offset: int, value: bytes) -> Mark:
        return cls(offset, hashlib.sha256(value).hexdigest())


@dataclass(frozen=True, slots=True)
class Label:
    """What a snapshot is of. release: see `release`. mark: the last ledger record in it. state_sha256: of state.json.

    archive: each file's size in bytes.
    """

    release: str
    partition: int
    mark: Mark
    state_sha256: str
    archive: dict[str, int]
    taken_at_ms: int


_LABELS: TypeAdapter[Label] = TypeAdapter(Label)


def release() -> str:
    """Another one as soon as a fold is kept otherwise: by other rules, or with other fields."""
    fields = orjson.dumps(_STATE.json_schema(), option=orjson.OPT_SORT_KEYS)
    return f"{VERSION}-{hashlib.sha256(fields).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One that is on disk, with its label read and of this release. `load` says whether the rest is sound."""

    directory: Path
    label: Label

    def load(self, work: Path) -> tuple[State, Archive]:
        """The state, and an archive of one's own in `work`, which must not exist. Raises SnapshotUnusable, NoRoom."""
        try:
            written = (self.directory / _STATE_FILE).read_bytes()
            if hashlib.sha256(written).hexdigest() != self.label.state_sha256:
                raise SnapshotUnusable(f"{self.directory}: {_STATE_FILE} is not what was written")
            if _sizes(self.directory / _ARCHIVE) != self.label.archive:
                raise SnapshotUnusable(f"{self.directory}: the archive is not what was written")
            state = state_of(_STATE.validate_json(written))
            return state, Archive.copy_of(self.directory / _ARCHIVE, work)
        except NoRoom:
            raise
        except (OSError, ValidationError, ArchiveError) as error:
            raise SnapshotUnusable(f"{self.directory}: {error}") from error


class Snapshots:
    """Those of one partition."""

    def __init__(self, root: Path, partition: int) -> None:
        self._partition = partition
        self._directory = root / str(partition)

    def newest_first(self) -> Iterator[Snapshot]:
        """Those with a label of this release; the others are passed over with a word in the log."""
        for directory in sorted(_numbered(self._directory), key=lambda one: int(one.name), reverse=True):
            try:
                label = _LABELS.validate_json((directory / _LABEL).read_bytes())
            except (OSError, ValidationError) as error:
                log.warning("snapshot_unreadable", snapshot=str(directory), error=str(error)[:300])
                continue
            if label.release == release() and label.partition == self._partition:
                yield Snapshot(directory, label)
            else:
                log.info("snapshot_of_another_release", snapshot=str(directory), release=label.release)

    def archive_at(self, mark: Mark) -> Path:
        """Where the archive of the snapshot with this mark is, or was."""
        return self._directory / str(mark.offset) / _ARCHIVE

    def condemn(self, mark: Mark) -> None:
        """Take one away from those to be loaded. It is kept to be looked at until the next one is written."""
        directory = self._directory / str(mark.offset)
        try:
            directory.rename(directory.with_name(f"bad-{directory.name}-{uuid4().hex[:8]}"))
        except OSError as error:
            log.warning("snapshot_not_condemned", snapshot=str(directory), error=str(error))

    def write(self, state: State, archive: Archive, mark: Mark, at_ms: int) -> int:
        """Write one of a state that is the ledger up to `mark`; returns its bytes, without the archive's.

        What is final in the state must be in the archive. Raises OSError and ArchiveError, and leaves nothing behind.
        """
        unfinished = self._directory / f"new-{uuid4().hex}"
        unfinished.mkdir(parents=True)
        try:
            archive.checkpoint(unfinished / _ARCHIVE)
            written = orjson.dumps(image_of(state))
            sizes = _sizes(unfinished / _ARCHIVE)
            label = Label(release(), self._partition, mark, hashlib.sha256(written).hexdigest(), sizes, at_ms)
            _write_through(unfinished / _STATE_FILE, written)
            _write_through(unfinished / _LABEL, orjson.dumps(label))
            final = self._directory / str(mark.offset)
            shutil.rmtree(final, ignore_errors=True)
            unfinished.rename(final)
            _sync(self._directory)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        self._prune()
        return len(written)

    def _prune(self) -> None:
        """Remove what is older than the last few, also what another worker left unfinished or condemned."""
        numbered = sorted(_numbered(self._directory), key=lambda one: int(one.name))
        others = set(self._directory.iterdir()) - set(numbered)
        for directory in [*numbered[:-_KEEP], *others]:
            shutil.rmtree(directory, ignore_errors=True)


def _numbered(directory: Path) -> list[Path]:
    return [one for one in directory.iterdir() if one.name.isdecimal()] if directory.is_dir() else []


def _sizes(directory: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in directory.iterdir()}


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    place = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
