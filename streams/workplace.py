"""A directory for what a process needs on disk while it lives, cleared away by whoever comes after it."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from uuid import uuid4


class Workplace:
    """Ours until `close` or the end of the process. Making one removes those that killed processes left in `root`."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        for left in root.iterdir():
            _clear_if_left(left)
        self._directory = root / uuid4().hex
        self._directory.mkdir()
        # A bare descriptor, since it is meant to be held until the process ends.
        self._lock = os.open(self._directory / "lock", os.O_CREAT | os.O_WRONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def place(self, name: str) -> Path:
        """A path for something new; nothing is there yet."""
        return self._directory / f"{name}-{uuid4().hex[:8]}"

    def close(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        os.close(self._lock)


def _clear_if_left(directory: Path) -> None:
    """The kernel gives a lock back when its process ends, however it ends."""
    try:
        with (directory / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
    except OSError:  # held, or being made this very moment
        return
