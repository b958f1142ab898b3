"""Over real sockets: which failures say that nothing was sent, and which that the payee may have been paid."""

from __future__ import annotations

import asyncio
import ssl
import time
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from agents.gateways.attempt import meaning
from agents.gateways.errors import NotSent, OutcomeUnknown
from agents.gateways.http import MAX_REPLY_BYTES
from tests.gateway_builders import SUBSCRIBER, a_line
from tests.payee_talks import (
    a_body_that_trickles,
    a_body_without_end,
    a_bomb,
    a_broken_chunk,
    a_head_of_a_megabyte,
    a_hundred_megabytes,
    answer,
    close_at_once,
    continues_without_end,
    half_a_body,
    half_a_body_and_reset,
    half_a_head,
    hear_and_close,
    hear_and_hang,
    hear_and_reset,
    hear_and_vanish,
    no_http,
    speak_first,
)
from tests.scripted_payee import Conversation, ScriptedPayee, Talk, free_port
from tests.self_signed import certificate, server_and_client_tls

QUERY = f"command=pay&txn_id=1234567&account={SUBSCRIBER}&sum=200.00"
SHORT_MS = 1_000


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
            with pytest.raises(NotSent, match="tls: "):
                await line.get(QUERY)
        async with a_line(payee.url, tls=client) as line:
            with pytest.raises(NotSent, match="tls: "):  # the right authority, another host's certificate
                await line.get(QUERY)
        assert payee.requests == []
        async with a_line(payee.url.replace("127.0.0.1", "localhost"), tls=client) as line:
            assert (await line.get(QUERY)).status == 200


async def test_a_payee_that_does_not_speak_tls_was_sent_nothing() -> None:
    async with ScriptedPayee(speak_first) as payee, a_line(payee.url.replace("http:", "https:")) as line:
        with pytest.raises(NotSent):
            await line.get(QUERY)


async def test_an_answer_nobody_asked_for_is_never_taken_for_the_next_one() -> None:
    first_was_read, stray_is_out = asyncio.Event(), asyncio.Event()

    async def talk(one: Conversation) -> None:
        await one.hear()
        await one.reply(b"first")
        if one.number == 1:
            await first_was_read.wait()
            await one.reply(b"stray")
            stray_is_out.set()
            await one.hang()

    async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
        assert (await line.get(QUERY)).body == b"first"
        first_was_read.set()
        await asyncio.wait_for(stray_is_out.wait(), 5)
        for _ in range(5):  # it is on the loopback, and read in the loop's next rounds
            await asyncio.sleep(0)
        with pytest.raises(NotSent, match="stray-reply"):
            await line.get(QUERY)
        assert len(payee.requests) == 1
        assert (await line.get(QUERY)).body == b"first"
        assert payee.connections == 2


async def test_two_answers_at_once_are_one_answer_and_the_end_of_the_connection() -> None:
    answer_of = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d"

    async def talk(one: Conversation) -> None:
        await one.hear()
        await one.say(answer_of % 1 + answer_of % 2)
        await one.hang()

    async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
        assert [(await line.get(QUERY)).body for _ in range(2)] == [b"1", b"1"]
        assert payee.connections == 2


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


# --- a post ---------------------------------------------------------------------------------------------------------


async def test_a_post_is_the_body_as_it_is_under_the_records_address_and_a_path() -> None:
    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(b"{}", "302 Found", Location="/elsewhere", Content_Type="application/json")

    async with ScriptedPayee(talk) as payee, a_line(payee.url) as line:
        for body in (b"<a>\x00\xff</a>", b""):
            reply = await line.post(body, "text/xml; charset=utf-8", "pay", {"X-Sign": "1f", "Accept": "text/xml"})
            assert (reply.status, reply.body) == (302, b"{}")
        await line.get("command=check")
    head = payee.requests[0].lower().split(b"\r\n")
    assert head[0] == b"post /osmp/pay http/1.1"
    assert [line for line in head if line.startswith(b"accept:")] == [b"accept: text/xml"]
    assert {b"content-type: text/xml; charset=utf-8", b"x-sign: 1f", b"content-length: 9"} <= set(head)
    assert payee.bodies == [b"<a>\x00\xff</a>", b""]
    assert b"x-sign" not in payee.requests[2].lower()  # a post leaves nothing behind


@pytest.mark.parametrize("talk", [hear_and_close, hear_and_reset, half_a_body, half_a_head, close_at_once])
async def test_a_post_that_went_out_is_unclear_and_never_repeated(talk: Talk) -> None:
    async with ScriptedPayee(talk) as payee, a_line(payee.url, time_out_ms=SHORT_MS) as line:
        with pytest.raises(OutcomeUnknown):
            await line.post(b"<pay/>", "text/xml")
    assert payee.connections == 1


async def test_a_post_without_a_connection_was_not_sent() -> None:
    async with a_line(f"http://127.0.0.1:{free_port()}/") as line:
        with pytest.raises(NotSent, match="connect"):
            await line.post(b"<pay/>", "text/xml")
        with pytest.raises(NotSent, match="bad-url"):
            await line.post(b"<pay/>", "text/xml", "\n")


# --- our own certificate --------------------------------------------------------------------------------------------


async def test_a_payee_that_asks_for_our_certificate_is_shown_it(tmp_path: Path) -> None:
    server, client = server_and_client_tls(tmp_path)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(tmp_path / "localhost.pem")
    (tmp_path / "ours.pem").write_bytes((tmp_path / "localhost.pem").read_bytes())
    without = ssl.create_default_context(cafile=str(tmp_path / "localhost.pem"))
    async with ScriptedPayee(answer, server) as payee:
        url = payee.url.replace("127.0.0.1", "localhost")
        async with a_line(url, tmp_path, client, client_certificate="ours.pem") as line:
            assert (await line.get(QUERY)).status == 200
        async with a_line(url, tmp_path, without) as line:
            with pytest.raises((NotSent, OutcomeUnknown)):
                await line.get(QUERY)


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "no_key.pem", "sealed.pem", "../ours.pem", ".."])
async def test_without_a_certificate_that_can_be_used_nothing_is_sent(tmp_path: Path, name: str) -> None:
    pem = certificate(tmp_path).read_bytes()
    (tmp_path / "empty.pem").touch()
    (tmp_path / "no_key.pem").write_bytes(pem[pem.index(b"-----BEGIN CERTIFICATE") :])
    key = serialization.load_pem_private_key(pem, None)
    sealed = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    (tmp_path / "sealed.pem").write_bytes(sealed + pem[pem.index(b"-----BEGIN CERTIFICATE") :])
    async with a_line("https://localhost:1/", tmp_path, client_certificate=name) as line:
        with pytest.raises(NotSent, match="no-certificate"):
            await line.get(QUERY)
