"""`kassa operator`: who may command, and with which keys."""

from __future__ import annotations

from typing import Annotated

import typer

from console.context import broker_settings
from console.errors import BadInput
from console.lookup import operators
from console.numbers import fresh_id
from console.options import AsJson, CommandId, PublicKeyFile, TimeOut
from console.options import Operator as SignedBy
from console.output import listing, say
from console.signing import done, give, now
from schemas.command import SetOperator
from schemas.keys import owner_of
from schemas.terminal import Operator
from streams.keyring import ensure_operator_key, operator_key_file, read_public


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Operators: add, list.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_operators)
    app.add_typer(group, name="operator")


def add(
    name: Annotated[str, typer.Argument(metavar="OPERATOR", help="The new operator's id.")],
    public_key: PublicKeyFile = None,
    command_id: CommandId = None,
    operator: SignedBy = None,
    time_out: TimeOut = 10,
) -> None:
    """Introduce an operator: make a key for it here, or take its --public-key."""
    settings = broker_settings()
    key = read_public(public_key) if public_key else ensure_operator_key(settings, name, trust=False).public()
    if owner_of(key.kid) != name:
        raise BadInput(f"{public_key} holds key {key.kid!r}: the first key of {name} has the kid '{name}:1'")
    on_file = operators(settings).get(name)
    kept = tuple(one for one in on_file.keys if one.kid != key.kid) if on_file is not None else ()
    keys = tuple(one.model_copy(update={"enrolled_at": None}) for one in (key, *kept))
    command = SetOperator(id=command_id or fresh_id(), issued_at=now(), operator=Operator(id=name, keys=keys))
    done(f"operator {name} may command with key {key.kid}", command, give(settings, command, operator, time_out))
    if not public_key:
        say(f"its private key is {operator_key_file(settings, name)}")


def list_operators(as_json: AsJson = False) -> None:
    """Operators introduced by a command; those trusted from the start are files in the workers' keys/trusted."""
    found = operators(broker_settings()).values()
    lines = (
        (one.id, ", ".join(f"{key.kid} {key.algorithm}{' revoked' if key.revoked_at else ''}" for key in one.keys))
        for one in found
    )
    listing(found, as_json, ("operator", "keys"), lines)
