"""A payee's list written back: each subscriber as it came, what was paid since, and what is left of the debt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from console.table_files.writing import Cell
from schemas.money import Money
from schemas.payee import Payee
from schemas.subscribers import SubscriberList, SubscriberRow
from streams.settings import Settings
from streams.subscriber_lists import read_lines
from streams.taken import Paid

_FIRST, _LAST = ("number", "name", "debt"), ("paid", "under_way", "remaining")


class Labels(NamedTuple):
    """The columns of the file. shown: those that were the payee's own, in the order in which they first came."""

    names: Sequence[str]
    shown: Sequence[str]


def header_of(settings: Settings, record: SubscriberList) -> Labels:
    """Reads the list once. Raises ListDiffers, KafkaException, TimeoutError."""
    shown = dict.fromkeys(field.name for row in _rows(settings, record) for field in row.shown)
    return Labels((*_FIRST, *(name.casefold() for name in shown), *_LAST), tuple(shown))


def export_rows(
    settings: Settings, record: SubscriberList, paid: Mapping[str, Paid], labels: Labels, payee: Payee
) -> Iterator[Sequence[Cell]]:
    """One a subscriber, in the order of the list; then who paid and is not in it. Raises as `header_of`."""
    strangers = dict(paid)
    for row in _rows(settings, record):
        since = strangers.pop(row.number, Paid())
        texts = {field.name: field.text for field in row.shown}
        debt = Money(row.debt, payee.currency) if row.debt is not None else None
        left = Money(row.debt - sum(since), payee.currency) if row.debt is not None else None
        shown = (texts.get(name, "") for name in labels.shown)
        yield (row.number, row.name, debt, *shown, *_money(since, payee), left)
    for number, since in strangers.items():
        yield (number, "", None, *("" for _ in labels.shown), *_money(since, payee), None)


def _money(since: Paid, payee: Payee) -> tuple[Money, Money]:
    return Money(since.paid, payee.currency), Money(since.under_way, payee.currency)


def _rows(settings: Settings, record: SubscriberList) -> Iterator[SubscriberRow]:
    for lines in read_lines(settings, record):
        for line in lines:
            yield SubscriberRow.model_validate_json(line)
