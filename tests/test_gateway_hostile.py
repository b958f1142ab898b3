"""Payees that answer well and hostilely at once: whatever protocol, no yes, no refusal, no crash, no memory lost."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from agents.gateways.guarded import GuardedGateway
from agents.gateways.http import MAX_REPLY_BYTES
from agents.gateways.simulator_faults import Behaviour
from schemas.outcome import Verdict
from tests.gateway_builders import a_gateway_to, a_payment
from tests.gateway_protocols import PROTOCOLS, Side, Spoken
from tests.scripted_payee import Conversation, ScriptedPayee

# Puts a true reply's body on the wire as a hostile payee would.
Say = Callable[[Conversation, httpx.Response], Awaitable[None]]

_BOMB = b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
_FILE = b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def with_status(status: str, **headers: str) -> Say:
    async def say(talk: Conversation, true: httpx.Response) -> None:
        await talk.reply(true.content, status, Content_Type=true.headers["content-type"], **headers)

    return say


def with_body(change: Callable[[bytes], bytes], **headers: str) -> Say:
    async def say(talk: Conversation, true: httpx.Response) -> None:
        kind = {"Content_Type": true.headers["content-type"]} | headers
        await talk.reply(change(true.content), **kind)

    return say


def before_the_body(more: bytes) -> Say:
    """Where a document begins: after its XML declaration, if it has one."""

    def change(body: bytes) -> bytes:
        end = body.find(b"?>") + 2 if body.startswith(b"<?xml") else 0
        return body[:end] + more + body[end:]

    return with_body(change)


def in_klingon(body: bytes) -> bytes:
    """Says so where it is XML; what else there is has one charset only, and is in another then."""
    if body.startswith(b"<?xml"):
        return re.sub(rb"encoding=[\"'][^\"']+[\"']", b'encoding="x-klingon"', body)
    return body.decode("latin-1").encode("utf-32")


async def without_end(talk: Conversation, true: httpx.Response) -> None:
    kind = true.headers["content-type"]
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    await talk.say(head.encode() + f"{len(true.content):x}\r\n".encode() + true.content + b"\r\n")
    while True:
        await talk.say(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


async def a_hundred_megabytes(talk: Conversation, true: httpx.Response) -> None:
    size, kind = 100 * 2**20, true.headers["content-type"]
    await talk.say(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode() + true.content)
    for _ in range(size // 0x10000):
        await talk.say(b" " * 0x10000)


HOSTILE: dict[str, Say] = {
    "entity bomb": before_the_body(_BOMB),
    "external entity": before_the_body(_FILE),
    "a hundred megabytes": a_hundred_megabytes,
    "without end": without_end,
    "in a charset nobody reads": with_body(lambda body: body.decode("latin-1").encode("utf-16")),
    "in a charset nobody knows": with_body(in_klingon, Content_Type="text/xml; charset=x-klingon"),
    "redirect": with_status("302 Found", Location="http://127.0.0.1:1/"),
    "moved for good": with_status("301 Moved Permanently", Location="/elsewhere"),
    "forbidden": with_status("403 Forbidden"),
    "failed": with_status("500 Internal Server Error"),
    "compressed": with_body(gzip.compress, Content_Encoding="gzip"),
    "compressed, and not said so": with_body(gzip.compress),
    "said twice": with_body(lambda body: body + body),
    "cut": with_body(lambda body: body[: len(body) // 2]),
    "nothing": with_body(lambda _: b""),
}


@pytest.fixture(scope="module", params=PROTOCOLS, ids=[spoken.protocol for spoken in PROTOCOLS])
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    spoken: Spoken = request.param
    started = Side.start(spoken, tmp_path_factory.mktemp(spoken.protocol), {"calm": Behaviour()})
    with started.simulator:
        yield started


@asynccontextmanager
async def hostile(side: Side, say: Say) -> AsyncIterator[tuple[ScriptedPayee, GuardedGateway]]:
    """A payee between the gateway and the true one, which says what that says in its own way."""

    async def talk(one: Conversation) -> None:
        while head := await one.hear():
            method, path, _ = head.split(b" ", 2)
            lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:] if line)
            kept = {name: value for name, _, value in lines if name.lower() not in (b"host", b"content-length")}
            url = side.simulator.url_of("calm") + path.decode().removeprefix("/osmp/")
            body = one.payee.bodies[-1] if method == b"POST" else b""
            async with httpx.AsyncClient(trust_env=False, verify=False) as client:
                true = await client.request(method.decode(), url, content=body, headers=kept)
            assert true.status_code == 200, true.text
            await say(one, true)

    record: dict[str, Any] = {**side.spoken.dialect, "time_out_ms": 10_000}
    async with (
        ScriptedPayee(talk) as payee,
        a_gateway_to(side.record(payee.url, **record), side.directory) as gateway,
    ):
        yield payee, gateway


async def test_the_payee_between_says_what_the_true_one_says(side: Side) -> None:
    """Else what follows would show nothing."""
    async with hostile(side, with_status("200 OK")) as (_, gateway):
        outcome = await gateway.check(a_payment(txn=999_999))
    assert outcome.verdict is Verdict.CHECKED, outcome


@pytest.mark.parametrize("way", HOSTILE)
async def test_a_true_answer_said_hostilely_is_no_answer(side: Side, way: str) -> None:
    facts = a_payment(txn=1_000 + list(HOSTILE).index(way))
    async with hostile(side, HOSTILE[way]) as (payee, gateway):
        outcomes = [await gateway.check(facts), await gateway.pay(facts)]
        outcomes += [await gateway.status(facts)] if gateway.capabilities.status else []
        outcomes += [await gateway.cancel(facts)] if gateway.capabilities.cancel else []
    assert {outcome.verdict for outcome in outcomes} <= {Verdict.UNCLEAR, Verdict.NOT_SENT}, outcomes
    # It is hung up on, however much there is to come: what is said beyond the bound is in the system's buffers.
    assert payee.said < 100 * MAX_REPLY_BYTES * len(outcomes)
    assert all(len(outcome.comment) <= 200 and "root:" not in outcome.comment for outcome in outcomes)
