"""ClickHouse's HTTP interface over the engine in this process."""

from __future__ import annotations

import asyncio
import json
import secrets
import string
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sinks.embedded_codings import MAX_BODY_BYTES, Packer, choose, packer, too_large
from sinks.embedded_engine import Answer, Engine, Query
from sinks.embedded_errors import EngineError, ErrorCode, http_status
from sinks.embedded_request import HttpRequest, read

MAX_QUERIES = 100  # under way at once, as a server has it
READERS = 8
WRITERS = 4
_SMALL_BYTES = 1 << 16  # work on less than this is not worth another thread
_TEXT = "text/plain; charset=UTF-8"
_OFF = {"0", "false"}


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A request being answered, and how its answer is to be packed."""

    request: Request
    query: Query
    coding: str | None


class HttpInterface:
    """Readers and writers have threads of their own, so that no number of slow readers holds up an insert."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._writers = ThreadPoolExecutor(WRITERS, "writer")
        self._control = ThreadPoolExecutor(1, "control")
        self._under_way = 0

    async def root(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method in {"GET", "HEAD"} and not request.url.query:
            return _ok()
        if self._under_way >= MAX_QUERIES:
            return self._failed(
                EngineError.raised(
                    ErrorCode.TOO_MANY_SIMULTANEOUS_QUERIES, f"Too many simultaneous queries. Maximum: {MAX_QUERIES}"
                )
            )
        self._under_way += 1
        try:
            return await self._answer(await self._read(request))
        except EngineError as error:
            return self._failed(error)
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """What still runs is ended; an insert that was not answered may or may not have happened, as ever."""
        self._engine.kill_all()
        for pool in (self._readers, self._writers, self._control):
            pool.shutdown(cancel_futures=True)
        self._engine.close()

    async def _read(self, request: Request) -> _Exchange:
        url = request.scope["query_string"].decode("latin-1")
        params = dict(parse_qsl(url, keep_blank_values=True, errors="surrogateescape"))
        headers = dict(request.headers)
        raw = HttpRequest(request.method, params, headers, await _body(request))
        query = read(raw) if len(raw.body) < _SMALL_BYTES else await asyncio.to_thread(read, raw)
        packs = params.get("enable_http_compression", "1") not in _OFF
        return _Exchange(request, query, choose(headers.get("accept-encoding", "")) if packs else None)

    async def _answer(self, exchange: _Exchange) -> Response:
        query = exchange.query
        answer = await self._run(exchange)
        headers = self._headers(query, answer)
        if not answer.whole:
            tag = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
            headers["X-ClickHouse-Exception-Tag"] = tag
            pack = _start_packing(headers, exchange.coding)
            chunks = self._chunks(_packed(answer, pack, tag, self._engine.version))
            # Not waited for: when it is called the client may be gone and the task cancelled.
            return _Streamed(chunks, headers, lambda: self._control.submit(answer.close))
        body = answer.fetch() or b""
        if body and exchange.coding:
            pack = _start_packing(headers, exchange.coding)
            body = _pack(pack, body) if len(body) < _SMALL_BYTES else await asyncio.to_thread(_pack, pack, body)
        return Response(body, headers=headers)

    async def _run(self, exchange: _Exchange) -> Answer:
        """The engine's answer. When the client goes away before it, a query that only reads is ended."""
        query = exchange.query
        pool = self._readers if query.statement.reads else self._writers
        running = pool.submit(self._engine.run, query)
        answered = asyncio.wrap_future(running)
        gone = asyncio.create_task(_disconnected(exchange.request))
        waited_for: set[asyncio.Future[Any]] = {answered, gone}
        try:
            await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
            if not answered.done() and query.statement.reads and not running.cancel():
                self._control.submit(self._engine.kill, query.id)
            return await answered
        except asyncio.CancelledError:
            if not running.cancelled():
                raise
            raise EngineError.raised(ErrorCode.QUERY_WAS_CANCELLED, "The client has gone") from None
        finally:
            gone.cancel()

    async def _chunks(self, packed: Iterator[bytes]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while (chunk := await loop.run_in_executor(self._readers, next, packed, None)) is not None:
            yield chunk

    def _headers(self, query: Query, answer: Answer) -> dict[str, str]:
        names = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read", "result_rows")
        counted = {name: str(answer.summary.get(name, 0)) for name in (*names, "result_bytes", "elapsed_ns")}
        headers = {
            "X-ClickHouse-Server-Display-Name": self._engine.display_name,
            "X-ClickHouse-Query-Id": query.id,
            "X-ClickHouse-Timezone": query.settings.get("session_timezone") or self._engine.timezone,
            "X-ClickHouse-Summary": json.dumps(counted, separators=(",", ":")),
            "Content-Type": self._engine.content_types.get((answer.format or "").lower(), _TEXT),
        }
        if answer.format is not None:
            headers["X-ClickHouse-Format"] = answer.format
        return headers

    def _failed(self, error: EngineError) -> Response:
        headers = {
            "X-ClickHouse-Server-Display-Name": self._engine.display_name,
            "X-ClickHouse-Exception-Code": str(int(error.code)),
            "Content-Type": _TEXT,
        }
        body = error.body(self._engine.version).encode("utf-8", "surrogateescape")
        return Response(body, http_status(error.code), headers)


class _Streamed(StreamingResponse):
    """An answer in chunks, closed whatever becomes of it: a client may be gone before the first."""

    def __init__(self, chunks: AsyncIterator[bytes], headers: dict[str, str], close: Callable[[], object]) -> None:
        super().__init__(chunks, headers=headers)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()


def _packed(answer: Answer, pack: Packer, tag: str, version: str) -> Iterator[bytes]:
    """The answer's chunks as they go out. A failure half-way ends them with the block a server marks it by."""
    try:
        while (chunk := answer.fetch()) is not None:
            if piece := pack.compress(chunk):
                yield piece
    except EngineError as error:
        text = error.body(version).encode("utf-8", "surrogateescape")
        mark = tag.encode()
        block = b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (mark, text, len(text), mark)
        yield pack.compress(block)
    yield pack.flush()


def _pack(pack: Packer, body: bytes) -> bytes:
    return pack.compress(body) + pack.flush()


class _AsIs:
    def compress(self, chunk: bytes) -> bytes:
        return chunk

    def flush(self) -> bytes:
        return b""


def _start_packing(headers: dict[str, str], coding: str | None) -> Packer:
    if coding is None:
        return _AsIs()
    headers["Content-Encoding"] = coding
    return packer(coding)


async def _body(request: Request) -> bytes:
    chunks, room = [], MAX_BODY_BYTES
    async for chunk in request.stream():
        chunks.append(chunk)
        room -= len(chunk)
        if room < 0:
            raise too_large()
    return b"".join(chunks)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _ok(_: Request | None = None) -> Response:
    return PlainTextResponse("Ok.\n")


def create_app(engine: Engine) -> Starlette:
    """The interface as an ASGI application. It closes the engine when it is shut down."""
    interface = HttpInterface(engine)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, object]]:
        yield {}
        await asyncio.to_thread(interface.close)

    methods = ["GET", "HEAD", "POST", "OPTIONS"]
    return Starlette(
        routes=[
            Route("/ping", _ok, methods=["GET", "HEAD"]),
            Route("/replicas_status", _ok, methods=["GET", "HEAD"]),
            Route("/", interface.root, methods=methods),
            Route("/query", interface.root, methods=methods),
        ],
        lifespan=lifespan,
    )
