"""Connections to the engine: a fresh one for each query, or the one a session keeps between its queries.

A connection is cheap (0.2 ms) and holds what `SET`, `USE` and temporary tables change, so a query outside sessions
gets its own and leaves no trace. It must, too: after a query that failed half-way, chDB puts what that query had
already written before the answer to the next query of the same connection.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sinks.embedded_errors import EngineError, ErrorCode

MAX_SESSIONS = 1_000
_SETTING_NAME = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)

Connection = Any  # chdb.state.sqlitelike.Connection, which has no types


def literal(text: str) -> str:
    """A string as SQL has it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted(name: str) -> str:
    """An identifier as SQL has it."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """Which session a query belongs to, how long it may lie idle after it, and whether it must exist already."""

    id: str
    timeout_s: int = 60
    must_exist: bool = False
    close_after: bool = False


class Lease:
    """A connection for the length of one query, with the query's database and settings on it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def configure(self, query_id: str, database: str, settings: Mapping[str, str]) -> None:
        """Errors: the engine's, for an unknown database or setting, or a value it cannot read.

        chDB chooses query ids itself and keeps no query log: the comment is where a query can be found by ours.
        """
        if database:
            self.connection.query(f"USE {quoted(database)}")
        self.set({"log_comment": query_id, **settings})

    def add_table(self, name: str, structure: str) -> None:
        self.connection.query(f"CREATE TEMPORARY TABLE {quoted(name)} ({structure}) ENGINE = Memory")

    def set_params(self, params: Mapping[str, str]) -> None:
        """The values of `{name:Type}`, where they cannot be given with the query itself."""
        self.set({f"param_{name}": value for name, value in params.items()})

    def set(self, values: Mapping[str, str]) -> None:
        if values:
            sql = "SET " + ", ".join(f"{name} = {literal(value)}" for name, value in values.items())
            self.connection.query(sql.encode("utf-8", "surrogateescape"))

    def release(self) -> None:
        self.connection.close()


@dataclass(slots=True)
class _Session:
    """`brought` are the settings the last query brought with it, still in place, and what they were before."""

    connection: Connection
    busy: bool = False
    idle_until: float = 0.0
    own_database: str | None = None
    brought: dict[str, str] = field(default_factory=dict)


class SessionLease(Lease):
    """A session's connection. What a query brought with it is taken off when another query comes without it:
    clients bring the same with each, and to ask the engine what was before takes as long as a small query."""

    def __init__(self, session: _Session, give_back: Callable[[], None]) -> None:
        super().__init__(session.connection)
        self._session = session
        self._give_back = give_back
        self._tables: list[str] = []

    def configure(self, query_id: str, database: str, settings: Mapping[str, str]) -> None:
        self.set({"log_comment": query_id})  # its answer carries off what a failed query left in the connection
        session = self._session
        if database and session.own_database is None:
            session.own_database = self._ask("SELECT currentDatabase()")[0][0]
        elif not database and session.own_database is not None:
            self.connection.query(f"USE {quoted(session.own_database)}")
            session.own_database = None
        gone = session.brought.keys() - settings.keys()
        self.set({name: session.brought.pop(name) for name in gone})
        if new := settings.keys() - session.brought.keys():
            names = ", ".join(literal(name) for name in new)
            session.brought |= dict(self._ask(f"SELECT name, value FROM system.settings WHERE name IN ({names})"))
        super().configure(query_id, database, settings)

    def add_table(self, name: str, structure: str) -> None:
        super().add_table(name, structure)
        self._tables.append(name)

    def release(self) -> None:
        try:
            for name in self._tables:
                self.connection.query(f"DROP TEMPORARY TABLE IF EXISTS {quoted(name)}")
        finally:
            self._give_back()

    def _ask(self, question: str) -> list[list[str]]:
        lines: bytes = self.connection.query(question, "JSONCompactStringsEachRow").bytes()
        return [json.loads(line) for line in lines.splitlines()]


def check_setting_names(settings: Mapping[str, str]) -> None:
    """Errors: `EngineError` for a name that is none, before it gets into a statement."""
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):
            raise EngineError(115, f"Code: 115. DB::Exception: Unknown setting {literal(name)}. (UNKNOWN_SETTING)")


class Sessions:
    """The sessions of all clients: one connection each, one query at a time, closed when idle for too long."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def lease(self, terms: SessionTerms) -> SessionLease:
        """Errors: `EngineError` when the session is busy, or had to exist and does not."""
        with self._lock:
            self._close_idle(time.monotonic())
            session = self._sessions.get(terms.id) or self._begin(terms)
            if session.busy:
                raise EngineError.raised(
                    ErrorCode.SESSION_IS_LOCKED, f"Session {terms.id} is locked by a concurrent client"
                )
            session.busy = True
        return SessionLease(session, lambda: self._give_back(session, terms))

    def close(self) -> None:
        with self._lock:
            for session in self._sessions.values():
                session.connection.close()
            self._sessions.clear()

    def _begin(self, terms: SessionTerms) -> _Session:
        if terms.must_exist:
            raise EngineError.raised(ErrorCode.SESSION_NOT_FOUND, f"Session {terms.id} not found")
        if len(self._sessions) >= MAX_SESSIONS:
            raise EngineError.raised(
                ErrorCode.TOO_MANY_SIMULTANEOUS_QUERIES, f"Too many sessions, the maximum is {MAX_SESSIONS}"
            )
        session = self._sessions[terms.id] = _Session(self._connect())
        return session

    def _give_back(self, session: _Session, terms: SessionTerms) -> None:
        with self._lock:
            session.idle_until = time.monotonic() + terms.timeout_s
            session.busy = False
            if terms.close_after and self._sessions.pop(terms.id, None) is session:
                session.connection.close()

    def _close_idle(self, now: float) -> None:
        for key in [key for key, session in self._sessions.items() if not session.busy and session.idle_until < now]:
            self._sessions.pop(key).connection.close()
