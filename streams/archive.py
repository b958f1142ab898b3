"""Where what is final goes when it leaves a fold's memory: a RocksDB on this machine's disk.

It is asked about every payment that arrives, and nearly always says no; its Bloom filters do that in 2 µs without
touching the disk, at 10 bits of memory for each payment ever taken.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from rocksdict import (
    BlockBasedOptions,
    Cache,
    Checkpoint,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

_AT_ONCE = 10_000
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_IN_WORDS = os.strerror(errno.ENOSPC)  # RocksDB passes on no number
_MEMTABLE_BYTES = 8 * 1024 * 1024
_OPEN_FILES = 256
# One for all partitions of the process: blocks read to answer the few duplicates there are.
_CACHE = Cache(32 * 1024 * 1024)


class ArchiveError(Exception):
    """The archive cannot be read or written: a damaged file, a full disk. It holds nothing the ledger does not hold."""


class NoRoom(ArchiveError):
    """The disk is full. Nothing is wrong with what is on it."""


class Archive:
    """Keys and contents of one partition. One process at a time; a checkpoint of it can be read by any."""

    def __init__(self, directory: Path) -> None:
        """Open it, or make it. Raises ArchiveError."""
        self.directory = directory
        self._unlogged = WriteOptions()
        # A property, whatever its type hints say. What is in no checkpoint is written again from the ledger.
        self._unlogged.disable_wal = True  # type: ignore[method-assign, assignment]
        with _translated():
            self._db = Rdict(str(directory), _options())

    @classmethod
    def copy_of(cls, checkpoint: Path, directory: Path) -> Archive:
        """Go on from a checkpoint, which stays as it is: tables never change and are linked, the rest is copied.

        Raises ArchiveError.
        """
        try:
            directory.mkdir(parents=True)
            for file in checkpoint.iterdir():
                place = directory / file.name
                if file.suffix == ".sst":
                    os.link(file, place)
                else:
                    shutil.copyfile(file, place)
        except OSError as error:
            raise (NoRoom if error.errno in _FULL else ArchiveError)(str(error)) from error
        return cls(directory)

    def put(self, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Write these, in place of what their keys had; returns how many. Lasts from the next checkpoint on."""
        count, batch = 0, WriteBatch(raw_mode=True)
        for key, content in records:
            batch.put(key, content)
            count += 1
            if count % _AT_ONCE == 0:
                self._write(batch)
                batch = WriteBatch(raw_mode=True)
        self._write(batch)
        return count

    def find(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What there is of these. Raises ArchiveError."""
        if not keys:
            return {}
        with _translated():
            contents: list[bytes | None] = self._db.get(list(keys))  # type: ignore[assignment]
        return {key: content for key, content in zip(keys, contents, strict=True) if content is not None}

    def checkpoint(self, directory: Path) -> None:
        """All of it as it is now, in a directory that must not exist, on the same file system. Raises ArchiveError."""
        with _translated():
            Checkpoint(self._db).create_checkpoint(str(directory))

    def close(self) -> None:
        with _translated():
            self._db.close()

    def _write(self, batch: WriteBatch) -> None:
        with _translated():
            self._db.write(batch, self._unlogged)


class _translated:
    """RocksDB's errors, which come as bare exceptions, as ArchiveError."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            raise (NoRoom if _FULL_IN_WORDS in str(error) else ArchiveError)(str(error)) from error


def _options() -> Options:
    options, table = Options(raw_mode=True), BlockBasedOptions()
    table.set_bloom_filter(10, False)
    table.set_block_cache(_CACHE)
    options.set_block_based_table_factory(table)
    options.create_if_missing(True)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_max_open_files(_OPEN_FILES)
    options.set_keep_log_file_num(1)
    options.set_max_background_jobs(2)
    return options
