"""Runs the endpoint: keys, directory, replies and HTTP, until told to stop; what is under way is answered first."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn
from prometheus_client.metrics_core import GaugeMetricFamily

from console.errors import BadInput
from console.output import say
from console.partner.desk import Desk
from console.partner.door import Door
from console.partner.following import Partners, follow
from console.partner.interface import Interface
from console.partner.patience import PatientProtocol
from console.partner.sent import Sent
from console.partner.teller import Teller
from streams import metrics
from streams.directory import Directory, DirectoryReader
from streams.health import serving
from streams.settings import Settings
from streams.topics import PAYEES, TARIFFS, TERMINALS

log = structlog.get_logger()

CHECK_S = 10.0
_CONNECTIONS = 1_000
_HEAD_BYTES = 16 * 1024
_IDLE_S = 30


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where it listens and how much it takes. in_flight: of one partner at once. pay_s: longest wait for a payment."""

    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None
    in_flight: int = 50
    pay_s: float = 30

    def url(self, port: int) -> str:
        """Where partners come to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}/osmp/<payee>"


class PartnerVitals:
    """Are the readers of replies turning, and is the broker there?"""

    def __init__(self, desk: Desk, teller: Teller) -> None:
        self._desk = desk
        self._teller = teller

    def stuck(self) -> list[str]:
        return [problem for beat in self._desk.heartbeats.values() for problem in beat.stuck()]

    def not_ready(self) -> list[str]:
        return [f"topic {name} cannot be read: {why}" for name, why in list(self._desk.away.items())]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield metrics.PARTNER_UNDER_WAY.family({(name,): n for name, n in list(self._teller.under_way.items())})


def run(settings: Settings, endpoint: Endpoint) -> None:
    """Until SIGTERM or Ctrl-C. Raises BadInput without a partner, KeyFileError, NoBroker."""
    found = Partners(settings)
    if not found.known:
        raise BadInput("there is no partner: make one with `kassa partner add`")
    directory = Directory()
    reader = DirectoryReader(settings, directory, (TERMINALS, PAYEES, TARIFFS))
    reader.start()
    try:
        asyncio.run(_serve(settings, endpoint, found, directory))
    finally:
        reader.stop()


async def _serve(settings: Settings, endpoint: Endpoint, found: Partners, directory: Directory) -> None:
    sent = Sent(settings.dir / "partners" / "sent.sqlite")
    desk, door = Desk(settings, found.keys), Door(found.known)
    teller = Teller(
        directory, found.keys, desk, sent, in_flight=endpoint.in_flight, pay_s=endpoint.pay_s, check_s=CHECK_S
    )  # fmt: skip
    following = asyncio.create_task(follow(found, door, teller, desk))
    try:
        with (
            _listening(endpoint) as listener,
            serving(settings, "partner", "partner-1", PartnerVitals(desk, teller)),
        ):
            say(f"partners at {endpoint.url(listener.getsockname()[1])}")
            await _Server(_config(endpoint, Interface(door, teller))).serve([listener])
    finally:
        following.cancel()
        await asyncio.to_thread(desk.close)
        sent.close()


class _Server(uvicorn.Server):
    """Stopped by a signal it ends in order; uvicorn's own would die of it before Kafka has everything."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for one in signals:
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in signals:
                loop.remove_signal_handler(one)


def _listening(endpoint: Endpoint) -> socket.socket:
    """Raises BadInput."""
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        return socket.create_server((endpoint.host, endpoint.port), family=family, backlog=1_024)
    except OSError as error:
        raise BadInput(f"cannot listen on {endpoint.host} port {endpoint.port}: {error.strerror}") from None


def _config(endpoint: Endpoint, interface: Interface) -> uvicorn.Config:
    return uvicorn.Config(
        interface.app,
        ssl_certfile=endpoint.certificate,
        ssl_keyfile=endpoint.private_key,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # it would write payers' numbers
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=int(endpoint.pay_s) + 5,
    )
