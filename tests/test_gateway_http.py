"""Over real sockets: which failures say that nothing was sent, and which that the payee may have been paid."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.gateways.attempt import meaning
from agents.gateways.errors import NotSent, OutcomeUnknown
from agents.gateways.http import MAX_REPLY_BYTES, Http, Line
from tests.gateway_builders import SUBSCRIBER, a_gateway
from tests.scripted_payee import Conversation, ScriptedPayee, Talk, free_port
from tests.self_signed import server_and_client_tls

QUERY = f"command=pay&txn_id=1234567&account={SUBSCRIBER}&sum=200.00"
SHORT_MS = 1_000
NO_SECRETS = Path("/nonexistent")


@contextlib.asynccontextmanager
async def a_line(
    url: str, secrets_dir: Path = NO_SECRETS, tls: ssl.SSLContext | None = None, **record: object
) -> AsyncIterator[Line]:
    line = Http(tls).line(a_gateway(url, **record), secrets_dir)
    try:
        yield line
    finally:
        await line.aclose()


# --- what payees do -------------------------------------------------------------------------------------------------


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
    await talk.say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


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


# --- NotSent --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:{port}/", "connect"),
        ("https://127.0.0.1:{port}/", "connect"),
        ("http://payee.invalid/", "dns"),
        ("http://user:password@127.0.0.1:{port}/", "bad-url"),
        ("http://127.0.0.1:{port}/#pay", "bad-url"),
        ("http://127.0.0.1:99999/", "bad-url"),
        ("http://[::1/", "bad-url"),
        ("http://?x=1", "bad-url"),
        ("http://a..b/", "bad-url"),
    ],
)
async def test_without_a_connection_nothing_was_sent(url: str, code: str) -> None:
    async with a_line(url.format(port=free_port())) as line:
        with pytest.raises(NotSent) as caught:
            await line.get(QUERY)
        assert caught.value.code == code
        assert SUBSCRIBER not in "".join(traceback.format_exception(caught.value))


async def test_waiting_for_a_free_connection_is_not_sending() -> None:
    async with ScriptedPayee(hear_and_hang) as payee, a_line(payee.url, connections=1, time_out_ms=SHORT_MS) as line:
        first, second = await asyncio.gather(line.get(QUERY), line.get(QUERY), return_exceptions=True)
        assert isinstance(first, OutcomeUnknown)
        assert isinstance(second, NotSent)
        assert second.code == "connect-timeout"
        assert len(payee.requests) == 1


async def test_a_payee_that_never_shakes_hands_was_sent_nothing() -> None:
    async with (
        ScriptedPayee(Conversation.hang) as payee,
        a_line(payee.url.replace("http:", "https:"), time_out_ms=SHORT_MS) as line,
    ):
        with pytest.raises(NotSent, match="connect-timeout"):
            await line.get(QUERY)


async def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    server, client = server_and_client_tls(tmp_path)
    async with ScriptedPayee(answer, server) as payee:
        async with a_line(payee.url) as line:
            with pytest.raises(NotSent, match="^tls"):
                await line.get(QUERY)
        async with a_line(payee.url, tls=client) as line:
            with pytest.raises(NotSent, match="^tls"):  # the right authority, another host's certificate
                await line.get(QUERY)
        assert payee.requests == []
        async with a_line(payee.url.replace("127.0.0.1", "localhost"), tls=client) as line:
            assert (await line.get(QUERY)).status == 200


async def test_a_payee_that_does_not_speak_tls_was_sent_nothing() -> None:
    async with ScriptedPayee(no_http) as payee, a_line(payee.url.replace("http:", "https:")) as line:
        with pytest.raises(NotSent):
            await line.get(QUERY)


async def test_a_closed_line_sends_nothing() -> None:
    async with ScriptedPayee(answer) as payee, a_line(payee.url) as line:
        await line.get(QUERY)
        await line.aclose()
        with pytest.raises(NotSent, match="closed"):
            await line.get(QUERY)


# --- OutcomeUnknown -------------------------------------------------------------------------------------------------

BREAKAGES: list[tuple[Talk, str]] = [
    (close_at_once, "connection-lost"),
    (hear_and_close, "connection-lost"),
    (hear_and_reset, "connection-lost"),
    (hear_and_vanish, "connection-lost"),
    (half_a_head, "connection-lost"),
    (no_http, "connection-lost"),
    (a_head_of_a_megabyte, "connection-lost"),
    (half_a_body, "reply-cut"),
    (half_a_body_and_reset, "reply-cut"),
    (a_broken_chunk, "connection-lost reply-cut"),
    (a_hundred_megabytes, "reply-too-large"),
    (a_body_without_end, "reply-too-large"),
    (a_bomb, "reply-encoded"),
    (hear_and_hang, "timeout"),
    (a_body_that_trickles, "timeout"),
    (continues_without_end, "timeout"),
]


@pytest.mark.parametrize(("talk", "code"), BREAKAGES)
async def test_once_a_connection_is_there_every_failure_is_unknown(talk: Talk, code: str) -> None:
    time_out_ms = SHORT_MS if code == "timeout" else 10_000
    async with ScriptedPayee(talk) as payee, a_line(payee.url, time_out_ms=time_out_ms) as line:
        started_at = time.monotonic()
        with pytest.raises(OutcomeUnknown) as caught:
            await line.get(QUERY)
        assert caught.value.code in code.split()
        assert time.monotonic() - started_at < 8
        assert SUBSCRIBER not in "".join(traceback.format_exception(caught.value))
        assert payee.connections == 1, "nobody may ask again without being told to"
        assert payee.said < 100 * MAX_REPLY_BYTES


@pytest.mark.parametrize("end", [hear_and_close, hear_and_reset, hear_and_vanish, half_a_head])
async def test_a_kept_connection_that_breaks_on_the_next_request_is_unknown_and_not_asked_again(end: Talk) -> None:
    async def talk(one: Conversation) -> None:
        await one.hear()
        await one.reply(b"<response/>")
        await end(one)

    async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
        await line.get(QUERY)
        with pytest.raises(OutcomeUnknown, match="connection-lost"):
            await line.get(QUERY)
        assert payee.connections == 1
        assert len(payee.requests) == 2


async def test_a_line_closed_while_it_waits_for_the_reply_is_unknown() -> None:
    heard = asyncio.Event()

    async def talk(one: Conversation) -> None:
        await one.hear()
        heard.set()
        await one.hang()

    async with ScriptedPayee(talk) as payee, a_line(payee.url, connections=1) as line:
        asked = [asyncio.ensure_future(line.get(QUERY)) for _ in range(2)]  # one waits for its connection
        await asyncio.wait_for(heard.wait(), 5)
        await line.aclose()
        for error in await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5):
            assert isinstance(error, OutcomeUnknown)


async def test_who_gives_up_asking_is_cancelled_and_nothing_else() -> None:
    async with ScriptedPayee(hear_and_hang) as payee, a_line(payee.url) as line:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.get(QUERY), 0.2)


def test_an_error_nobody_knows_is_unknown() -> None:
    assert isinstance(meaning(RuntimeError(SUBSCRIBER)), OutcomeUnknown)


# --- replies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "401 Unauthorized", "404 Not Found", "500 Oops", "503 Busy"])
async def test_every_status_is_a_reply_and_no_redirect_is_followed(status: str) -> None:
    async with ScriptedPayee(answer) as elsewhere:

        async def talk(one: Conversation) -> None:
            await one.hear()
            await one.reply(b"body", status, Location=elsewhere.url, Content_Type="text/xml; charset=Windows-1251")

        async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
            reply = await line.get(QUERY)
        assert (reply.status, reply.body, reply.charset) == (int(status[:3]), b"body", "Windows-1251")
        assert elsewhere.connections == 0


async def test_a_connection_the_payee_closed_in_peace_is_replaced() -> None:
    async def talk(one: Conversation) -> None:
        await one.hear()
        await one.reply(b"<response/>", Connection="close")

    async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
        for _ in range(3):
            assert (await line.get(QUERY)).status == 200
        assert payee.connections == 3


async def test_a_connection_is_used_again_and_carries_no_cookies() -> None:
    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(b"<response/>", Set_Cookie="session=1; Path=/")

    async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
        for _ in range(3):
            await line.get(QUERY)
        assert payee.connections == 1
        assert not any(b"cookie" in request.lower() for request in payee.requests)


async def test_no_more_connections_than_the_record_allows() -> None:
    async with ScriptedPayee(answer) as payee, a_line(payee.url, connections=3) as line:
        await asyncio.gather(*(line.get(QUERY) for _ in range(30)))
        assert payee.peak == 3
        assert len(payee.requests) == 30


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with ScriptedPayee(answer) as payee, a_line(payee.url) as line:
        assert (await line.get(QUERY)).status == 200


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", b"GET /osmp/?a=%2B7%20916&sum=1.00 HTTP/1.1"),
        ("pay?provider=7", b"GET /osmp/pay?provider=7&a=%2B7%20916&sum=1.00 HTTP/1.1"),
    ],
)
async def test_the_query_arrives_as_it_was_written(path: str, asked: bytes) -> None:
    async with ScriptedPayee(answer) as payee, a_line(payee.url + path) as line:
        await line.get("a=%2B7%20916&sum=1.00")
        assert payee.requests[0].split(b"\r\n")[0] == asked


# --- credentials ----------------------------------------------------------------------------------------------------


async def test_credentials_come_from_their_file_and_are_read_again_when_told(tmp_path: Path) -> None:
    secret = tmp_path / "phone"
    secret.write_text("kassa:пароль:2\n")
    async with ScriptedPayee(answer) as payee, a_line(payee.url, tmp_path, credentials="phone") as line:
        await line.get(QUERY)
        secret.write_text("kassa:new")
        await line.get(QUERY)
        line.forget_credentials()
        await line.get(QUERY)
    old, new = (b"Basic " + b64encode(text.encode()) for text in ("kassa:пароль:2", "kassa:new"))
    sent = [line for request in payee.requests for line in request.split(b"\r\n") if line.startswith(b"authorization")]
    assert sent == [b"authorization: " + value for value in (old, old, new)]


@pytest.mark.parametrize("name", ["missing", "../phone", "/etc/passwd", "..", ".", "", "a\0b", "no-colon", "two-lines"])
async def test_without_its_secret_a_gateway_sends_nothing(tmp_path: Path, name: str) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (tmp_path / "phone").write_text("user:hunter2")
    (keys / "no-colon").write_text("hunter2")
    (keys / "two-lines").write_text("user:hunter2\nX-Header: 1\n")
    async with ScriptedPayee(answer) as payee, a_line(payee.url, keys, credentials=name) as line:
        with pytest.raises(NotSent, match="no-credentials") as caught:
            await line.get(QUERY)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
        assert payee.connections == 0
