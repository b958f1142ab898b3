"""What workers asked payees for, overheard on the cable between them: what has left a worker counts, come what may."""

from __future__ import annotations

import re
from pathlib import Path

_PAY = re.compile(rb"GET /([a-z-]+)/\?command=pay&txn_id=(\d+)")


def asked_file(directory: Path) -> Path:
    """Of a site."""
    return directory / "asked.txt"


class Overheard:
    """Each number with each payee that was asked to take money under it, a line once. For one thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="ascii", buffering=1)
        self._known: set[tuple[bytes, bytes]] = set()

    def hear(self, data: bytes) -> None:
        """Some bytes on their way to the payees: a request is sent in one piece."""
        for asked in _PAY.findall(data):
            if asked not in self._known:
                self._known.add(asked)
                payee, txn = asked
                self._file.write(f"{txn.decode()} {payee.decode()}\n")

    def close(self) -> None:
        self._file.close()


def overheard(path: Path) -> dict[int, list[str]] | None:
    """Number -> the payees that were asked. None: nobody listened."""
    if not path.exists():
        return None
    found: dict[int, list[str]] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        txn, payee = line.split()
        found.setdefault(int(txn), []).append(payee)
    return found
