"""Sends signed questions and orders to Kafka for many at once, and hands each reply to whoever waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from console.check_answers import CheckReader
from console.replies import SignedReader
from console.requests import Request
from schemas.envelope import VerifyingKey
from schemas.reply import Reply
from schemas.tracking import CheckReply
from streams.clients import producer
from streams.compacted import SILENT
from streams.health import Heartbeat
from streams.keyring import load_server_public
from streams.settings import Settings
from streams.topics import CHECK_REPLIES, REPLIES

log = structlog.get_logger()

_TURN_S = 0.05
_AGAIN_S = 1.0
_BOUND_S = 60.0

Said = Reply | CheckReply
Waiter = asyncio.Queue[Said]


class NotTaken(Exception):
    """Kafka's client has no room: nothing was sent."""


class Desk:
    """Two threads read, replies to payments and to checks; all else happens in the event loop it was started in."""

    def __init__(self, settings: Settings, terminals: Iterable[str]) -> None:
        """Raises KeyFileError without the server's public key, KafkaException or NoBroker without a broker."""
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._terminals = sorted(terminals)
        self._server = VerifyingKey.load(load_server_public(settings))
        self._producer: Producer = producer(settings, logger=SILENT, linger_ms=1)
        self._waiters: dict[str, set[Waiter]] = defaultdict(set)
        self._stopping = threading.Event()
        self.heartbeats = {
            name: Heartbeat(f"the reader of {name}", _BOUND_S) for name in (REPLIES.name, CHECK_REPLIES.name)
        }
        self.away: dict[str, str] = {}
        # Both read from where their topics end now: before the first question is sent.
        readers = {REPLIES.name: self._payments(), CHECK_REPLIES.name: self._checks()}
        opened: dict[str, Callable[[], SignedReader[Any]]] = {
            REPLIES.name: self._payments,
            CHECK_REPLIES.name: self._checks,
        }
        self._threads = [
            threading.Thread(target=self._read, args=(name, readers[name], opened[name]), name=name, daemon=True)
            for name in readers
        ]
        for thread in self._threads:
            thread.start()

    def follow(self, terminals: Iterable[str]) -> None:
        """Listen for these from now on. What is said to others while the readers move, partners ask for again."""
        wanted = sorted(terminals)
        if wanted != self._terminals:
            self._terminals = wanted

    async def ask(self, request: Request, within_s: float, is_enough: Callable[[Said], bool]) -> Said | None:
        """Send it, and the reply that is enough, or the last one within the time, or None. Raises NotTaken."""
        waiter: Waiter = asyncio.Queue()
        self._waiters[request.id].add(waiter)
        last: Said | None = None
        try:
            self._send(request)
            async with asyncio.timeout(within_s):
                while last is None or not is_enough(last):
                    last = await waiter.get()
        except TimeoutError:
            pass
        finally:
            self._waiters[request.id].discard(waiter)
            if not self._waiters[request.id]:
                del self._waiters[request.id]
        return last

    def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._producer.flush(5)

    def _send(self, request: Request) -> None:
        try:
            self._producer.produce(request.topic.name, request.value, request.key, on_delivery=_delivered)
        except BufferError:
            raise NotTaken from None
        self._producer.poll(0)

    def _payments(self) -> SignedReader[Reply]:
        return SignedReader(self._settings, self._server, self._terminals, REPLIES, Reply)

    def _checks(self) -> SignedReader[CheckReply]:
        return CheckReader(self._settings, self._server, self._terminals)

    def _read(self, name: str, reader: SignedReader[Any] | None, open_again: Callable[[], SignedReader[Any]]) -> None:
        """Until the desk is closed. A reader that fails is opened anew; what it missed, partners ask for again."""
        terminals = self._terminals
        while not self._stopping.is_set():
            self.heartbeats[name].beat()
            try:
                if reader is not None and terminals is not self._terminals:
                    reader.close()
                    reader = None
                terminals = self._terminals
                reader = reader or open_again()
                said = reader.poll(_TURN_S)
                self.away.pop(name, None)
                self._producer.poll(0)
            except Exception as error:  # noqa: BLE001  # a thread that ends would leave every partner without answers
                log.warning(
                    "replies_unreadable", topic=name, error=str(error), is_kafka=isinstance(error, KafkaException)
                )
                self.away[name] = str(error)
                if reader is not None:
                    reader.close()
                reader = None
                time.sleep(_AGAIN_S)
                continue
            if said is not None:
                self._loop.call_soon_threadsafe(self._hand, said)
        if reader is not None:
            reader.close()

    def _hand(self, said: Said) -> None:
        for waiter in self._waiters.get(said.id, ()):
            waiter.put_nowait(said)


def _delivered(error: KafkaError | None, _: object) -> None:
    if error is not None:
        log.warning("not_delivered", error=error.str())
