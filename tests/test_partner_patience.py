"""A connection that does not bring its question in time is closed; one that does, and one that waits for it, is not."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn

from console.partner import patience
from console.partner.patience import PatientProtocol

_QUESTION = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def _slow_app(scope: object, receive: object, send: object) -> None:
    await asyncio.sleep(0.4)  # longer than a head may take
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]


async def _answers(*pieces: bytes) -> bytes:
    """What comes back until the server closes, when the pieces are sent one after the other's answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(_slow_app, http=PatientProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    try:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        said = b""
        for piece in pieces:
            writer.write(piece)
            said += await reader.readuntil(b"ok") if piece == _QUESTION else b""
        async with asyncio.timeout(10):
            try:
                said += await reader.read()
            except ConnectionResetError:
                said += b"(reset)"
        writer.close()
        return said
    finally:
        server.should_exit = True
        await running
        listener.close()


@pytest.mark.parametrize(
    ("pieces", "answered"),
    [((), 0), ((b"GET / HTTP/1.1\r\nHost: a\r\n",), 0), ((_QUESTION,), 1), ((_QUESTION, _QUESTION, b"GET"), 2)],
)
async def test_a_head_must_come_in_time_an_answer_may_take_longer(
    monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, ...], answered: int
) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.2)
    assert (await _answers(*pieces)).count(b"200 OK") == answered
