"""Writers that are done for, kept until nothing of theirs is on its way.

librdkafka 2.16 corrupts the heap when a producer is destroyed right after it was fenced in the middle of a transaction:
its requests under way come back to memory that is gone, and the process dies of it, with all its partitions. Fenced is
what every worker is that loses a partition under load, so nobody here lets go of a writer at once.
"""

from __future__ import annotations

import time
from collections import deque
from threading import Lock

from confluent_kafka import Producer

_KEPT_S = 60.0  # far more than a request may be under way (`socket.timeout.ms`)

_lock = Lock()
_retired: deque[tuple[float, Producer]] = deque()


def retire(writer: Producer) -> None:
    """Keep a writer nobody will use again, and let go of those that have been kept for long enough."""
    now = time.monotonic()
    with _lock:
        _retired.append((now, writer))
        done = [_retired.popleft() for _ in range(sum(now - since > _KEPT_S for since, _ in _retired))]
    del done  # outside of the lock: it takes a moment
