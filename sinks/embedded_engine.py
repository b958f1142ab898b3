"""The ClickHouse engine inside this process (chDB), as the warehouse's one owner of its directory.

chDB runs the queries of different connections at the same time and lets go of Python's lock meanwhile: on two cores
a `SELECT 1` takes 0.9 ms beside a scan of six seconds. So a query blocks nobody; whoever calls `Engine.run` chooses
the threads. Calls are safe from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chdb

from sinks.embedded_errors import EngineError, ErrorCode
from sinks.embedded_session import Connection, Lease, Sessions, SessionTerms, check_setting_names, literal, quoted
from sinks.embedded_sql import Statement

# chDB encodes each block of a streamed result on its own: joined, only these are what one result would be.
_JOINABLE = frozenset({"native", "rowbinary", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "csv"})
_HELD_BACK_BYTES = 1 << 20
_HEADER_FORMAT = "RowBinaryWithNamesAndTypes"
_WITHOUT_CHANGE = frozenset({"SET", "USE"})


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """Rows that come with a query, for the length of it: `structure` is a column list, `format` that of `rows`."""

    name: str
    structure: str
    format: str
    rows: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """Everything one request says. `params` are the values of `{name:Type}`, escaped as HTTP has them."""

    id: str
    statement: Statement
    database: str = ""
    default_format: str = "TabSeparated"
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[ExternalTable, ...] = ()
    session: SessionTerms | None = None
    readonly: bool = False
    streams: bool = False

    @property
    def format(self) -> str:
        return self.statement.format or self.default_format


class Answer:
    """The result of a query, in chunks. `format` is None for a statement that has no result.

    Hold it no longer than needed, and `close` it: a streamed one keeps its connection, and its session, to itself.
    """

    def __init__(self, format_name: str | None, summary: Mapping[str, int], chunks: list[bytes]) -> None:
        self.format = format_name
        self.summary = summary
        self._chunks = chunks

    @property
    def whole(self) -> bool:
        """Is the rest of the result at hand, so that `fetch` cannot fail?"""
        return True

    def fetch(self) -> bytes | None:
        """The next chunk, None at the end. Errors: `EngineError`, where the engine fails half-way."""
        return self._chunks.pop(0) if self._chunks else None

    def close(self) -> None:
        self._chunks.clear()


class StreamedAnswer(Answer):
    """A result the engine is still producing."""

    def __init__(self, query: Query, lease: Lease, stream: Any, blocks: list[bytes], engine: Engine) -> None:
        super().__init__(query.format, {}, blocks)
        self._query = query
        self._lease: Lease | None = lease
        self._stream = stream
        self._engine = engine
        self._fetching = threading.Lock()

    @property
    def whole(self) -> bool:
        return False

    def fetch(self) -> bytes | None:
        with self._fetching:
            if self._chunks:
                return self._chunks.pop(0)
            if self._lease is None:
                return None
            try:
                chunk = self._stream.fetch()
            except RuntimeError as error:
                self._release()
                raise EngineError.from_engine(error) from None
            if chunk is None:
                self._release()
                return None
            block: bytes = chunk.bytes()
            return block

    def close(self) -> None:
        if self._lease is None:
            return
        with suppress(RuntimeError):
            self._engine.kill(self._query.id)  # a fetch under way ends only with its query
        with self._fetching:
            if self._lease is not None:
                with suppress(RuntimeError):
                    self._stream.close()
                self._release()

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()


class Engine:
    """The engine over one directory, which no other process may have open. `path` may not contain a `?`."""

    def __init__(self, path: Path) -> None:
        # `implicit_select` is what chDB adds for people at a terminal: with it, any lone word is a query.
        self._address = f"{path}?implicit_select=0"
        self._control: Connection = self._connect()  # the engine lives as long as one connection does
        self._controlling = threading.Lock()
        self._sessions = Sessions(self._connect)
        self.version = self._ask("SELECT version()")
        self.timezone = self._ask("SELECT timezone()")
        self.display_name = self._ask("SELECT displayName()")
        formats = self._ask("SELECT name, content_type FROM system.formats FORMAT TSV").splitlines()
        self.content_types = {name.lower(): type_ for name, type_ in (line.split("\t") for line in formats)}

    def run(self, query: Query) -> Answer:
        """Errors: `EngineError` with the engine's code; what was inserted before a failure follows ClickHouse."""
        check_setting_names(query.settings)
        if query.readonly and not query.statement.reads and query.statement.verb not in _WITHOUT_CHANGE:
            raise EngineError.raised(
                ErrorCode.READONLY,
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
                "You should use method POST for modifying queries",
            )
        lease = self._sessions.lease(query.session) if query.session else Lease(self._connect())
        try:
            self._prepare(lease, query)
            answer = self._answer(lease, query)
        except BaseException as error:
            lease.release()
            if isinstance(error, RuntimeError | UnicodeError):
                raise EngineError.from_engine(error) from None
            raise
        if answer.whole:
            lease.release()
        return answer

    def kill(self, query_id: str) -> None:
        """End the running query of this id, if there is one. Does not wait for it."""
        with self._controlling:
            self._control.query(f"KILL QUERY WHERE Settings['log_comment'] = {literal(query_id)} ASYNC")

    def kill_all(self) -> None:
        with self._controlling:
            self._control.query("KILL QUERY WHERE Settings['log_comment'] != '' ASYNC")

    def close(self) -> None:
        self._sessions.close()
        self._control.close()

    def _connect(self) -> Connection:
        return chdb.connect(self._address)  # type: ignore[no-untyped-call]

    def _ask(self, question: str) -> str:
        answer: bytes = self._control.query(question, "RawBLOB").bytes()
        return answer.decode()

    def _prepare(self, lease: Lease, query: Query) -> None:
        for table in query.tables:
            lease.add_table(table.name, table.structure)
            _insert(lease.connection, f"INSERT INTO {quoted(table.name)}", table.format, table.rows)
        settings = dict(query.settings)
        if query.readonly and query.session is None:
            settings["readonly"] = "2"  # after all others, which it forbids; a session would never be rid of it
        lease.configure(query.id, query.database, settings)

    def _answer(self, lease: Lease, query: Query) -> Answer:
        statement = query.statement
        if statement.rows is not None and statement.format is not None:
            lease.set_params(query.params)
            return Answer(None, _insert(lease.connection, statement.sql, statement.format, statement.rows), [])
        if query.streams and statement.streams and query.format.lower() in _JOINABLE:
            return self._streamed(lease, query)
        result = lease.connection.query(statement.sql, query.default_format, params=dict(query.params))
        body: bytes = result.bytes()
        if not body and statement.reads:
            body = _empty(lease.connection, query)
        return Answer(query.format if statement.reads or body else None, _summary(result), [body])

    def _streamed(self, lease: Lease, query: Query) -> Answer:
        """Streamed in earnest only beyond what a server, too, holds back for a failure to be told by its status."""
        stream = lease.connection.send_query(query.statement.sql, query.default_format, params=dict(query.params))
        blocks: list[bytes] = []
        summary: Mapping[str, int] = {}
        while sum(map(len, blocks)) < _HELD_BACK_BYTES:
            chunk = stream.fetch()
            if chunk is None:
                return Answer(query.format, summary, [b"".join(blocks) or _empty(lease.connection, query)])
            blocks.append(chunk.bytes())
            summary = _summary(chunk)
        return StreamedAnswer(query, lease, stream, blocks, self)


def _insert(connection: Connection, sql: str | bytes, format_name: str, rows: bytes) -> Mapping[str, int]:
    with connection.send_insert(sql, format_name) as inserter:
        if rows:
            inserter.append(rows)
        done = inserter.finish()
    return {
        "written_rows": done.rows_written,
        "written_bytes": done.bytes_written,
        "result_rows": done.rows_written,
        "result_bytes": done.bytes_written,
        "elapsed_ns": int(done.elapsed * 1e9),
    }


def _summary(result: Any) -> Mapping[str, int]:
    return {
        "read_rows": result.storage_rows_read(),
        "read_bytes": result.storage_bytes_read(),
        "written_rows": result.rows_written(),
        "written_bytes": result.bytes_written(),
        "result_rows": result.rows_read(),
        "result_bytes": result.bytes_read(),
        "elapsed_ns": int(result.elapsed() * 1e9),
    }


def _empty(connection: Connection, query: Query) -> bytes:
    """A result of no rows. In Native a server sends a block of none, with names and types; chDB sends nothing.

    They are asked for in a format that has them even then: their count, all names, all types.
    """
    if query.format.lower() != "native":
        return b""
    sql = query.statement.with_format(_HEADER_FORMAT)
    header: bytes = connection.query(sql, _HEADER_FORMAT, params=dict(query.params)).bytes()
    if not header:
        return b""
    columns, at = _varint(header, 0)
    words = []
    for _ in range(2 * columns):
        length, start = _varint(header, at)
        words.append(header[at : start + length])
        at = start + length
    pairs = zip(words[:columns], words[columns:], strict=True)
    return header[: _varint(header, 0)[1]] + b"\0" + b"".join(name + type_ for name, type_ in pairs)


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """(value, place after it) of a LEB128 number."""
    value = shift = 0
    while True:
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
