"""`kassa up`, `kassa demo` and `kassa kafka`: Kassa, or a broker for it, on this machine, and how to reach it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from console.context import load_settings
from console.errors import BadInput
from console.output import note, say
from streams.apache_kafka import ApacheKafka
from streams.kafka_jars import kafka_version

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
    app.command("kafka")(kafka)


def up(
    workers: Annotated[int, typer.Option(min=1, max=16, metavar="N", help="How many workers.")] = 1,
    on_kafka: Annotated[
        bool, typer.Option("--kafka", help="On Apache Kafka (Java 17, Maven): what was decided lasts.")
    ] = False,
) -> None:
    """Start broker, warehouse, workers, sink and notify on this machine and keep them running until Ctrl-C.

    They start empty and forget when they stop; with --kafka they go on from what they were.
    """
    from console.stack import Stack
    from streams.embedded import EmbeddedBroker

    settings = load_settings()
    lasts = f"its records last in {settings.dir / 'kafka'}" if on_kafka else "it starts empty and forgets when it stops"
    say(f"one-machine stack in {settings.dir}: {lasts}")
    start_broker = (lambda _: ApacheKafka.start(settings.dir / "kafka")) if on_kafka else EmbeddedBroker.start
    with Stack(settings.dir, workers=workers, notify=True, start_broker=start_broker) as stack:
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

    run_demo(load_settings(), count, seed, keep_running if serve else lambda _: None)


def kafka(
    brokers: Annotated[int, typer.Option(metavar="1|3", help="One broker, or three that keep three copies.")] = 1,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where its data lives. Default: kafka in KASSA_DIR.")
    ] = None,
) -> None:
    """Run a real Apache Kafka on this machine until Ctrl-C (Java 17, and Maven the first time). Its data is kept."""
    if brokers not in (1, 3):
        raise BadInput(f"--brokers {brokers}: it is 1, or 3 that keep three copies")
    place = directory or load_settings().dir / "kafka"
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a script in the background ignores Ctrl-C
        signal.signal(number, signal.default_int_handler)
    with ApacheKafka.start(place, brokers=brokers) as running:
        copies = "KASSA_REPLICATION=3 " if brokers == 3 else ""
        say(f"Apache Kafka {kafka_version()}, {brokers} broker{'s' if brokers > 1 else ''}, data in {place}")
        say(f"bootstrap servers  {running.bootstrap}")
        say("Kassa on it, in other shells:")
        say(f"  export KASSA_KAFKA={running.bootstrap} {copies}KASSA_PARTITIONS=12")
        say("  kassa init; kassa worker")
        say("running until Ctrl-C")
        try:
            running.watch()
        except KeyboardInterrupt:
            say("stopping")


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
