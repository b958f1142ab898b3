"""Which topic fills which tables, and how a record becomes rows of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import structlog
from confluent_kafka import Message
from pydantic import ValidationError

from schemas.alert import Alert
from schemas.entry import Entry
from sinks import rows
from sinks.columns import ALERTS, DIRECTORY_TABLES, ENTRIES, LEGS, PAYMENT_STATES, REJECTS, Table
from sinks.errors import LedgerUnreadable
from sinks.rows import Place, Row
from streams.topics import ALERTS as ALERTS_TOPIC
from streams.topics import DIRECTORY, LEDGER
from streams.topics import REJECTS as REJECTS_TOPIC

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Feed:
    """`rows_of` answers a record with its rows for each of `tables`, in their order.

    `whole`: the topic must still have every record that the warehouse has not; compacted ones need not.
    """

    tables: tuple[Table, ...]
    rows_of: Callable[[Message], tuple[Sequence[Row], ...]]
    whole: bool = False


def place_of(message: Message) -> Place:
    partition, offset, (_, appended_at) = message.partition(), message.offset(), message.timestamp()
    assert partition is not None  # only messages never sent have none
    assert offset is not None
    return Place(partition, offset, max(appended_at, 0))


def _ledger(message: Message) -> tuple[Sequence[Row], ...]:
    """Raises LedgerUnreadable."""
    place = place_of(message)
    try:
        entry = Entry.decode(message.value() or b"")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": ")
        raise LedgerUnreadable(LEDGER.name, place.partition, place.offset, why) from None
    return ([rows.entry_row(place, entry)], rows.leg_rows(place, entry), rows.payment_rows(place, entry))


def _rejects(message: Message) -> tuple[Sequence[Row], ...]:
    headers = cast(rows.Headers, message.headers() or ())
    return ([rows.reject_row(place_of(message), message.key(), message.value(), headers)],)


def _alerts(message: Message) -> tuple[Sequence[Row], ...]:
    """No row of what is no alert: alerts tell of things, and the things themselves are loaded from elsewhere."""
    place = place_of(message)
    try:
        alert = Alert.model_validate_json(message.value() or b"")
    except ValidationError:
        log.error("alert_unreadable", partition=place.partition, offset=place.offset)
        return ([],)
    return ([rows.alert_row(place, alert)],)


def _directory(message: Message) -> tuple[Sequence[Row], ...]:
    return ([rows.directory_row(place_of(message), message.key(), message.value())],)


FEEDS: Mapping[str, Feed] = {
    LEDGER.name: Feed((ENTRIES, LEGS, PAYMENT_STATES), _ledger, whole=True),
    REJECTS_TOPIC.name: Feed((REJECTS,), _rejects),
    ALERTS_TOPIC.name: Feed((ALERTS,), _alerts),
    **{topic.name: Feed((DIRECTORY_TABLES[topic.name],), _directory) for topic in DIRECTORY},
}
