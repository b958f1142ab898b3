"""The main job on this machine, from signed payments to registries and the audit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agents.gateways.simulator import Simulator
from console import demo_network as network
from console import demo_protocols as protocols
from console.audit_report import Report, print_report
from console.audit_run import run_audit
from console.client import Client
from console.demo_counter import at_the_counter
from console.demo_offline import heating_at_the_counter
from console.demo_report import print_answers, print_trial_balance
from console.demo_settlement import chart, payees_windows, trees_windows, write_files
from console.demo_vouchers import vouchers_at_the_counter
from console.errors import KassaError
from console.fleet_messages import FleetMessage, messages
from console.fleet_run import run
from console.fleet_tally import Tally
from console.fleet_world import FleetPayee, FleetTerminal, World
from console.numbers import numbers_used
from console.output import say
from console.rejects import RejectReader
from console.requests import command_request
from console.stack import Stack
from schemas.command import DirectoryCommand, TreeCommand
from schemas.envelope import SigningKey
from schemas.payee import Payee
from sinks.registries.build import FORMATS, build
from sinks.warehouse import open_warehouse
from streams.keyring import load_operator_key
from streams.settings import Settings

_BAD_BPS = 1_500
_ANSWER_S = 30.0
_SETTLED_S = 120.0


class DemoFailed(KassaError):
    """Something of the demo did not happen as it must."""

    exit_code = 1


def run_demo(settings: Settings, count: int, seed: int, and_then: Callable[[Stack], None]) -> None:
    """Raises DemoFailed when a payment stays open or the audit finds something; else `and_then`, while it all runs."""
    started = time.monotonic()
    say(f"one-machine stack in {settings.dir}: it starts empty and forgets when it stops")
    with Stack(settings.dir) as stack, _simulator(stack, seed) as simulator:
        stack.tell(simulator=simulator.url)
        stack.wait_ready()
        fleet = network.terminals(stack.settings)
        _introduce(stack, simulator, fleet)
        tally = _pay(stack, fleet, count, seed)
        print_answers(tally)
        at_the_counter(stack.settings)
        vouchers_at_the_counter(stack.settings)
        heating_at_the_counter(stack.settings)
        _settle(stack)
        report = run_audit(stack.settings, simulator=simulator.url, wait_s=_ANSWER_S)
        write_files(stack.settings, stack.directory / "settlement")
        _registries(stack, datetime.fromtimestamp(time.time() - (time.monotonic() - started), UTC))
        print_trial_balance(stack.settings)
        print_report(report)
        say(f"{count} messages, seed {seed}, {time.monotonic() - started:.1f} s in all")
        _judge(tally, report)
        and_then(stack)


def _payees() -> list[Payee]:
    """Those the fleet pays, in every protocol there is."""
    return [*network.payees(), *protocols.payees()]


@contextmanager
def _simulator(stack: Stack, seed: int) -> Iterator[Simulator]:
    behaviours = {**network.BEHAVIOURS, **protocols.behaviours(stack.settings.keys / "gateways")}
    with Simulator.start(stack.directory / "run" / "simulator", behaviours, seed) as simulator:
        yield simulator


def _introduce(stack: Stack, simulator: Simulator, fleet: list[FleetTerminal]) -> None:
    """Open the agents and put the directory in place, by signed commands like anybody's."""
    key = load_operator_key(stack.settings, "root")
    with Client(stack.settings, ["root"], many=True) as client:
        first = [*network.first_commands(simulator.url_of, fleet), *protocols.commands(simulator.url_of), chart()]
        steps = (first, network.sub_agents(), network.deposits())
        total = sum(carry_out(client, step, key) for step in steps)
    agents = sum(1 + len(network.agents_below(tree)) for tree in network.TREES)
    say(f"{len(network.TREES)} trees with {agents} agents, {len(fleet)} terminals, {len(_payees())} payees "
        f"({total} signed commands)")  # fmt: skip


def carry_out(
    client: Client,
    commands: Iterable[TreeCommand | DirectoryCommand],
    key: SigningKey,
    time_out_s: float = _ANSWER_S,
) -> int:
    """Send commands at once and wait until each is done; how many. Raises DemoFailed on one that is not."""
    waiting = {command.id: command_request(command, key) for command in commands}
    total = len(waiting)
    for request in waiting.values():
        client.send(request)
    deadline = time.monotonic() + time_out_s
    while waiting:
        reply = client.poll(0.05)
        # A transfer to another tree is answered twice.
        if reply is not None and waiting.pop(reply.id, None) is not None and reply.state != "DONE":
            raise DemoFailed(f"command {reply.id}: {reply.code} {reply.reason}")
        if time.monotonic() > deadline:
            raise DemoFailed(f"no worker answered {len(waiting)} commands in {time_out_s:.0f} s")
    return total


def _pay(stack: Stack, fleet: list[FleetTerminal], count: int, seed: int) -> Tally:
    rng = Random(seed)
    for one in fleet:  # so that `kassa pay` as one of them begins behind the fleet
        numbers_used(stack.settings, one.id, -(-count // len(fleet)) + 1)
    receivers = [FleetPayee.of(payee, network.tariff(payee.id), rng) for payee in _payees()]
    world = World(fleet, receivers, datetime.now(UTC))
    rejects = RejectReader(stack.settings)
    owners = [one.id for one in fleet]
    try:
        with Client(stack.settings, owners, many=True) as client, _progress() as progress:
            sent = _shown(progress, messages(world, seed, count, _BAD_BPS), count)
            return run(client, rejects, sent, rate=0, wait_s=_SETTLED_S)
    finally:
        rejects.close()


def _settle(stack: Stack) -> None:
    """Close every window, by an operator's commands: the day is over."""
    key = load_operator_key(stack.settings, "root")
    with Client(stack.settings, ["root"], many=True) as client:
        closed = sum(carry_out(client, step, key) for step in (payees_windows(), trees_windows()))
    say(f"{closed} settlement windows closed")


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def _shown(progress: Progress, fleet: Iterable[FleetMessage], count: int) -> Iterator[FleetMessage]:
    yield from progress.track(fleet, total=count, description="payments sent, then settled")


def _registries(stack: Stack, since: datetime) -> None:
    """Each payee's registry of every day of its own zone that the demo touched."""
    out = stack.directory / "registries"
    written: list[Path] = []
    with open_warehouse(stack.settings) as client:
        for payee in _payees():
            zone = ZoneInfo(payee.time_zone)
            for day in sorted({since.astimezone(zone).date(), datetime.now(zone).date()}):
                written += [build(client, payee.id, day, form, out) for form in FORMATS]
    say(f"{len(written)} registries in {out}")


def _judge(tally: Tally, report: Report) -> None:
    if not tally.is_settled:
        raise DemoFailed("some payments are still open: see `kassa payment show`")
    if not report.passed:
        raise DemoFailed("the audit failed")
