"""What payees do on the wire, well and badly: scripts for a ScriptedPayee."""

from __future__ import annotations

import asyncio

from tests.scripted_payee import Conversation


async def answer(talk: Conversation) -> None:
    while await talk.hear():
        await talk.reply(b"<response/>")


async def close_at_once(talk: Conversation) -> None:
    pass


async def hear_and_close(talk: Conversation) -> None:
    await talk.hear()


async def hear_and_reset(talk: Conversation) -> None:
    await talk.hear()
    talk.reset()


async def hear_and_vanish(talk: Conversation) -> None:
    """The repeat that aiohttp would make by itself is refused: its error says "cannot connect"."""
    await talk.hear()
    talk.stop_listening()


async def hear_and_hang(talk: Conversation) -> None:
    await talk.hear()
    await talk.hang()


async def half_a_head(talk: Conversation) -> None:
    await talk.hear()
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Le")


async def half_a_body(talk: Conversation) -> None:
    await talk.hear()
    await talk.reply(b"<response><result>0</result>", Content_Length="500")


async def half_a_body_and_reset(talk: Conversation) -> None:
    await half_a_body(talk)
    talk.reset()


async def a_broken_chunk(talk: Conversation) -> None:
    await talk.hear()
    await talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<response>")


async def no_http(talk: Conversation) -> None:
    await talk.hear()
    await talk.say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def speak_first(talk: Conversation) -> None:
    await talk.say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    await talk.hang()


async def a_head_of_a_megabyte(talk: Conversation) -> None:
    await talk.hear()
    await talk.say(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000 + b"\r\n\r\n")


async def a_hundred_megabytes(talk: Conversation) -> None:
    await talk.hear()
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
    for _ in range(1600):
        await talk.say(b"x" * 65536)


async def a_body_without_end(talk: Conversation) -> None:
    await talk.hear()
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
    while True:
        await talk.say(b"x" * 4096)


async def a_body_that_trickles(talk: Conversation) -> None:
    """Every byte comes well within any time-out between two bytes."""
    await talk.hear()
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while True:
        await talk.say(b"x")
        await asyncio.sleep(0.02)


async def continues_without_end(talk: Conversation) -> None:
    await talk.hear()
    while True:
        await talk.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.02)


async def a_bomb(talk: Conversation) -> None:
    await talk.hear()
    await talk.reply(b"\x1f\x8b\x08...", Content_Encoding="gzip")
