"""What can go wrong between the ledger and the warehouse, as one tree."""

from __future__ import annotations


class SinkError(Exception):
    """Anything a sink cannot go on from by itself; the text says what and where."""


class WarehouseAway(SinkError):
    """ClickHouse cannot be reached, or answers that it cannot serve now. Asking again later can help."""


class WarehouseRefused(SinkError):
    """ClickHouse understood and said no: wrong password, no such table, rows it will not take. Repeating is useless."""


class MigrationError(SinkError):
    """The warehouse's schema is not what these migrations made."""


class RecordUnreadable(SinkError):
    """A record is not what its topic carries."""

    def __init__(self, topic: str, partition: int, offset: int, why: str) -> None:
        super().__init__(f"{topic} partition {partition} offset {offset} cannot be read: {why}")
        self.topic = topic
        self.partition = partition
        self.offset = offset


class LedgerUnreadable(RecordUnreadable):
    """A ledger record is not an entry. The ledger is the truth, so nothing after it is loaded until that is settled."""


class LedgerMismatch(SinkError):
    """The topic does not contain what the warehouse already has of it: another ledger, or a cut one."""


class KafkaRefused(SinkError):
    """The broker will not let this sink read on, for example because another took over its identity."""


class Stopped(SinkError):
    """The sink was asked to stop while it waited for something."""
