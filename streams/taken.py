"""What was paid to a payee since its list was made, told from ledger entries: which of its debts are smaller by now."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from confluent_kafka import TopicPartition

from schemas.entry import Entry, EntryKind
from schemas.ids import instant_ms
from schemas.subscribers import SubscriberList
from streams.clients import reader
from streams.ledger_reader import read_records
from streams.settings import Settings
from streams.topics import LEDGER

# A payment's entry is appended after it was received, by another broker's clock perhaps.
_MARGIN_MS = 600_000
_ANSWER_S = 30.0


class Standing(IntEnum):
    """What a payment does to its subscriber's debt."""

    NONE = 0  # declined, voided or reversed: the payee has it not, and will not
    UNDER_WAY = 1  # taken, and not final
    PAID = 2  # the payee has it


_NONE = frozenset({EntryKind.DECLINED, EntryKind.VOIDED, EntryKind.REVERSED})
_PAID = frozenset(
    {EntryKind.POSTED, EntryKind.REVERSING, EntryKind.REVERSAL_REFUSED, EntryKind.REVERSAL_MANUAL}
)  # while it is asked back, the payee has it


class Taking(NamedTuple):
    """Where a payment stands after an entry. number: the subscriber's; amount: minor units.

    seq: the entry's in its book: a payment is in one book, so of two the one with the higher is the later.
    """

    payee: str
    payment: str
    number: str
    amount: int
    standing: Standing
    seq: int
    received_at: int


class Paid(NamedTuple):
    """Of one subscriber since the list; minor units."""

    paid: int = 0
    under_way: int = 0


def standing_of(kind: EntryKind) -> Standing:
    """Of a payment after an entry of this kind."""
    if kind in _NONE:
        return Standing.NONE
    return Standing.PAID if kind in _PAID else Standing.UNDER_WAY


class Takings:
    """Finds, among ledger records, the entries of payments to these payees. Others are not even decoded."""

    def __init__(self, payees: Iterable[str]) -> None:
        named = b"|".join(re.escape(payee.encode()) for payee in payees)
        self._wanted = re.compile(rb'"payee":"(?:' + named + rb')"')

    def of(self, record: bytes) -> Taking | None:
        """Raises pydantic.ValidationError for what is no entry."""
        if self._wanted.search(record) is None:
            return None
        entry = Entry.decode(record)
        facts = entry.payment
        if facts is None:
            return None
        number = next(iter(facts.subscriber.values()), "")
        standing = standing_of(entry.kind)
        return Taking(facts.payee, facts.id, number, facts.amount, standing, entry.seq, facts.received_at)


@dataclass
class Since:
    """What was paid to one payee since its list, by subscriber, in memory: for a file to be written, and for tests."""

    payee: str
    as_of: int
    _payments: dict[str, Taking] = field(default_factory=dict)

    def take(self, taking: Taking) -> None:
        """Entries may come more than once, and from any partition first."""
        if taking.payee != self.payee or taking.received_at < self.as_of:
            return
        known = self._payments.get(taking.payment)
        if known is None or known.seq < taking.seq:
            self._payments[taking.payment] = taking

    def by_number(self) -> Mapping[str, Paid]:
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for one in self._payments.values():
            if one.standing is not Standing.NONE:
                sums[one.number][one.standing is Standing.UNDER_WAY] += one.amount
        return {number: Paid(*sum_) for number, sum_ in sums.items()}


def starts(settings: Settings, as_of: int) -> dict[int, int]:
    """By ledger partition, an offset before which no payment received from `as_of` (ms UTC) on has an entry.

    Raises KafkaException. The embedded broker does not know offsets by time: there it is the beginning.
    """
    partitions = range(settings.partitions)
    if settings.embedded:
        return dict.fromkeys(partitions, 0)
    consumer = reader(settings)
    try:
        ends = {one: consumer.get_watermark_offsets(TopicPartition(LEDGER.name, one), timeout=_ANSWER_S)[1]
                for one in partitions}  # fmt: skip
        asked = [TopicPartition(LEDGER.name, one, max(0, as_of - _MARGIN_MS)) for one in partitions]
        found = consumer.offsets_for_times(asked, timeout=_ANSWER_S)
        return {one.partition: one.offset if one.offset >= 0 else ends[one.partition] for one in found}
    finally:
        consumer.close()


def since(settings: Settings, wanted: SubscriberList) -> Since:
    """Read the ledger from when the list is as of to its present end. Raises KafkaException, TimeoutError."""
    assert wanted.as_of is not None  # one on file has it
    made = Since(wanted.payee, instant_ms(wanted.as_of))
    for taking in _read(settings, wanted.payee, made.as_of):
        made.take(taking)
    return made


def _read(settings: Settings, payee: str, as_of: int) -> Iterator[Taking]:
    takings = Takings([payee])
    for partition, start in starts(settings, as_of).items():
        for records in read_records(settings, partition, start):
            for _, value in records:
                if (taking := takings.of(value)) is not None:
                    yield taking
