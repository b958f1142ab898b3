"""The one door to ClickHouse: connecting, and telling "away, ask again" from "no"."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import clickhouse_connect
import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DataError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)  # fmt: skip
from urllib3.exceptions import HTTPError

from sinks.errors import Stopped, WarehouseAway, WarehouseRefused
from streams.settings import Settings

T = TypeVar("T")
log = structlog.get_logger(__name__)

CONNECT_S = 5
ANSWER_S = 60

# Codes by which a server says "not now": overloaded, short of memory or disk, starting, stopping, its disks or peers
# away; the same insert of ours still running (216); a table that a rebuild holds read-only (774). Everything else it
# says is about the question itself.
_NOT_NOW = frozenset(
    {74, 75, 159, 160, 173, 198, 201, 202, 203, 209, 210, 216, 225, 236, 241, 242, 243, 252, 279, 285, 286, 289, 297,
     298, 319, 373, 394, 425, 473, 499, 719, 722, 735, 740, 746, 774, 999}
)  # fmt: skip


def _address(text: str) -> tuple[SplitResult, int | None]:
    """Raises WarehouseRefused."""
    with suppress(ValueError):  # of a port that is none, and of half an IPv6 address
        url = urlsplit(text)
        if url.scheme in ("http", "https") and url.hostname:
            return url, url.port
    raise WarehouseRefused(f"no warehouse: KASSA_CLICKHOUSE is {text!r}, expected http://host:port")


def connect(
    settings: Settings, database: str | None = None, *, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S
) -> Client:
    """A client of the settings' server, by default in the settings' database, which must exist (see `open_warehouse`).

    Times come back as aware UTC datetimes. Raises WarehouseAway and WarehouseRefused.
    """
    url, port = _address(settings.clickhouse)
    for chatter in ("clickhouse_connect", "urllib3.connectionpool"):  # every failure comes to us as an exception
        logging.getLogger(chatter).setLevel(logging.CRITICAL)
    with translated():
        return clickhouse_connect.get_client(
            interface=url.scheme,
            host=url.hostname,
            port=port or (8443 if url.scheme == "https" else 8123),
            username=settings.clickhouse_user,
            password=settings.clickhouse_password,
            database=settings.database if database is None else database,
            connect_timeout=connect_s,
            send_receive_timeout=answer_s,
            client_name="kassa",
            tz_mode="schema",
            autogenerate_session_id=False,  # a session runs one query at a time, and so would two threads of ours
            query_retries=0,
            dedicated_pool=True,
        )


def open_warehouse(settings: Settings) -> Client:
    """The same as `connect`, creating the database when there is none. Does not migrate."""
    server = connect(settings, database="default")
    try:
        with translated():
            server.command(f"CREATE DATABASE IF NOT EXISTS {settings.database}")
    finally:
        server.close()
    return connect(settings)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into WarehouseAway or WarehouseRefused."""
    try:
        yield
    except ClickHouseError as error:
        text = str(error).strip() or type(error).__name__
        if _can_pass(error):
            raise WarehouseAway(text) from error
        raise WarehouseRefused(text) from error
    except (HTTPError, OSError) as error:
        raise WarehouseAway(f"{type(error).__name__}: {error}") from error


def _can_pass(error: ClickHouseError) -> bool:
    """Is it something about the server's moment, not about what was asked?

    Without a server's code it is the transport or something in front of the server, unless the driver itself objects.
    """
    code = getattr(error, "code", None)
    if code is not None:
        return code in _NOT_NOW
    return not isinstance(error, DataError | ProgrammingError | NotSupportedError | InterfaceError)


def rows(client: Client, query: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
    """The answer to a query. Raises WarehouseAway and WarehouseRefused."""
    with translated():
        return client.query(query, parameters=dict(parameters or {})).result_rows


class Patience:
    """Repeats what found the warehouse away: 0.1 s, 0.2 s, 0.4 s … 5 s, for as long as nobody says stop.

    Each outage is logged once when it begins and once when it ends.
    """

    FIRST_S = 0.1
    LONGEST_S = 5.0

    def __init__(self, stop: threading.Event, tell: Callable[[str], None] = lambda _: None) -> None:
        """tell: told after each asking why the warehouse is away, "" when it is not."""
        self._stop = stop
        self._tell = tell
        self._given_up = False

    def give_up(self) -> None:
        """As if somebody had said stop; noticed after the present wait."""
        self._given_up = True

    def until_there(self, ask: Callable[[], T]) -> T:
        """What `ask` returns once it does. Raises Stopped; whatever else `ask` raises passes through."""
        wait_s = 0.0
        while True:
            try:
                answer = ask()
            except WarehouseAway as away:
                self._tell(str(away)[:300])
                if not wait_s:
                    log.warning("warehouse away", why=str(away)[:300])
                wait_s = min(wait_s * 2, self.LONGEST_S) or self.FIRST_S
                if self._stop.wait(wait_s) or self._given_up:
                    raise Stopped("stopped while the warehouse was away") from away
                continue
            self._tell("")
            if wait_s:
                log.info("warehouse back")
            return answer
