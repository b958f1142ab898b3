"""A small disk of its own under a directory, so that it can be filled without harm to the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SIZE_MB = 4_096  # of memory, and only as much as is on it
_TRIES = 20


@dataclass(frozen=True)
class SmallDisk:
    """A tmpfs; only root may mount one."""

    place: Path

    @classmethod
    def mount(cls, place: Path) -> SmallDisk | None:
        """None where we may not."""
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "kassa-chaos", str(place)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            return None
        return cls(place)

    def fill(self) -> None:
        """Not a page is left: the disk shrinks to what is on it, which costs nothing, unlike a file that fills it."""
        for _ in range(_TRIES):
            there = os.statvfs(self.place)
            if self._resize(str((there.f_blocks - there.f_bfree) * there.f_frsize)):
                return
        raise OSError(f"{self.place} cannot be filled: somebody writes all the time")

    def free(self) -> None:
        self._resize(f"{SIZE_MB}m")

    def unmount(self) -> None:
        """What is on it is gone, but for logs, which go to `run`."""
        for log in self.place.glob("*.log"):
            shutil.copy(log, self.place.parent / "run" / log.name)
        subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True, check=False)

    def _resize(self, size: str) -> bool:
        """False: more is on it by now."""
        command = ["mount", "-o", f"remount,size={size}", str(self.place)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
