"""Signed key=value as it is on the wire: what we ask and sign, with which keys, and payments over a real socket."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from agents.gateways import signed_kv_message as message
from agents.gateways.errors import NotSent
from agents.gateways.rsa_keys import Signer, signer, verifier
from agents.gateways.signed_kv import asker_of
from agents.gateways.signed_kv_request import lines
from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from schemas.gateway import Gateway
from schemas.outcome import Step, Verdict
from tests.builders_protocols import (
    SIGNED_KV,
    a_certificate,
    a_key,
    a_signer,
    a_verifier,
    in_its_turns,
    private_pem,
    public_pem,
    signed,
    with_keys,
)  # fmt: skip
from tests.gateway_builders import GOLDEN, SUBSCRIBER, a_gateway, a_gateway_to, a_payment
from tests.scripted_payee import Conversation, ScriptedPayee

FILES = GOLDEN / "gateways" / "signed_kv"
PAID, IS_FATAL, UNCLEAR = Verdict.PAID, Verdict.FATAL, Verdict.UNCLEAR
OURS = a_payment()
ASKED = a_payment(subscriber={"phone": SUBSCRIBER, "period": "01.2005"}, fee=1000)


def record(url: str = "http://payee.invalid/", options: Mapping[str, str] | None = None, **changes: Any) -> Gateway:
    return a_gateway(url, **{"protocol": "signed-kv", "options": {**SIGNED_KV, **(options or {})}, **changes})


def golden(name: str) -> bytes:
    return (FILES / f"{name}.txt").read_bytes()


# --- what we ask


@pytest.mark.parametrize("step", ["check", "pay", "status"])
def test_a_request_is_the_one_on_file_however_often_it_is_made(step: Step) -> None:
    asked = {message.write(lines(step, ASKED, asker_of(record())), a_signer("ours")) for _ in range(3)}
    assert len(asked) == 1
    text, _, signature = asked.pop().partition(b"\r\nEND\r\nBEGIN SIGNATURE\r\n")
    assert text == b"BEGIN\r\n" + golden(f"request_{step}")
    assert max(map(len, signature.split(b"\r\n"))) == 64


def test_a_payee_may_want_a_field_as_account_and_a_key_of_its_choice() -> None:
    asker = asker_of(record(options={"account_field": "contract", "accept_keys": "64182"}))
    facts = a_payment(subscriber={"phone": SUBSCRIBER, "contract": "12/7 б"})
    asked = message.write(lines("pay", facts, asker), a_signer("ours"))
    assert asked.startswith(b"BEGIN\r\n" + golden("request_pay_account") + b"\r\nEND\r\n")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="another implementation to verify with: openssl")
@pytest.mark.parametrize("digest", ["sha256", "sha1"])
def test_another_implementation_takes_our_signature(digest: str, tmp_path: Path) -> None:
    with_keys(tmp_path)
    ours = signer((tmp_path / "ours.pem").read_bytes(), {"sha256": hashes.SHA256(), "sha1": hashes.SHA1()}[digest])
    text = golden("request_pay")
    (tmp_path / "text").write_bytes(text)
    (tmp_path / "signature").write_bytes(ours.sign(text))
    command = ["openssl", "dgst", f"-{digest}", "-verify", "ours.pub", "-signature", "signature", "text"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout == b"Verified OK\n"


@pytest.mark.parametrize(
    ("subscriber", "why"),
    [
        ({"phone": "7916\r\nAMOUNT=0.01"}, "line end"),
        ({"phone": "7916\nERROR=0"}, "line end"),
        ({"phone": "7916\x00"}, "line end"),
        ({"phone": "电话"}, "windows-1251"),
        ({"phone": "1", "amount_all": "0.01"}, "a key of the protocol"),
        ({"phone": "1", "session": "7"}, "a key of the protocol"),
        ({"phone": "1", "дом": "7"}, "key of a line"),
    ],
)
def test_a_field_cannot_be_another_line(subscriber: dict[str, str], why: str) -> None:
    with pytest.raises(NotSent, match=why):
        message.write(lines("pay", a_payment(subscriber=subscriber), asker_of(record())), a_signer("ours"))


def test_a_payee_without_the_field_that_is_account_is_not_asked() -> None:
    with pytest.raises(NotSent, match="no field 'contract'"):
        lines("pay", OURS, asker_of(record(options={"account_field": "contract"})))


# --- keys


@pytest.mark.parametrize("missing", ["sd", "ap", "op", "key", "payee_key"])
async def test_a_record_without_an_option_it_needs_sends_nothing(missing: str, tmp_path: Path) -> None:
    with_keys(tmp_path)
    options = {name: value for name, value in SIGNED_KV.items() if name != missing}
    async with a_gateway_to(a_gateway("http://payee.invalid/", protocol="signed-kv", options=options), tmp_path) as to:
        outcome = await to.pay(OURS)
    assert (outcome.verdict, outcome.code) == (Verdict.NOT_SENT, "bad-option")
    assert f"'{missing}'" in outcome.comment


def pem_of(kind: str) -> bytes:
    """A private key that will not do."""
    pkcs8, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    locked = serialization.BestAvailableEncryption(b"x")
    match kind:
        case "short":
            return private_pem(rsa.generate_private_key(65537, 1024))
        case "other":
            return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, pkcs8, none)
        case "locked":
            return a_key("ours").private_bytes(serialization.Encoding.PEM, pkcs8, locked)
    return b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("kind", ["short", "other", "locked", "broken"])
async def test_with_a_key_that_will_not_do_nothing_is_sent(kind: str, tmp_path: Path) -> None:
    with_keys(tmp_path)
    (tmp_path / "ours.pem").write_bytes(pem_of(kind))
    async with a_gateway_to(record(), tmp_path) as gateway:
        outcome = await gateway.pay(OURS)
    assert (outcome.verdict, outcome.code) == (Verdict.NOT_SENT, "no-credentials")
    assert "KEY" not in outcome.comment


def test_the_payees_key_may_come_as_a_certificate_and_must_be_rsa_of_a_length() -> None:
    short = rsa.generate_private_key(65537, 1024)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for pem in (public_pem(short), other.public_bytes(*spki), b"", private_pem(a_key("payee"))):
        with pytest.raises(NotSent, match="the payee's key is no"):
            verifier(pem, hashes.SHA256())
    assert verifier(a_certificate(a_key("payee")), hashes.SHA256()) == a_verifier()


# --- over the wire


async def test_a_pay_that_was_taken_or_is_known_is_asked_about_at_once(tmp_path: Path) -> None:
    with_keys(tmp_path)
    ours = {"SESSION": str(OURS.txn)}
    script = [
        signed(**ours, ERROR="0", RESULT="0", TRANSID="7"),
        signed(**ours, ERROR="0", RESULT="3"),
        signed(**ours, ERROR="1", RESULT="1"),
        signed(**ours, ERROR="0", RESULT="7", TRANSID="7"),
        signed(**ours, ERROR="1", RESULT="1"),
        signed(**ours, ERROR="23", RESULT="7"),
        signed(**ours, ERROR="1", RESULT="1"),
        signed(**ours, ERROR="11", RESULT="1"),
        signed(**ours, ERROR="1", RESULT="1"),
        b"nonsense",
    ]

    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(script.pop(0))

    async with ScriptedPayee(talk) as payee, a_gateway_to(record(payee.url), tmp_path) as gateway:
        outcomes = [await gateway.pay(OURS) for _ in range(5)]
    assert [(one.step, one.verdict, one.code) for one in outcomes] == [
        ("pay", UNCLEAR, "result-3"),
        ("pay", PAID, "0"),
        ("status", IS_FATAL, "5"),  # of the payment itself: it voids, also after an unclear pay
        ("pay", UNCLEAR, "11"),  # it says that it has the session and that it has not: nobody knows
        ("pay", UNCLEAR, "wrong-signature"),
    ]
    assert outcomes[0].provider_ref == "7"
    paths = [request.split(b" ")[1] for request in payee.requests]
    assert paths == [b"/osmp/pay.cgi", b"/osmp/pay_status.cgi"] * 5
    sent = {unquote_to_bytes(body.removeprefix(b"inputmessage=")) for body in payee.bodies}
    assert len(sent) == 2  # one pay and one status, the same every time
    assert all(message.read(one, a_verifier("ours"))["SESSION"] == str(OURS.txn) for one in sent)


async def test_a_payees_new_key_is_taken_without_a_restart(tmp_path: Path) -> None:
    with_keys(tmp_path)
    (tmp_path / "payee.pub").write_bytes(public_pem(a_key("stranger")))

    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(signed(SESSION=str(OURS.txn), ERROR="0", RESULT="7"))

    async with ScriptedPayee(talk) as payee, a_gateway_to(record(payee.url), tmp_path) as gateway:
        assert (await gateway.status(OURS)).code == "wrong-signature"
        (tmp_path / "payee.pub").write_bytes(public_pem(a_key("payee")))
        assert (await gateway.status(OURS)).verdict is PAID


async def test_a_payee_of_old_signs_with_sha1_where_the_record_says_so(tmp_path: Path) -> None:
    with_keys(tmp_path)
    old = Signer(a_key("payee"), hashes.SHA1())
    body = message.write([("SESSION", str(OURS.txn)), ("ERROR", "0"), ("RESULT", "7")], old)

    async def talk(one: Conversation) -> None:
        while await one.hear():
            await one.reply(body)

    async with ScriptedPayee(talk) as payee:
        async with a_gateway_to(record(payee.url), tmp_path) as gateway:
            assert (await gateway.status(OURS)).code == "wrong-signature"
        async with a_gateway_to(record(payee.url, options={"digest": "sha1"}), tmp_path) as gateway:
            assert (await gateway.status(OURS)).verdict is PAID


async def test_no_failure_tells_the_subscribers_number(tmp_path: Path) -> None:
    with_keys(tmp_path)

    async def talk(one: Conversation) -> None:
        await one.hear()

    async with ScriptedPayee(talk) as payee, a_gateway_to(record(payee.url), tmp_path) as gateway:
        lost = await gateway.pay(OURS)
        payee.close()
        refused = await gateway.status(OURS)
        await gateway.aclose()
        closed = await gateway.check(OURS)
    assert [one.code for one in (lost, refused, closed)] == ["connection-lost", "connect", "closed"]
    assert SUBSCRIBER not in repr((lost, refused, closed))


async def test_after_a_storm_of_wrong_signatures_the_payees_book_is_what_we_were_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("kv")
    storm = Behaviour(protocol="signed-kv", wrong_signature_pct=40, temporary_pct=10, drop_after_accept_pct=10,
                      not_finished_pct=10, wrong_sum_pct=10, decline={"0": 23}, **with_keys(directory))  # fmt: skip
    several = [a_payment(txn=5_000 + number, subscriber=f"7916{number:07}") for number in range(60)]
    with Simulator.start(directory, {"storm": storm}, seed=11) as simulator:
        async with a_gateway_to(record(simulator.url_of("storm"), connections=15), directory) as gateway:
            told = await asyncio.gather(*(in_its_turns(gateway, facts) for facts in several))
        paid = {facts.txn for facts, outcome in zip(several, told, strict=True) if outcome.verdict is PAID}
        assert {outcome.verdict for outcome in told} == {PAID, IS_FATAL}
        assert simulator.book_of("storm").keys() == paid
        assert len(paid) == 54
