"""A payee: who finally receives the money, what it accepts and through which gateway it is reached."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.ids import Currency, FieldName, GatewayId, PayeeId, PositiveMinor, ShortText, Wire
from schemas.offline import OfflineTerms
from schemas.pattern import check_pattern
from schemas.route import Route


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}: expected an IANA name such as Europe/Moscow") from None
    return name


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(check_pattern)]


def _names_fit(fields: tuple[SubscriberField, ...]) -> tuple[SubscriberField, ...]:
    names = [field.name for field in fields]
    if len(set(names)) < len(names):
        raise ValueError("two fields have the same name")
    if taken := _TAKEN.intersection(names) | {"account"}.intersection(names[1:]):
        raise ValueError(f"no field can be called {min(taken)!r} here: gateways send something else under that name")
    return fields


# What protocols call their own parameters; the first field is sent as the account whatever its name.
_TAKEN = frozenset({"command", "txn_id", "txn_date", "sum"})


class StockLevel(Wire):
    """How many vouchers of a denomination (minor units) are too few: LOW_STOCK is told below that."""

    denomination: PositiveMinor
    below: Annotated[int, Field(ge=1, le=1_000_000)]


# How its payments reach it: asked at once over its gateway, sent as a registry, or sold from a stock of codes.
Served = Literal["online", "offline", "vouchers"]
ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_is_zone)]


class SubscriberField(Wire):
    """One thing the payer types in; the pattern must match the whole value. `\\d` and `\\w` are ASCII only.

    What a pattern may be: schemas.pattern.
    """

    name: FieldName
    title: ShortText
    pattern: Pattern


class Payee(Wire):
    """Directory record, topic `payees`, key: the payee's id."""

    id: PayeeId
    name: ShortText
    gateway: GatewayId
    currency: Currency
    fields: Annotated[
        tuple[SubscriberField, ...],
        Field(min_length=1, max_length=8, description="the first is the subscriber's number at the payee"),
        AfterValidator(_names_fit),
    ]
    min_amount: PositiveMinor = 1
    max_amount: PositiveMinor
    denominations: Annotated[
        tuple[PositiveMinor, ...], Field(max_length=50, description="the only amounts taken; empty: any")
    ] = ()
    skip_check: Annotated[bool, Field(description="go straight to pay: the payee has no useful check")] = False
    time_zone: Annotated[ZoneName, Field(description="whose midnight ends the payee's business day")] = "UTC"
    reversal_s: Annotated[
        int,
        Field(
            ge=0,
            le=31_622_400,
            description="how long after posting it gives a payment back, s; 0: never",
            exclude_if=lambda reversal_s: not reversal_s,  # records of old have none, and their digests are on ledgers
        ),
    ] = 0
    routes: Annotated[
        tuple[Route, ...],
        Field(
            max_length=20,
            description="gateways to choose from; none, or none at this time of the week: `gateway`",
            exclude_if=lambda routes: not routes,  # likewise
        ),
    ] = ()
    served: Annotated[
        Served,
        Field(
            description="online: over its gateway; offline: by registries; vouchers: from stock",
            exclude_if=lambda served: served == "online",  # likewise
        ),
    ] = "online"
    checked_at: Annotated[
        Literal["gateway", "subscribers"],
        Field(
            description="where a subscriber is looked up before cash is taken: at the payee, or in its uploaded list",
            exclude_if=lambda checked_at: checked_at == "gateway",  # likewise
        ),
    ] = "gateway"
    low_stock: Annotated[
        tuple[StockLevel, ...],
        Field(
            max_length=50,
            description="of a payee served from stock: how few vouchers are worth a word",
            exclude_if=lambda levels: not levels,  # likewise
        ),
    ] = ()
    offline: Annotated[
        OfflineTerms | None,
        Field(
            description="of one that is served offline: its registries",
            exclude_if=lambda offline: offline is None,  # likewise
        ),
    ] = None

    @model_validator(mode="after")
    def _its_terms_fit(self) -> Self:
        if (self.served == "offline") != (self.offline is not None):
            raise ValueError("a payee that is served offline has terms for its registries, and no other has")
        if self.offline is not None and self.reversal_s:
            raise ValueError("a payee that is served offline gives nothing back: no gateway can ask it")
        return self
