"""The warehouse built anew from the topics beside the one at work, and put in its place a table at a time.

Nobody's reading is disturbed: the old tables answer until their names change hands. A sink at work is disturbed only
in the moment before that, when the old tables are read-only: it waits, looks again, and goes on after what is there.
What it inserts must never land in a table that lacks what comes before, so the new tables must have all that the old
ones have when they take their place; that cannot be made sure of while the old ones grow.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import structlog
from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaException

from sinks.ahead import InsertAhead
from sinks.columns import ALL
from sinks.errors import KafkaRefused, SinkError, WarehouseAway
from sinks.feeds import FEEDS
from sinks.inserts import Inserter
from sinks.loader import Loader
from sinks.migrations import migrate
from sinks.positions import are_inserts_under_way
from sinks.rebuild_proof import Compared, compare, faults
from sinks.warehouse import Patience, open_warehouse, rows, translated
from streams.clients import reader
from streams.ends import Ends, EndsUnknown, Place
from streams.settings import Settings

log = structlog.get_logger(__name__)

_BROKER_ANSWERS_S = 30.0
_UNBOUND = {"max_table_size_to_drop": 0, "max_partition_size_to_drop": 0}  # the bound is against slips of the hand

Told = Callable[[str], None]


class NotTheLedger(SinkError):
    """What was built does not add up, so the old tables were left where they are."""


class Rebuild:
    """One rebuild of the settings' database; `told` hears what is being done.

    Two at once do no harm: the later one drops what the earlier one has built, and the earlier one fails.
    """

    def __init__(self, settings: Settings, told: Told = lambda _: None) -> None:
        self._settings = settings
        self._told = told
        self._stop = threading.Event()
        # A name of its own, so that nothing another rebuild has begun can ever be put in place by this one.
        self._side = f"{settings.database}_rebuild_{secrets.token_hex(4)}"

    def run(self) -> list[Compared]:
        """Build, prove, put in place; returns the old tables beside the new, table by table.

        Raises NotTheLedger before anything has changed, and what Loader.run, open_warehouse and migrate raise.
        """
        with closing(open_warehouse(self._settings)) as client:
            migrate(client, self._settings.database)
            self._clear_up(client)
            with closing(open_warehouse(self._settings.model_copy(update={"database": self._side}))) as side:
                try:
                    return self._built(client, side)
                finally:
                    _release(client, self._settings.database)
                    self._drop(client, self._side)

    def _built(self, client: Client, side: Client) -> list[Compared]:
        migrate(side, self._side)
        with self._loader(side) as (loader, ends):
            there = ends()
            self._told(
                f"building {self._side} from {len(there)} partitions up to offset {sum(there.values()):,} in all"
            )
            loader.load_to(there)
            if found := faults(side):
                raise NotTheLedger(f"the rebuilt tables do not add up, nothing was changed: {'; '.join(found)}")
            self._told("holding off the sink for the last records")
            self._hold(client)
            loader.load_to(ends())
        compared = [compare(client, self._settings.database, self._side, table) for table in ALL]
        self._swap(client)
        self._told("the new tables are in place")
        return compared

    @contextmanager
    def _loader(self, side: Client) -> Iterator[tuple[Loader, Callable[[], dict[Place, int]]]]:
        """A loader into the side database, and where its topics end now."""
        consumer, ends = reader(self._settings, auto_offset_reset="error"), Ends(self._settings)
        ahead = InsertAhead(Inserter(side, self._stop))
        try:
            known = consumer.list_topics(timeout=_BROKER_ANSWERS_S).topics
            places = [(topic, partition) for topic in FEEDS for partition in known[topic].partitions]
            yield Loader(self._settings, consumer, ahead, self._stop, ends), lambda: ends.now(places)
        except (KafkaException, EndsUnknown) as error:
            raise KafkaRefused(str(error.args[0])) from error
        finally:
            self._stop.set()
            ahead.close()
            consumer.close()

    def _clear_up(self, client: Client) -> None:
        """What a rebuild that was cut short has left."""
        _release(client, self._settings.database)
        ours = re.compile(re.escape(self._settings.database) + r"_rebuild_[0-9a-f]{8}")
        for (name,) in rows(client, "SELECT name FROM system.databases"):
            if ours.fullmatch(name):
                self._told(f"dropping {name}, which an earlier rebuild has left")
                self._drop(client, name)

    def _hold(self, client: Client) -> None:
        """From now on the old tables stay as they are: refused inserts are tried again by who brings them."""
        for name in _tables(client, self._settings.database):
            _command(client, f"ALTER TABLE {self._settings.database}.{name} MODIFY SETTING table_readonly = 1")
        Patience(self._stop).until_there(lambda: _require_quiet(client))

    def _swap(self, client: Client) -> None:
        ours, old = self._settings.database, _tables(client, self._settings.database)
        for name in _tables(client, self._side):
            if name in old:
                _command(client, f"EXCHANGE TABLES {ours}.{name} AND {self._side}.{name}")
            else:
                _command(client, f"RENAME TABLE {self._side}.{name} TO {ours}.{name}")
        views = _views(client, ours)
        for name, query in _views(client, self._side).items():
            wanted = query.replace(self._side, ours)
            if views.get(name) != wanted:
                _command(client, wanted.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))

    def _drop(self, client: Client, name: str) -> None:
        with translated():
            client.command(f"DROP DATABASE IF EXISTS {name} SYNC", settings=_UNBOUND)


def _require_quiet(client: Client) -> None:
    """Raises WarehouseAway while an insert that began before is not over."""
    if are_inserts_under_way(client):
        raise WarehouseAway("an insert that began before is still running")


def _release(client: Client, database: str) -> None:
    """Tables are read-only no longer."""
    query = "SELECT name FROM system.tables WHERE database = {name:String} AND engine_full LIKE '%table_readonly = 1%'"
    for (name,) in rows(client, query, {"name": database}):
        _command(client, f"ALTER TABLE {database}.{name} RESET SETTING table_readonly")


def _tables(client: Client, database: str) -> list[str]:
    """Whatever has rows of its own, the book of migrations included."""
    query = "SELECT name FROM system.tables WHERE database = {name:String} AND engine LIKE '%MergeTree' ORDER BY name"
    return [name for (name,) in rows(client, query, {"name": database})]


def _views(client: Client, database: str) -> dict[str, str]:
    """Name -> the statement that makes it."""
    query = "SELECT name, create_table_query FROM system.tables WHERE database = {name:String} AND engine = 'View'"
    return {str(name): str(text) for name, text in rows(client, query, {"name": database})}


def _command(client: Client, statement: str) -> None:
    with translated():
        client.command(statement)
