"""A pace: in no second more requests than were agreed. A payee that is sent more refuses them, and who knows which."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Pace:
    """`count` requests in any `span_s` seconds. `clock` gives seconds that only grow."""

    def __init__(self, count: int, span_s: float, clock: Callable[[], float]) -> None:
        self._span_s = span_s
        self._clock = clock
        self._places: deque[float] = deque(maxlen=count)  # when the last so many leave

    def wait_s(self) -> float:
        """Take the next place; seconds until it is there."""
        now = self._clock()
        is_full = len(self._places) == self._places.maxlen
        at = max(now, self._places[0] + self._span_s) if is_full else now
        self._places.append(at)
        return at - now
