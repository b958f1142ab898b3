"""`kassa up`: the whole of Kassa on this machine until Ctrl-C, and how to reach it."""

from __future__ import annotations

import signal
import threading
from typing import Annotated
from urllib.parse import quote

import typer

from console.context import load_settings
from console.output import note, say
from console.stack import Stack

_LOOK_S = 0.5
_QUERIES = (
    "SELECT state, count() FROM kassa.payments GROUP BY state",
    "SELECT * FROM kassa.payee_day FORMAT PrettyCompact",
    "SELECT account_kind, sum(balance) FROM kassa.trial_balance GROUP BY account_kind FORMAT CSVWithNames",
)


def register(app: typer.Typer) -> None:
    app.command("up")(up)


def up(
    workers: Annotated[int, typer.Option(min=1, max=16, metavar="N", help="How many workers.")] = 1,
) -> None:
    """Start broker, warehouse, workers and sink on this machine, empty, and keep them running until Ctrl-C."""
    settings = load_settings()
    say(f"one-machine stack in {settings.dir}: it starts empty and forgets when it stops")
    with Stack(settings.dir, workers=workers) as stack:
        stack.wait_ready()
        keep_running(stack)


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
    say("try, in another shell:")
    for query in _QUERIES:
        say(f"  curl '{stack.settings.clickhouse}/?query={quote(query)}'")
    say("  kassa --help")
    say("running until Ctrl-C")
