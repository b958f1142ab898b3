"""Over real sockets: what goes out to a payee, and what of its reply comes back."""

from __future__ import annotations

import asyncio
import traceback
from base64 import b64encode
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest

from agents.gateways.errors import NotSent
from agents.gateways.http import HttpReply
from tests.gateway_builders import SUBSCRIBER, a_line
from tests.payee_talks import (
    answer,
)
from tests.scripted_payee import Conversation, ScriptedPayee, free_port

QUERY = f"command=pay&txn_id=1234567&account={SUBSCRIBER}&sum=200.00"


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


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 OK\r\n\r\n<response/>",
        b"HTTP/1.1 200 OK\r\n\r\n<response/>",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<resp\r\n6\r\nonse/>\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n<response/>",
    ],
)
async def test_every_lawful_framing_of_a_reply_is_read(reply: bytes) -> None:
    async def talk(one: Conversation) -> None:
        await one.hear()
        await one.say(reply)

    async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
        assert await line.get(QUERY) == HttpReply(200, "", b"<response/>")


async def test_a_connection_is_used_again_and_carries_no_cookies() -> None:
    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(b"<response/>", Set_Cookie="session=1; Path=/")

    async with ScriptedPayee(talk) as payee, a_line(payee.url.replace("127.0.0.1", "localhost")) as line:
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
    ("path", "target"),
    [("", b"/osmp/?"), ("pay", b"/osmp/pay?"), ("?provider=7", b"/osmp/?provider=7&"), ("?", b"/osmp/?")],
)
async def test_the_query_follows_the_address_of_the_record(path: str, target: bytes) -> None:
    async with ScriptedPayee(answer) as payee, a_line(payee.url + path) as line:
        await line.get(QUERY)
    assert payee.requests[0].split(b"\r\n")[0] == b"GET " + target + QUERY.encode() + b" HTTP/1.1"


async def test_a_value_arrives_as_it_was_whatever_is_in_it() -> None:
    value = "".join(map(chr, range(1, 256))) + "я%2F+&=#"
    async with ScriptedPayee(answer) as payee, a_line(payee.url) as line:
        await line.get(f"account={quote(value, safe='')}&sum=1.00")
    target = payee.requests[0].split(b" ")[1].decode("ascii")
    assert parse_qsl(target.partition("?")[2], strict_parsing=True) == [("account", value), ("sum", "1.00")]


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
