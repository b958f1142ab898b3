"""One payee's business day: the payments it has to honour, in a fixed order, with their totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client
from pydantic import ValidationError

from schemas.ids import instant_ms, ms_instant
from schemas.money import Money
from schemas.payee import Payee
from sinks.errors import SinkError
from sinks.warehouse import rows


class RegistryError(SinkError):
    """The registry cannot be made; the text says why."""


class UnknownPayee(RegistryError):
    """The directory in the warehouse has no such payee."""


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """One posted payment, or with sums below zero one that was taken back. `others`: the further fields.

    paid_at: the moment it was received, or reversed, in the payee's zone.
    """

    txn: int
    paid_at: datetime
    subscriber: str
    others: Mapping[str, str]
    amount: Money
    fee: Money
    payment_id: str
    provider_ref: str


@dataclass(frozen=True, slots=True)
class RegistryDay:
    """Rows by time, then number. An empty day has totals too."""

    payee: Payee
    day: date
    rows: Sequence[RegistryRow]
    amount: Money
    fee: Money


_PAYEE = "SELECT value FROM payees FINAL WHERE id = {payee:String}"

_POSTED = """
SELECT txn, toUnixTimestamp64Milli(moment), subscriber, amount, fee, currency, payment_id, provider_ref
FROM payee_lines
WHERE payee = {payee:String}
    AND moment >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND moment < fromUnixTimestamp64Milli({till:Int64}, 'UTC')
ORDER BY moment, txn, payment_id, amount DESC
"""


def read_day(client: Client, payee: str, day: date) -> RegistryDay:
    """What the warehouse has of this payee and day. Raises UnknownPayee, RegistryError, WarehouseAway."""
    record = find_payee(client, payee)
    zone = ZoneInfo(record.time_zone)
    from_ms, till_ms = bounds_ms(day, zone)
    found = rows(client, _POSTED, {"payee": record.id, "from": from_ms, "till": till_ms})
    currency = _one_currency({row[5] for row in found}, record, day)
    named = record.fields[0].name
    return RegistryDay(
        payee=record,
        day=day,
        rows=[
            RegistryRow(
                txn=txn,
                paid_at=ms_instant(moment).astimezone(zone),
                subscriber=_number_of(subscriber, named),
                others={name: value for name, value in subscriber.items() if name != _name_of(subscriber, named)},
                amount=Money(amount, currency),
                fee=Money(fee, currency),
                payment_id=payment_id,
                provider_ref=provider_ref,
            )
            for txn, moment, subscriber, amount, fee, _, payment_id, provider_ref in found
        ],
        amount=Money(sum(row[3] for row in found), currency),
        fee=Money(sum(row[4] for row in found), currency),
    )


def find_payee(client: Client, payee: str) -> Payee:
    """The payee's record as it now stands. Raises UnknownPayee, RegistryError."""
    found = rows(client, _PAYEE, {"payee": payee})
    if not found:
        raise UnknownPayee(f"there is no payee {payee!r}")
    try:
        return Payee.model_validate_json(found[0][0])
    except ValidationError as error:
        raise RegistryError(f"the record of payee {payee!r} cannot be read: {error}") from None


def bounds_ms(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """A day of this zone as [from, till) in ms UTC: 23, 24 or 25 hours, from one midnight to the next."""
    midnights = (datetime.combine(date_, time.min, zone) for date_ in (day, day + timedelta(days=1)))
    from_ms, till_ms = (instant_ms(midnight.astimezone(UTC)) for midnight in midnights)
    return from_ms, till_ms


def _one_currency(currencies: set[str], payee: Payee, day: date) -> str:
    if len(currencies) > 1:
        raise RegistryError(f"payee {payee.id} was paid in {', '.join(sorted(currencies))} on {day}: no common total")
    return next(iter(currencies), payee.currency)


def _name_of(subscriber: Mapping[str, str], named: str) -> str:
    """Which field is the subscriber's number: the payee's first, or what came first before the payee changed it."""
    return named if named in subscriber else next(iter(subscriber), "")


def _number_of(subscriber: Mapping[str, str], named: str) -> str:
    return subscriber.get(_name_of(subscriber, named), "")
