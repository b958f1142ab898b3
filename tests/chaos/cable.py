"""A TCP cable between two parts that can be cut, slowed and spoilt: a proxy of the suite's own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self, cast

HOST = "127.0.0.1"
_TICK_S = 0.002  # a loop may wake a little early
_HTTP_500 = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbroken"


class Way(Enum):
    """How a cable treats what goes through it."""

    OPEN = "open"
    SILENT = "silent"  # connections stay, nothing arrives; what was sent meanwhile comes late, as TCP does
    RESET = "reset"  # every connection breaks, and every new one
    MUTE = "mute"  # requests arrive, the connection breaks in place of the answer
    HTTP_500 = "http-500"  # an HTTP error in place of the server


class Cable:
    """One port of ours in front of `target()`, asked for every connection since servers come back elsewhere.

    hears: is told all that clients say, as it comes, whatever becomes of it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, target: Callable[[], int], hears: Callable[[bytes], None] | None = None
    ) -> None:
        self.port = 0
        self.way = Way.OPEN
        self.delay_s = 0.0
        self.target = target
        self.hears = hears
        self._loop = loop
        self._ends: set[End] = set()
        self._server: asyncio.Server | None = None

    def set(self, way: Way, delay_s: float = 0.0) -> None:
        """From now on; callable from any thread. delay_s: how much later everything arrives."""
        asyncio.run_coroutine_threadsafe(self._set(way, delay_s), self._loop).result(10)

    async def listen(self) -> None:
        self._server = await self._loop.create_server(lambda: End(self, None), HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """No connection is left. Servers are not waited for: their ends may never have been joined."""
        if self._server is not None:
            self._server.close()
        for end in list(self._ends):
            end.abort()
        await asyncio.sleep(0)

    async def _set(self, way: Way, delay_s: float) -> None:
        self.way, self.delay_s = way, delay_s
        for end in list(self._ends):
            if way is Way.RESET:
                end.abort()
            elif way is not Way.SILENT:
                end.push()

    def joined(self, end: End) -> None:
        self._ends.add(end)

    def left(self, end: End) -> None:
        self._ends.discard(end)


class End(asyncio.Protocol):
    """One end of one connection: what it receives goes out at its peer. `peer` is None at the client's end at first."""

    def __init__(self, cable: Cable, peer: End | None) -> None:
        self._cable = cable
        self._peer = peer
        self._is_client = peer is None
        self._held: deque[tuple[float, bytes]] = deque()  # when it is due, in the loop's time
        self._transport: asyncio.Transport | None = None
        self._dial: asyncio.Task[None] | None = None
        self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._cable.joined(self)
        if self._cable.way is Way.RESET:
            self.abort()
        elif self._is_client:
            self._dial = asyncio.create_task(self._reach())

    async def _reach(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            _, peer = await loop.create_connection(lambda: End(self._cable, self), HOST, self._cable.target())
            self._peer = peer
            self.push()
        except OSError:
            self.abort()

    def data_received(self, data: bytes) -> None:
        cable = self._cable
        if self._is_client and cable.hears is not None:
            cable.hears(data)
        if cable.way is Way.MUTE and not self._is_client:
            self.abort()
        elif cable.way is Way.HTTP_500 and self._is_client and self._transport is not None:
            self._transport.write(_HTTP_500)
            self._transport.close()
        else:
            loop = asyncio.get_running_loop()
            self._held.append((loop.time() + cable.delay_s, data))
            if cable.delay_s:
                loop.call_later(cable.delay_s + _TICK_S, self.push)
            self.push()

    def push(self) -> None:
        """Pass on what was held and is due, in order, unless it is to be held on."""
        if self._peer is None or self._cable.way is Way.SILENT:
            return
        now_s = asyncio.get_running_loop().time()
        while self._held and self._held[0][0] <= now_s:
            self._peer.send(self._held.popleft()[1])
        if self._has_ended and not self._held:
            self._peer.finish()

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """Close when everything is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        for end in (self, self._peer):
            if end is not None and end._transport is not None:
                end._transport.abort()

    def pause_writing(self) -> None:
        if self._peer is not None and self._peer._transport is not None:
            with contextlib.suppress(RuntimeError):
                self._peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._peer is not None and self._peer._transport is not None:
            with contextlib.suppress(RuntimeError):
                self._peer._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._cable.left(self)
        self._has_ended = True
        if self._peer is not None and not self._held:
            self._peer.finish()


class Cables:
    """All cables of a run, in a thread of their own, which ends with the block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cables", daemon=True)
        self._laid: list[Cable] = []

    def lay(self, target: Callable[[], int], hears: Callable[[bytes], None] | None = None) -> Cable:
        """A new cable to a server of this machine; `target` gives the server's port. hears: see Cable."""
        cable = Cable(self._loop, target, hears)
        self._laid.append(cable)
        asyncio.run_coroutine_threadsafe(cable.listen(), self._loop).result(10)
        return cable

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        for cable in self._laid:
            await cable.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
