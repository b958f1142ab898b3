"""`kassa payee`: who receives the money, what may be paid to it, and through which gateway."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, cast, get_args

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.errors import BadInput
from console.lookup import gateways, payees
from console.numbers import fresh_id
from console.options import AsJson, CommandId, CurrencyCode, Operator, TimeOut
from console.output import json_line, major, note, rows
from console.payee_offline import Form, terms_of
from console.payee_options import CutOff, Fields, LowStock, RegistryCredentials, RegistryForm, RegistryTo, Routes
from console.payee_routes import route_of, routes
from console.signing import done, give, now
from schemas.command import SetPayee
from schemas.payee import Payee, Served, StockLevel, SubscriberField


class CheckedAt(StrEnum):
    GATEWAY = "gateway"
    SUBSCRIBERS = "subscribers"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Payees: add, list, routes.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_payees)
    group.command("routes")(routes)
    app.add_typer(group, name="payee")


def add(
    payee: Annotated[str, typer.Argument(metavar="PAYEE", help="The payee's id.")],
    gateway: Annotated[str, typer.Option(metavar="GATEWAY", help="The gateway it is reached through.")],
    field: Fields,
    max_amount: Annotated[str, typer.Option("--max", metavar="AMOUNT", help="The largest payment.")],
    min_amount: Annotated[
        str | None, typer.Option("--min", metavar="AMOUNT", help="The smallest payment. Default: one minor unit.")
    ] = None,
    denomination: Annotated[
        list[str] | None, typer.Option(metavar="AMOUNT", help="An amount it takes, when it takes only fixed ones.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The payee's name. Default: its id.")] = None,
    currency: CurrencyCode = "RUB",
    skip_check: Annotated[
        bool, typer.Option("--skip-check", help="Pay at once, the payee has no useful check.")
    ] = False,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="Whose midnight ends its business day.")] = "UTC",
    reversal_s: Annotated[
        int, typer.Option(min=0, metavar="S", help="How long after posting it gives a payment back; 0: never.")
    ] = 0,
    checked_at: Annotated[
        CheckedAt, typer.Option(help="Where subscribers are looked up: at the payee, or in its uploaded list.")
    ] = CheckedAt.GATEWAY,
    route: Routes = None,
    served: Annotated[
        str, typer.Option(metavar="HOW", help="online: over its gateway; offline: by registries; vouchers: from stock.")
    ] = "online",
    low_stock: LowStock = None,
    cut_off: CutOff = None,
    registry_to: RegistryTo = None,
    registry_form: RegistryForm = Form.TSV,
    registry_credentials: RegistryCredentials = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Add a payee, or change its record."""
    if served not in get_args(Served):
        raise BadInput(f"--served {served!r} is none of {', '.join(get_args(Served))}")
    offline = terms_of(cut_off, registry_to, registry_form.value, registry_credentials)
    record = Payee(
        id=payee,
        name=name or payee,
        gateway=gateway,
        currency=currency,
        fields=tuple(_field(text) for text in field),
        min_amount=minor_units(min_amount, currency) if min_amount is not None else 1,
        max_amount=minor_units(max_amount, currency),
        denominations=tuple(minor_units(one, currency) for one in denomination or ()),
        skip_check=skip_check,
        time_zone=time_zone,
        reversal_s=reversal_s,
        checked_at=checked_at.value,
        routes=tuple(map(route_of, route or ())),
        low_stock=tuple(_level(text, currency) for text in low_stock or ()),
        served="offline" if offline is not None else cast(Served, served),
        offline=offline,
    )
    settings = broker_settings()
    command = SetPayee(id=command_id or fresh_id(), issued_at=now(), payee=record)
    answer = give(settings, command, operator, time_out)
    ways = list(dict.fromkeys(one.gateway for one in record.routes)) or [gateway]
    through = f"through gateway{'s' if len(ways) > 1 else ''} {', '.join(ways)}"
    how = {"offline": f"by registries, {cut_off} to {registry_to}", "vouchers": "sold from stock"}
    done(f"payee {payee} is on file, {how.get(record.served, through)}", command, answer)
    if record.served == "online" and (absent := sorted({gateway, *ways} - gateways(settings).keys())):
        note(f"not on file yet: {', '.join(absent)}; payments wait until `kassa gateway add` brings it")


def list_payees(as_json: AsJson = False) -> None:
    """All payees."""
    found = payees(broker_settings()).values()
    if as_json:
        for one in found:
            json_line(one.model_dump(mode="json"))
        return
    columns = ("payee", "name", "gateways", "currency", "from", "to", "fields", "time zone", "reversal s")
    rows(columns, (_line(one) for one in found), right=("from", "to", "reversal s"))


def _level(text: str, currency: str) -> StockLevel:
    """ "500.00:100"."""
    amount, colon, below = text.rpartition(":")
    if not colon or not (below.isascii() and below.isdigit() and len(below) < 9 and 0 < int(below) <= 1_000_000):
        raise BadInput(f"--low-stock {text!r} is not AMOUNT:COUNT, such as 500.00:100")
    return StockLevel(denomination=minor_units(amount, currency), below=int(below))


def _field(text: str) -> SubscriberField:
    """ "phone:[0-9]{10}:Phone number"; the pattern may hold colons only when a title follows."""
    name, _, rest = text.partition(":")
    pattern, colon, title = rest.rpartition(":")
    if not colon:
        pattern, title = rest, name
    if not (name and pattern and title):
        raise BadInput(f"--field {text!r} is not NAME:PATTERN[:TITLE], such as 'phone:[0-9]{{10}}:Phone number'")
    return SubscriberField(name=name, title=title, pattern=pattern)


def _line(one: Payee) -> tuple[object, ...]:
    bounds = (major(minor, one.currency) for minor in (one.min_amount, one.max_amount))
    fields = ", ".join(f"{field.name} {field.pattern}" for field in one.fields)
    ways = ", ".join(dict.fromkeys(route.gateway for route in one.routes)) or one.gateway
    return (one.id, one.name, ways, one.currency, *bounds, fields, one.time_zone, one.reversal_s or "-")
