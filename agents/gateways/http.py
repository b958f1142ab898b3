"""HTTP to payees: one bounded GET or POST at a time, whose failure is always either NotSent or OutcomeUnknown.

httpx's request, response and transport over aiohttp's connections (httpx-aiohttp). The transport is called without
an httpx.Client around it: redirects, cookies, proxies from the environment and content decoding are all things that
must not happen here, and a third of a request's cost.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from agents.gateways.attempt import QuietLineRequest, one_attempt
from agents.gateways.credentials import basic_auth, load_client_certificate
from agents.gateways.errors import NotSent, OutcomeUnknown
from schemas.gateway import Gateway

MAX_REPLY_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 4.0  # below the 5 s of Apache, the first to hang up: a pay on a line just hung up is an unclear one

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "kassa"}
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole reply. charset: as the Content-Type says, or ""."""

    status: int
    charset: str
    body: bytes


async def _at_once() -> None:
    """No request waits."""


class Http:
    """What the gateways of a process share: whom to trust. A gateway's connections are its own (its bulkhead)."""

    def __init__(self, fresh_tls: Callable[[], ssl.SSLContext] = httpx.create_ssl_context) -> None:
        """fresh_tls: makes a context that knows whom to trust. By default certificates are verified against certifi's
        list, or the file or directory of SSL_CERT_FILE or SSL_CERT_DIR."""
        self.tls = fresh_tls()
        self.fresh_tls = fresh_tls
        self.pace: Callable[[], Awaitable[None]] = _at_once

    def paced(self, pace: Callable[[], Awaitable[None]]) -> Http:
        """The same for a gateway each of whose requests waits for this before it leaves."""
        paced = copy(self)
        paced.pace = pace
        return paced

    def line(self, record: Gateway, secrets_dir: Path) -> Line:
        """The connections to this gateway. Nothing is opened or read yet."""
        return Line(record, secrets_dir, self)


class Line:
    """Connections to one gateway, at most `record.connections`. Belongs to the event loop it is first used in."""

    def __init__(self, record: Gateway, secrets_dir: Path, http: Http) -> None:
        self._record = record
        self._secrets_dir = secrets_dir
        self._http = http
        self._tls: ssl.SSLContext | None = None  # known once it is needed, as the two below
        self._time_out_s = record.time_out_ms / 1000
        # A connection that cannot be had must be told from an answer that does not come, so it gives up sooner.
        connect_s = min(CONNECT_TIMEOUT_S, self._time_out_s / 2)
        self._extensions = {"timeout": {"pool": connect_s, "connect": connect_s}}
        self._address = ""  # made when first needed, so that a record that cannot work opens too
        self._headers: httpx.Headers | None = None
        self._transport = AiohttpTransport(verify=http.tls, client=self._session)
        self._is_closed = False

    async def get(self, query: str) -> HttpReply:
        """Ask `record.url` with this query string (already percent-encoded); any status is a reply.

        Takes `record.time_out_ms` at most, however slowly the reply trickles in. Follows no redirect, repeats
        nothing. Raises NotSent or OutcomeUnknown, nothing else, and never with the query in its text. The wait for the
        rate comes before that.
        """
        await self._http.pace()
        return await self._ask(self._request("GET", self._known_address() + query))

    async def post(
        self, body: bytes, content_type: str, path: str = "", headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Send this body to `record.url`, with `path` appended as it is; else as `get`.

        headers: further ones of the protocol; they go over ours of the same name, `Authorization` too.
        """
        await self._http.pace()
        self._known_address()
        try:
            request = self._request("POST", self._record.url + path, body)
        except httpx.InvalidURL:
            raise NotSent("bad-url", "the payee's address cannot be used") from None
        request.headers = httpx.Headers(request.headers)
        request.headers.update({"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})})
        return await self._ask(request)

    async def _ask(self, request: httpx.Request) -> HttpReply:
        try:
            async with asyncio.timeout(self._time_out_s):
                return await self._exchange(request)
        except TimeoutError:
            raise OutcomeUnknown("timeout", f"no whole reply within {self._time_out_s:g} s") from None
        except httpx.HTTPError as error:  # of no attempt: one_attempt has judged those
            raise OutcomeUnknown("connection-lost", f"the exchange broke off: {type(error).__name__}") from None

    def forget_credentials(self) -> None:
        """Read the secret file again before the next request: the payee refused what we have."""
        self._headers = None

    async def aclose(self) -> None:
        """Close the connections. What is under way becomes OutcomeUnknown, what is asked later NotSent."""
        self._is_closed = True
        await self._transport.aclose()

    def _known_address(self) -> str:
        if self._is_closed:
            raise NotSent("closed", "the gateway is closed")
        self._address = self._address or _address(self._record.url)
        return self._address

    def _request(self, method: str, url: str, body: bytes | None = None) -> httpx.Request:
        if self._headers is None:
            self._headers = self._read_headers()
        if self._tls is None:
            self._tls = self._context()
        request = httpx.Request(method, url, content=body, extensions=self._extensions)
        request.headers = self._headers
        return request

    def _read_headers(self) -> httpx.Headers:
        name = self._record.credentials
        return httpx.Headers(
            _HEADERS if name is None else {**_HEADERS, "Authorization": basic_auth(self._secrets_dir, name)}
        )

    def _context(self) -> ssl.SSLContext:
        """Whom we trust, and, where the payee wants one, our own certificate."""
        name = self._record.client_certificate
        if name is None:
            return self._http.tls
        tls = self._http.fresh_tls()
        load_client_certificate(tls, self._secrets_dir, name)
        return tls

    async def _exchange(self, request: httpx.Request) -> HttpReply:
        try:
            response = await self._transport.handle_async_request(request)
        except asyncio.CancelledError:
            if self._is_closed and not _is_cancelled():  # aiohttp cancels who waits for a connection when it closes
                raise OutcomeUnknown("closed", "the gateway was closed meanwhile") from None
            raise
        stream = cast(httpx.AsyncByteStream, response.stream)
        try:
            return await _whole(response, stream)
        finally:
            await stream.aclose()  # unread bytes: aiohttp drops the connection instead of using it again

    def _session(self) -> aiohttp.ClientSession:
        assert self._tls is not None  # a request was made
        connector = aiohttp.TCPConnector(limit=self._record.connections, ssl=self._tls, keepalive_timeout=KEEP_ALIVE_S)
        return aiohttp.ClientSession(
            connector=connector,
            request_class=QuietLineRequest,
            middlewares=(one_attempt,),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )


def _address(url: str) -> str:
    """The record's address, ready for a query to follow. Raises NotSent when nobody could be asked under it.

    What passes here must not fail later for its form: aiohttp would tell us no sooner than when it connects.
    """
    try:
        parsed = httpx.URL(url)
        parsed.raw_host.decode("ascii").encode("idna")
    except (httpx.InvalidURL, ValueError):
        raise NotSent("bad-url", "the payee's address cannot be used") from None
    if not parsed.host or parsed.userinfo or "#" in url or not 0 < (parsed.port or 1) < 65536:
        raise NotSent("bad-url", "the payee's address needs a host and a port, and no password and no #fragment")
    if url.endswith(("?", "&")):
        return url
    return f"{url}{'&' if '?' in url else '?'}"


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _whole(response: httpx.Response, stream: httpx.AsyncByteStream) -> HttpReply:
    charset = ""
    for name, value in response.headers.raw:
        if name.lower() == b"content-type":
            charset = _charset(value)
        elif name.lower() == b"content-encoding" and value.lower() != b"identity":
            raise OutcomeUnknown("reply-encoded", "the reply is compressed, which was not asked for")
    body = bytearray()
    try:
        async with aclosing(cast(AsyncGenerator[bytes, None], stream.__aiter__())) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_REPLY_BYTES:
                    break
    except Exception as error:  # noqa: BLE001 - the request is out: whatever breaks now says nothing of its outcome
        raise OutcomeUnknown("reply-cut", f"the reply broke off: {type(error).__name__}") from None
    if len(body) > MAX_REPLY_BYTES:
        raise OutcomeUnknown("reply-too-large", f"the reply is longer than {MAX_REPLY_BYTES} bytes")
    return HttpReply(response.status_code, charset, bytes(body))


def _charset(content_type: bytes) -> str:
    found = _CHARSET.search(content_type)
    return found[1].decode("ascii") if found else ""
