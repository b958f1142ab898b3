"""A small disk of its own under a directory, so that it can be filled without harm to the machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SIZE_MB = 2_048


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
        """To the last byte."""
        with self._ballast.open("wb") as ballast:
            free = os.statvfs(self.place).f_bavail * os.statvfs(self.place).f_frsize
            try:
                os.posix_fallocate(ballast.fileno(), 0, free)
            except OSError:  # somebody wrote meanwhile: take page by page what is left
                _fill_up(ballast.fileno())

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        self.free()
        subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True, check=False)

    @property
    def _ballast(self) -> Path:
        return self.place / "ballast"


def _fill_up(file: int) -> None:
    page = b"\0" * 4096
    try:
        while True:
            os.write(file, page)
    except OSError:
        return
