"""The wall clock as workers read it, and the one place where a fault test can make it wrong.

Read once, when the process starts; from there on time is counted by a clock that nobody sets. So a clock that is set
forwards or backwards while a worker runs (an operator, a time server, a virtual machine that moved) neither holds
retries up nor makes them come all at once, and an outcome is never decided "before" its payment was.
"""

from __future__ import annotations

import time
from pathlib import Path

_MS = 1_000_000
# Counts on while the machine sleeps, where there is such a clock (Linux).
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """ms UTC. shift: a file that holds how many milliseconds the machine's clock is wrong; for fault tests only."""

    def __init__(self, shift: Path | None = None) -> None:
        self._origin_ns = time.time_ns() + _read_ms(shift) * _MS - time.clock_gettime_ns(_STEADY)

    def now_ms(self) -> int:
        return (self._origin_ns + time.clock_gettime_ns(_STEADY)) // _MS


def _read_ms(shift: Path | None) -> int:
    """No file is no shift. Raises ValueError when it holds no whole number."""
    if shift is None or not shift.exists():
        return 0
    return int(shift.read_text())
