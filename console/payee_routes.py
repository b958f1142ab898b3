"""`kassa payee routes`: by which gateways a payment would go, and why; and routes as they are written there."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from console.context import broker_settings
from console.errors import BadInput
from console.instants import instant
from console.lookup import find_payee
from console.options import AsJson
from console.output import json_line, rows, say
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.route import Route
from schemas.week import WEEKDAYS, Weekday, wall_time, week_minute
from streams.ledger.routing import choose

_WANTED = "GATEWAY[:PRIORITY[:SHARE[:WEEKDAYS:FROM-TO]]], such as bank:1:70:mon-fri:09:00-18:00"


def routes(
    payee: Annotated[str, typer.Argument(metavar="PAYEE", help="The payee's id.")],
    at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="RFC 3339, such as 2026-01-02T19:00+03:00. Default: now.")
    ] = None,
    payment: Annotated[
        str | None, typer.Option(metavar="PAYMENT", help="The order for this payment: its id says whose share it is.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """By which gateways a payment received then would go while all work, and why. Sends nothing."""
    found = find_payee(broker_settings(), payee)
    moment = instant_ms(instant(at))
    explained = explain(found, moment)
    order = choose(found, payment, moment) if payment is not None else ()
    if as_json:
        json_line({"payee": found.id, "at": moment, "routes": explained, "payment": payment, "order": order})
        return
    say(f"payee {found.id} on {wall_time(moment, found.time_zone)}")
    if not any(one["takes_pct"] is not None for one in explained):
        why = "has no routes" if not found.routes else "has no route at this time"
        say(f"it {why}: every payment goes through gateway {found.gateway}")
    if explained:
        rows(("gateway", "priority", "share", "when", "now"), map(_line, explained), right=("priority", "share"))
    if order:
        say(f"payment {payment}: {', then '.join(order)}")


def explain(payee: Payee, at: int) -> list[dict[str, Any]]:
    """Each route with what it takes at that time (ms UTC): % of all payments at first, 0: what others let go, None:
    nothing."""
    minute = week_minute(at, payee.time_zone)
    open_now = [route for route in payee.routes if route.is_open(minute)]
    best = min((route.priority for route in open_now), default=0)
    first = sum(route.share for route in open_now if route.priority == best)
    return [
        {
            "gateway": route.gateway,
            "priority": route.priority,
            "share": route.share,
            "weekdays": route.weekdays,
            "begins": route.begins,
            "ends": route.ends,
            "takes_pct": None if route not in open_now else route.share * 100 // first * (route.priority == best),
        }
        for route in sorted(payee.routes, key=lambda route: route.priority)
    ]


def _line(one: dict[str, Any]) -> tuple[object, ...]:
    when = f"{','.join(one['weekdays']) or 'every day'} {one['begins']}-{one['ends']}"
    takes = one["takes_pct"]
    now = "not at this time" if takes is None else f"{takes} % at first" if takes else "what others let go"
    return one["gateway"], one["priority"], one["share"], when, now


def route_of(text: str) -> Route:
    """ "bank:1:70:mon-fri:09:00-18:00"; raises BadInput."""
    gateway, priority, share, weekdays, band = (*text.split(":", 4), "", "", "", "", "")[:5]
    begins, dash, ends = band.partition("-")
    if not gateway or bool(weekdays) != bool(dash) or not all(_is_number(one) for one in (priority, share)):
        raise BadInput(f"--route {text!r} is not {_WANTED}")
    band_of_day: dict[str, Any] = (
        {"weekdays": _weekdays(text, weekdays), "begins": begins, "ends": ends} if weekdays else {}
    )
    try:
        return Route(gateway=gateway, priority=int(priority or 1), share=int(share or 1), **band_of_day)
    except ValueError:
        raise BadInput(f"--route {text!r} is not {_WANTED}") from None


def _is_number(text: str) -> bool:
    return not text or (text.isascii() and text.isdecimal() and len(text) < 5)


def _weekdays(text: str, named: str) -> tuple[Weekday, ...]:
    """ "mon-fri,sun"; "*": every day."""
    if named == "*":
        return ()
    found: list[Weekday] = []
    for part in named.split(","):
        first, dash, last = part.partition("-")
        if not {first, last if dash else first} <= set(get_args(Weekday)):
            raise BadInput(f"--route {text!r} is not {_WANTED}: days are {', '.join(WEEKDAYS)}, or * for all")
        begin = WEEKDAYS.index(first)
        length = (WEEKDAYS.index(last) - begin) % len(WEEKDAYS) if dash else 0
        found += [WEEKDAYS[(begin + n) % len(WEEKDAYS)] for n in range(length + 1)]
    return tuple(dict.fromkeys(found))
