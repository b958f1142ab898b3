"""Under which transactional id a ledger partition is written, and how its earlier writers are shut out.

On Apache Kafka one id a partition does both: `init_transactions` fences whoever used it before. Whatever else has one
writer is done in the same way.

The embedded broker has a fault that this would hit: it tells readers of aborted transactions again and again, also of
those long behind them, and a client then takes everything that the same producer wrote since for aborted. So there the
id has a generation: the last one is fenced, and the next one, whose producer never aborted anything, writes.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException, Producer

from streams.clients import SOCKET_TIME_OUT_MS, producer
from streams.retired import retire
from streams.settings import Settings


def fenced_writer(settings: Settings, partition: int, time_out_s: float) -> Producer:
    """A transactional producer for the partition; every earlier one is fenced. Raises KafkaException."""
    return fenced_producer(settings, f"kassa-ledger-{partition}", time_out_s)


def fenced_producer(settings: Settings, name: str, time_out_s: float) -> Producer:
    """The same for anything else that needs one writer: the last to come under this name. Raises KafkaException."""
    if not settings.embedded:
        return _opened(settings, name, time_out_s)
    with _next_generation(settings, name) as generation:
        _opened(settings, f"{name}-{generation}", time_out_s)
        return _opened(settings, f"{name}-{generation + 1}", time_out_s)


def _opened(settings: Settings, transactional_id: str, time_out_s: float) -> Producer:
    writer = producer(
        settings,
        transactional_id=transactional_id,
        transaction_timeout_ms=settings.transaction_time_out_ms,
        # librdkafka makes no producer that would wait longer for an answer than its transaction lives.
        socket_timeout_ms=min(SOCKET_TIME_OUT_MS, settings.transaction_time_out_ms),
    )
    try:
        writer.init_transactions(time_out_s)
    except KafkaException:
        retire(writer)
        raise
    return writer


@contextmanager
def _next_generation(settings: Settings, name: str) -> Iterator[int]:
    """The last generation on this machine; counted on when the block ends well. One opener at a time."""
    path = settings.dir / "run" / f"{name}.generation"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        generation = int(file.read() or "0")
        yield generation
        file.truncate(0)
        file.write(str(generation + 1))
