"""A token bucket: so many in a burst, so many a second after that."""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """Full at first. `clock` gives seconds that only grow."""

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._level = float(burst)
        self._filled_at = clock()

    @property
    def level(self) -> float:
        """How many tokens there are; below zero after more were taken than there were."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._per_s)
        self._filled_at = now
        return self._level

    def take(self, count: int) -> None:
        """Take tokens, also those that are not there: what has happened has happened, and the wait is longer."""
        self._level = self.level - count

    def wait_s(self, count: float) -> float:
        """Seconds until there are so many tokens."""
        return max(0.0, (count - self.level) / self._per_s)
