"""A ledger of any length, written as fast as Kafka takes it: payments held and posted, one after another.

The core decides the first payment of each partition; the rest are the same two entries with other numbers. That the
sums and chains are right is not believed here but by whoever folds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from bench.core import do, network, place, settle
from schemas.entry import Leg
from streams.clients import producer
from streams.ledger.state import State
from streams.settings import Settings
from streams.topics import LEDGER

_FLUSH_S = 600.0


@dataclass
class _Statements:
    """Where each account's statement stands."""

    ends: dict[str, tuple[int, int]]

    def next(self, leg: Leg) -> Leg:
        seq, balance = self.ends.get(leg.account, (0, 0))
        self.ends[leg.account] = seq + 1, balance + leg.amount
        return replace(leg, seq=seq + 1, balance=balance + leg.amount)


def entries(partition: int, count: int) -> Iterator[bytes]:
    """At least `count` entries of a partition, encoded: a tree with money, then two for each payment."""
    state = State(partition)
    opening = network(state)
    held, posted = do(state, place(0)), do(state, settle(0))
    assert held.payment is not None
    yield from (entry.encode() for entry in opening)
    statements = _Statements({leg.account: (leg.seq, leg.balance) for entry in opening for leg in entry.legs})
    for number in range((count - len(opening) + 1) // 2):
        payment = replace(
            held.payment, id=f"kiosk-7.{number + 1}", number=number + 1, txn=held.payment.txn + number,
            subscriber={"account": str(9_000_000_000 + number)},
        )  # fmt: skip
        for step, entry in enumerate((held, posted)):
            cause = replace(entry.cause, id=payment.id, digest=f"{number:032x}") if step == 0 else entry.cause
            legs = tuple(map(statements.next, entry.legs))
            yield orjson.dumps(replace(entry, seq=entry.seq + 2 * number, cause=cause, payment=payment, legs=legs))


def write(settings: Settings, count: int) -> int:
    """Write `count` entries over all partitions of an empty ledger; returns how many it were."""
    writer = producer(settings, compression_type="lz4", linger_ms=50, queue_buffering_max_kbytes=256 * 1024)
    written = 0
    for partition in range(settings.partitions):
        for value in entries(partition, count // settings.partitions):
            while True:
                try:
                    writer.produce(LEDGER.name, value, b"A", partition)
                    break
                except BufferError:
                    writer.poll(0.1)
            written += 1
            if written % 1_000 == 0:
                writer.poll(0)
    assert writer.flush(_FLUSH_S) == 0, "Kafka did not take the ledger"
    return written
