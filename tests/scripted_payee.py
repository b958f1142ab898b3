"""A payee that does on its socket what a test says, byte by byte; and what it saw."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

Talk = Callable[["Conversation"], Awaitable[None]]


class Conversation:
    """One connection. number: 1 for the payee's first connection."""

    def __init__(self, payee: ScriptedPayee, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.payee = payee
        self.number = number
        self._reader = reader
        self._writer = writer

    async def hear(self) -> bytes:
        """The head of one request, noted in payee.requests; its body, where it has one, in payee.bodies.

        b"" when the asker has hung up.
        """
        try:
            request = await self._reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", request, re.IGNORECASE)
            body = await self._reader.readexactly(int(length[1])) if length else None
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.payee.requests.append(request)
        if body is not None:
            self.payee.bodies.append(body)
        return request

    async def say(self, data: bytes) -> None:
        self.payee.said += len(data)
        self._writer.write(data)
        await self._writer.drain()

    async def reply(self, body: bytes, status: str = "200 OK", **headers: str) -> None:
        lines = {"Content-Type": "text/xml", "Content-Length": str(len(body))}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.say(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    async def hang(self) -> None:
        """Silence until the asker hangs up."""
        while await self._reader.read(65536):
            pass

    def reset(self) -> None:
        """Hang up so that the asker gets a reset, not an orderly end."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def stop_listening(self) -> None:
        """From now on connections are refused."""
        self.payee.close()


class ScriptedPayee:
    """`async with ScriptedPayee(talk) as payee`: `talk` is called for every connection, which ends when it returns.

    requests: the heads of all requests heard. bodies: of those that had one. said: bytes sent. open, peak: connections
    now, and at most so far.
    """

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = self.open = self.peak = self.said = 0
        self._talk = talk
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/osmp/"

    def close(self) -> None:
        self._server.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        try:
            await self._talk(Conversation(self, self.connections, reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass  # the asker hung up while we spoke; the test is over
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()


def free_port() -> int:
    """A port nobody listens on, as far as one can know."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
