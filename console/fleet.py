"""`kassa fleet`: simulated terminals send good payments and bad input, and what becomes of each is checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from console.amounts import basis_points
from console.client import Client
from console.context import broker_settings
from console.errors import BadInput, Differs
from console.fleet_messages import FleetMessage, messages
from console.fleet_report import print_report
from console.fleet_run import run
from console.fleet_tally import Tally
from console.fleet_world import FleetPayee, FleetTerminal, World
from console.lookup import balances, payees, tariffs, terminals
from console.numbers import reserve_numbers
from console.output import note, say
from console.rejects import RejectReader
from streams.keyring import load_terminal_key, owned
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("fleet")(fleet)


def fleet(
    count: Annotated[int, typer.Option(min=1, max=10_000_000, metavar="N", help="How many messages.")] = 1_000,
    rate: Annotated[float, typer.Option(min=0, metavar="N", help="Messages a second; 0: as fast as possible.")] = 0,
    bad: Annotated[str, typer.Option(metavar="PERCENT", help="Share of bad input, such as 20%.")] = "0%",
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same orders.")] = 1,
    terminal: Annotated[
        list[str] | None, typer.Option(metavar="TERMINAL", help="Only these. Default: all enrolled on this machine.")
    ] = None,
    payee: Annotated[list[str] | None, typer.Option(metavar="PAYEE", help="Only these. Default: all on file.")] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="S", help="How long to go on listening when nothing comes.")
    ] = 30,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to note what Kafka acknowledged. Default: var/fleet/….jsonl"),
    ] = None,
) -> None:
    """Simulate a fleet of terminals: sign, send, listen, and check what becomes of each message.

    Exit code 1 when a message did not end as expected, such as a good payment that the agent's money did not cover.
    """
    settings = broker_settings()
    share = basis_points(bad)
    world = _world(settings, terminal, payee, count, seed)
    path = record or settings.dir / "fleet" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    say(f"{count} messages, {bad} bad, seed {seed}: {len(world.terminals)} terminals, {len(world.payees)} payees")
    started = time.monotonic()
    tally = _send(settings, world, messages(world, seed, count, share), rate, wait, path)
    print_report(tally, time.monotonic() - started)
    say(f"what Kafka acknowledged: {path}")
    differing = len(tally.differing()) + sum(not track.acknowledged for track in tally.tracks)
    if differing:
        raise Differs(f"{differing} of {len(tally.tracks)} messages did not end as expected (seed {seed})")


def _send(
    settings: Settings,
    world: World,
    fleet_messages: Iterator[FleetMessage],
    rate: float,
    wait_s: float,
    path: Path,
) -> Tally:
    rejects = RejectReader(settings)
    owners = [one.id for one in world.terminals]
    try:
        with Client(settings, owners, many=True) as client, path.open("a", buffering=1) as record:
            return run(client, rejects, fleet_messages, rate=rate, wait_s=wait_s, record=record)
    finally:
        rejects.close()


def _world(settings: Settings, only: list[str] | None, only_payees: list[str] | None, count: int, seed: int) -> World:
    """Terminals whose keys are here and in force, payees they can pay, and a number for every order."""
    receivers = _payees(settings, only_payees, Random(seed))
    currencies = {one.payee.currency for one in receivers}
    fit = [one for one in _terminals(settings, only) if one.currency in currencies]
    if not fit:
        raise BadInput(
            "no terminal with a key on this machine can pay a payee on file: "
            "`kassa terminal enroll` makes one, `kassa payee add` the other"
        )
    each = -(-count // len(fit)) + 1
    numbered = [replace(one, first_number=reserve_numbers(settings, one.id, each)) for one in fit]
    return World(numbered, receivers, datetime.now(UTC))


def _terminals(settings: Settings, only: list[str] | None) -> list[FleetTerminal]:
    money = {(one.tree, one.agent): one.currency for one in balances(settings)}
    on_file = terminals(settings)
    for name in set(only or ()) - set(owned(settings, "terminals")):
        raise BadInput(f"there is no key of terminal {name!r} on this machine: `kassa terminal enroll` makes one")
    found = []
    for name in owned(settings, "terminals"):
        record = on_file.get(name)
        if record is None or (only and name not in only):
            continue
        key = load_terminal_key(settings, name)
        in_force = any(one.kid == key.kid and one.revoked_at is None for one in record.keys)
        currency = money.get((record.tree, record.agent))
        if in_force and currency is not None:
            found.append(FleetTerminal(name, record.agent, record.tree, currency, key))
    return found


def _payees(settings: Settings, only: list[str] | None, rng: Random) -> list[FleetPayee]:
    """Payees for whose fields a value can be made up; of those asked for by name, all must be such."""
    on_file, prices = payees(settings), tariffs(settings)
    for name in only or ():
        if name not in on_file:
            raise BadInput(f"there is no payee {name!r}: `kassa payee list` shows all")
    found = []
    for name in only or sorted(on_file):
        try:
            found.append(FleetPayee.of(on_file[name], prices.get(name), rng))
        except BadInput as error:
            if only:
                raise
            note(f"payee {name} is left out: {error}")
    return found
