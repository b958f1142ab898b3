"""What running a command shows, and waiting for what must come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Shown:
    """What a command did: its exit code and what it printed."""

    code: int
    out: str
    err: str

    def says(self, *words: str) -> bool:
        return all(word in self.out + self.err for word in words)


Kassa = Callable[..., Shown]


def eventually(condition: Callable[[], bool], within_s: float = 90) -> None:
    """Wait for it within a bound."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.05)
