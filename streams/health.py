"""How a running part shows itself over HTTP: is it alive, can it do its work, and its metrics.

`/health`: 503 says that the process is stuck and starting it again is right. `/ready`: 503 says that it cannot do its
work now, mostly for a reason outside of it, which a restart will not mend.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Protocol

import orjson
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.metrics import REGISTRIES, Part
from streams.problem import MEDIA_TYPE, problem
from streams.settings import Settings

log = structlog.get_logger()

_START_S = 60.0
_CLIENT_S = 10.0
_PATHS = "GET /health, /ready or /metrics"
_ANY = frozenset({"0.0.0.0", ""})


class AddressUnusable(Exception):
    """The setting `http` names an address that cannot be listened on; the text says which and why."""


class Vitals(Protocol):
    """What a part knows of itself; asked from other threads. An empty list: nothing is wrong."""

    def stuck(self) -> list[str]: ...
    def not_ready(self) -> list[str]: ...
    def collect(self) -> Iterable[Metric]: ...


class Heartbeat:
    """The last time a loop turned. It may take `bound_s` for a turn, and a minute for the first one."""

    def __init__(self, what: str, bound_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._bound_s = bound_s
        self._clock = clock
        self._until = clock() + max(_START_S, bound_s)

    def beat(self) -> None:
        self._until = self._clock() + self._bound_s

    def stuck(self) -> list[str]:
        late_s = self._clock() - self._until
        return [f"{self._what} has not turned for {late_s + self._bound_s:.0f} s"] if late_s > 0 else []


def url_file(settings: Settings, name: str) -> Path:
    """Where a part says under which URL it listens, while it does."""
    return settings.dir / "run" / f"{name}.http"


@contextmanager
def serving(settings: Settings, part: Part, name: str, vitals: Vitals) -> Iterator[None]:
    """Answer HTTP at the setting `http` within the block; nothing at all where it is empty. Raises AddressUnusable."""
    path = url_file(settings, name)
    path.unlink(missing_ok=True)
    if not settings.http:
        yield
        return
    server = _listening(settings.http, part, vitals)
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    url = _url(settings.http, server.server_address[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(url + "\n")
    log.info("http", url=url)
    collector = _Collector(vitals)
    REGISTRIES[part].register(collector)
    try:
        yield
    finally:
        REGISTRIES[part].unregister(collector)
        path.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()


class _Collector(Collector):
    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterable[Metric]:
        return self._vitals.collect()


def _listening(address: str, part: Part, vitals: Vitals) -> _Server:
    host, _, port = address.rpartition(":")
    registry = REGISTRIES[part]

    class Handler(_Handler):
        def answer(self, path: str) -> tuple[int, str, bytes]:
            match path:
                case "/metrics":
                    return self.metrics(registry)
                case "/health":
                    return _told(part, vitals.stuck())
                case "/ready":
                    return _told(part, [*vitals.stuck(), *vitals.not_ready()])
                case _:
                    return 404, MEDIA_TYPE, problem(404, _PATHS)

    try:
        return _Server((host, int(port)), Handler)
    except (OSError, OverflowError) as error:
        raise AddressUnusable(f"cannot listen on {address} (setting http): {error}") from None


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False  # whoever is just being answered does not hold a stop up

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.info("http_client_gone", client=str(client_address))


class _Handler(BaseHTTPRequestHandler):
    timeout = _CLIENT_S
    server_version = "kassa"
    sys_version = ""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        raise NotImplementedError

    def metrics(self, registry: CollectorRegistry) -> tuple[int, str, bytes]:
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        return 200, content_type, encode(registry)

    def do_GET(self) -> None:
        self._say(*self.answer(self.path.partition("?")[0]))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no GET, or no HTTP."""
        self.close_connection = True
        self._say(code, MEDIA_TYPE, problem(code, f"{message}: {_PATHS}" if message else _PATHS))

    def _say(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Every few seconds somebody looks: that is not news."""


def _told(part: Part, problems: list[str]) -> tuple[int, str, bytes]:
    return _json(503 if problems else 200, {"part": part, "ok": not problems, "problems": problems})


def _json(status: int, content: dict[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", orjson.dumps(content) + b"\n"


def _url(address: str, port: int) -> str:
    """The address as others on the same network reach it."""
    host = address.rpartition(":")[0]
    return f"http://{socket.gethostname() if host in _ANY else host}:{port}"
