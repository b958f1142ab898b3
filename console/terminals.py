"""`kassa terminal`: enroll terminals with their keys, revoke a key, list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from console.context import broker_settings
from console.errors import BadInput
from console.lookup import find_agent, find_terminal, terminals
from console.numbers import fresh_id
from console.options import Address, AsJson, CommandId, KeyAlgorithm, Operator, PublicKeyFile, TimeOut, Tree
from console.output import listing, pairs
from console.signing import done, give, now
from console.terminal_card import card
from schemas.command import RevokeKey, SetTerminal
from schemas.keys import PublicKey, owner_of
from schemas.sealing import SealingKey
from schemas.terminal import Terminal
from streams.keyring import (
    adopt_next_terminal_key,
    ensure_sealing_key,
    ensure_terminal_key,
    next_terminal_key,
    read_public,
    terminal_key_file,
)
from streams.settings import Settings

TerminalArgument = Annotated[str, typer.Argument(metavar="TERMINAL", help="The terminal's id.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Terminals: enroll, revoke a key, list.", no_args_is_help=True)
    group.command("enroll")(enroll)
    group.command("revoke")(revoke)
    group.command("list")(list_terminals)
    app.add_typer(group, name="terminal")


def enroll(
    terminal: TerminalArgument,
    agent: Annotated[str, typer.Option(metavar="AGENT", help="The agent whose terminal it is.")],
    algorithm: Annotated[KeyAlgorithm, typer.Option(help="What the new key signs with.")] = KeyAlgorithm.EDDSA,
    new_key: Annotated[
        bool,
        typer.Option("--new-key", help="Make the terminal's next key; the present one stays on file until revoked."),
    ] = False,
    public_key: PublicKeyFile = None,
    sealing_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take this public sealing key (JWK on X25519 with kid), for PINs and debts."),
    ] = None,
    address: Address = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Enroll a terminal: make its keys here, one to sign and one for what is sealed to it, or take its public ones."""
    settings = broker_settings()
    owner = find_agent(settings, agent, tree)
    key = _given_key(public_key, terminal) if public_key else _key(settings, terminal, algorithm, new_key)
    record = Terminal(
        id=terminal, agent=agent, tree=owner.tree, keys=_keys(settings, terminal, key), address=address,
        sealing=_sealing(settings, terminal, sealing_key, is_made_here=public_key is None),
    )  # fmt: skip
    command = SetTerminal(id=command_id or fresh_id(), issued_at=now(), terminal=record)
    answer = give(settings, command, operator, time_out)
    if new_key and not public_key:
        adopt_next_terminal_key(settings, terminal)
    done(f"terminal {terminal} is enrolled", command, answer)
    pairs(card(settings, record, owner.currency, None if public_key else terminal_key_file(settings, terminal)))


def revoke(
    terminal: TerminalArgument,
    kid: Annotated[
        str | None, typer.Option(metavar="KID", help="Which key, where the terminal has more than one in force.")
    ] = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Revoke a terminal's key: it verifies nothing that is received from now on."""
    settings = broker_settings()
    command = RevokeKey(
        id=command_id or fresh_id(),
        issued_at=now(),
        terminal=terminal,
        kid=kid or _only_key(find_terminal(settings, terminal)),
    )
    answer = give(settings, command, operator, time_out)
    done(f"key {command.kid} is revoked", command, answer)


def list_terminals(
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Only this agent's.")] = None,
    as_json: AsJson = False,
) -> None:
    """All terminals with their keys."""
    found = [one for one in terminals(broker_settings()).values() if agent in (None, one.agent)]
    listing(found, as_json, ("terminal", "agent", "tree", "keys", "address"), map(_line, found))


def _keys(settings: Settings, terminal: str, new: PublicKey) -> tuple[PublicKey, ...]:
    """The keys on file and the new one: an old key must still verify what waits to be uploaded."""
    on_file = terminals(settings).get(terminal)
    kept = tuple(key for key in on_file.keys if key.kid != new.kid) if on_file is not None else ()
    # When a key was enrolled is the ledger's to say; left out, the same order is the same content when repeated.
    return tuple(key.model_copy(update={"enrolled_at": None}) for key in (new, *kept))


def _key(settings: Settings, terminal: str, algorithm: KeyAlgorithm, is_new: bool) -> PublicKey:
    if is_new:
        return next_terminal_key(settings, terminal, _next_number(settings, terminal), algorithm.value).public()
    made = ensure_terminal_key(settings, terminal, algorithm.value)
    if made.algorithm != algorithm.value:
        raise BadInput(
            f"{terminal_key_file(settings, terminal)} is a key for {made.algorithm}: "
            f"enroll with --algorithm {made.algorithm}, or make another with --new-key"
        )
    return made.public()


def _sealing(settings: Settings, terminal: str, given: Path | None, *, is_made_here: bool) -> SealingKey | None:
    """The key given, else the one made here; a terminal that made its own keys keeps what is on file."""
    if given is not None:
        try:
            return SealingKey.model_validate_json(given.read_bytes())
        except OSError as error:
            raise BadInput(f"cannot read {given}: {error.strerror}") from None
        except ValidationError:
            raise BadInput(f"{given} is not a public JWK on X25519 with kid, kty, crv and x") from None
    if is_made_here:
        return ensure_sealing_key(settings, terminal).public()
    on_file = terminals(settings).get(terminal)
    return on_file.sealing if on_file is not None else None


def _given_key(path: Path, terminal: str) -> PublicKey:
    key = read_public(path)
    if owner_of(key.kid) != terminal:
        raise BadInput(f"{path} holds key {key.kid!r}: the first key of {terminal} has the kid '{terminal}:1'")
    return key.model_copy(update={"revoked_at": None})


def _next_number(settings: Settings, terminal: str) -> int:
    return 1 + max(int(key.kid.partition(":")[2]) for key in find_terminal(settings, terminal).keys)


def _only_key(terminal: Terminal) -> str:
    in_force = [key.kid for key in terminal.keys if key.revoked_at is None]
    if not in_force:
        raise BadInput(f"terminal {terminal.id} has no key left to revoke")
    if len(in_force) > 1:
        raise BadInput(f"terminal {terminal.id} has several keys ({', '.join(in_force)}): say which with --kid")
    return in_force[0]


def _line(terminal: Terminal) -> tuple[object, ...]:
    keys = ", ".join(f"{key.kid} {key.algorithm}{' revoked' if key.revoked_at else ''}" for key in terminal.keys)
    return (terminal.id, terminal.agent, terminal.tree, keys, terminal.address or "-")
