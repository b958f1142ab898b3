"""`kassa init`, `kassa worker`, `kassa sink`, `kassa notify`: prepare an installation and run its parts."""

from __future__ import annotations

import typer

from console.broker import require_topics, topics_there
from console.context import broker_settings, load_settings
from console.errors import BadInput, Differs, NoBroker
from console.output import say
from streams.keyring import ensure_operator_key, ensure_server_key, load_trusted, owned, server_key_file
from streams.logs import configure_logs
from streams.settings import Settings
from streams.topics import ALL, create_or_verify


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("worker")(worker)
    app.command("sink")(sink)
    app.command("notify")(notify)


def init() -> None:
    """Make what is missing: keys, topics, warehouse tables. What is there is checked and left as it is."""
    settings = load_settings()
    _keys(settings)
    _topics(settings)
    _tables(settings)


def worker() -> None:
    """Run a worker: it decides payments and commands, and calls the payees. Until Ctrl-C or SIGTERM."""
    settings = broker_settings()
    require_topics(settings)
    if not load_trusted(settings):
        trusted = settings.keys / "trusted"
        raise BadInput(f"nobody may command: {trusted} is empty: run `kassa init`, or copy an operator's key there")
    from agents.worker import run  # Faust takes a second to import

    say(f"worker {settings.worker_id} on {settings.kafka}")
    run(settings)


def sink() -> None:
    """Run a loader: it carries what was decided to ClickHouse. Until Ctrl-C or SIGTERM."""
    settings = broker_settings()
    if not settings.clickhouse:
        raise BadInput("no warehouse is known: set KASSA_CLICKHOUSE=http://host:8123")
    require_topics(settings)
    from sinks.loader import main

    configure_logs(settings.log_level)
    say(f"sink {settings.sink_id} from {settings.kafka} to {settings.clickhouse}")
    main(settings)


def notify() -> None:
    """Run notify: it delivers alerts by e-mail and webhook. One is enough. Until Ctrl-C or SIGTERM."""
    settings = broker_settings()
    require_topics(settings)
    from agents.notify import run
    from agents.notify_log import Superseded

    say(f"notify on {settings.kafka}")
    try:
        run(settings)
    except Superseded as error:
        raise Differs(f"{error}: one notify is enough") from None


def _keys(settings: Settings) -> None:
    made = []
    if not server_key_file(settings).exists():
        made.append("server.jwk")
    ensure_server_key(settings)
    if not owned(settings, "operators"):
        made.append("operators/root.jwk")
        ensure_operator_key(settings, "root")
    say(f"keys       {settings.keys}: {', '.join(made) + ' made' if made else 'all there'}")
    say(f"trusted    {', '.join(load_trusted(settings)) or 'nobody: no operator can command these workers'}")


def _topics(settings: Settings) -> None:
    if not settings.kafka:
        raise NoBroker("topics not made: no broker is known: start one with `kassa up`, or set KASSA_KAFKA=host:port")
    topics_there(settings)
    created = create_or_verify(settings)
    verified = len(ALL) - len(created)
    say(f"topics     {settings.kafka}: {len(created)} created, {verified} verified, {settings.partitions} partitions")


def _tables(settings: Settings) -> None:
    if not settings.clickhouse:
        say("warehouse  none known (KASSA_CLICKHOUSE is not set): no tables made")
        return
    from sinks.migrations import migrate  # ClickHouse's client takes half a second to import
    from sinks.warehouse import open_warehouse

    client = open_warehouse(settings)
    try:
        applied = migrate(client, settings.database)
    finally:
        client.close()
    made = f"{', '.join(applied)} applied" if applied else "nothing to apply"
    say(f"warehouse  {settings.clickhouse}, database {settings.database}: {made}")
