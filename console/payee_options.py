"""The longer options of `kassa payee add`: what each takes, and how it is written."""

from __future__ import annotations

from typing import Annotated

import typer

from console.payee_offline import Form

Fields = Annotated[
    list[str],
    typer.Option(
        metavar="NAME:PATTERN[:TITLE]",
        help="What the payer types in; the first is the subscriber's number: 'phone:[0-9]{10}:Phone number'.",
    ),
]
Routes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GATEWAY[:PRIORITY[:SHARE[:WEEKDAYS:FROM-TO]]]",
        help="A gateway to choose from, and when; where none is open it is --gateway.",
    ),
]
LowStock = Annotated[
    list[str] | None,
    typer.Option(metavar="AMOUNT:COUNT", help="Of vouchers: tell when fewer of this denomination are left."),
]
CutOff = Annotated[
    str | None,
    typer.Option(metavar="CRON", help="Served offline: when its registry is cut, in its time zone: '0 0 * * *'."),
]
RegistryTo = Annotated[
    str | None,
    typer.Option(metavar="WHERE", help="And where that goes: file:DIRECTORY, mail:ADDRESS, [post+]https://…"),
]
RegistryForm = Annotated[Form, typer.Option(help="And in which form.")]
RegistryCredentials = Annotated[
    str | None, typer.Option(metavar="NAME", help="And with which secret of keys/gateways, user:password.")
]
