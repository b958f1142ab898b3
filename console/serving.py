"""`kassa up` and `kassa demo`: the whole of Kassa on this machine, and how to reach it."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from console.context import load_settings
from console.output import note, say

if TYPE_CHECKING:  # the engines take a quarter of a second to import, and most commands need none
    from console.stack import Stack

_LOOK_S = 0.5
_QUERIES = (
    "SELECT state, count() FROM kassa.payments GROUP BY state",
    "SELECT * FROM kassa.payee_day FORMAT PrettyCompact",
    "SELECT account_kind, sum(balance) FROM kassa.trial_balance GROUP BY account_kind FORMAT CSVWithNames",
)


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("demo")(demo)


def up(
    workers: Annotated[int, typer.Option(min=1, max=16, metavar="N", help="How many workers.")] = 1,
) -> None:
    """Start broker, warehouse, workers and sink on this machine, empty, and keep them running until Ctrl-C."""
    from console.stack import Stack

    settings = load_settings()
    say(f"one-machine stack in {settings.dir}: it starts empty and forgets when it stops")
    with Stack(settings.dir, workers=workers) as stack:
        stack.wait_ready()
        keep_running(stack)


def demo(
    count: Annotated[int, typer.Option(min=100, metavar="N", help="How many messages the terminals send.")] = 5_000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed sends the same payments.")] = 1,
    serve: Annotated[bool, typer.Option("--serve", help="Keep it running afterwards, until Ctrl-C.")] = False,
) -> None:
    """The whole of Kassa on this machine: a network of terminals pays, payees misbehave, the books are audited.

    Starts empty, and forgets everything when it ends. Exit code 0 only when the audit passed.
    """
    from console.demo import run_demo

    run_demo(load_settings(), count, seed, serve=serve)


def keep_running(stack: Stack) -> None:
    """Say how to reach the stack, and look after its parts until Ctrl-C or SIGTERM."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    _endpoints(stack)
    while not stopping.wait(_LOOK_S):
        for name in stack.look_after():
            note(f"{name} had ended and was started again: its log is {stack.directory / 'run' / name}.log")
    say("stopping")


def _endpoints(stack: Stack) -> None:
    say(f"Kafka       {stack.settings.kafka}")
    say(f"ClickHouse  {stack.settings.clickhouse}  (database {stack.settings.database})")
    for name, url in stack.urls().items():
        say(f"{name:10}  {url}  /health /ready /metrics")
    say("try, in another shell:")
    for query in _QUERIES:
        say(f"  curl '{stack.settings.clickhouse}/?query={quote(query)}'")
    say("  kassa doctor")
    say("  kassa --help")
    say("running until Ctrl-C")
