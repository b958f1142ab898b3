"""What agent XML and signed key=value need besides a record: our numbers at the payee, and keys on both sides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from agents.gateways.base import PaymentGateway
from agents.gateways.rsa_keys import Signer, Verifier
from agents.gateways.signed_kv_message import write
from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome, Verdict

AGENT_XML = {"login": "kassa", "terminal": "1001", "service": "2", "password": "agent-password"}
PASSWORD = "s3cret"
SIGNED_KV = {"sd": "17031", "ap": "17032", "op": "17034", "key": "ours.pem", "payee_key": "payee.pub"}


def with_a_password(directory: Path) -> dict[str, Any]:
    """The secret AGENT_XML names; and the payee that asks for it."""
    (directory / AGENT_XML["password"]).write_text(f"{PASSWORD}\n")
    return {"options": {"password": PASSWORD}}


def with_keys(directory: Path) -> dict[str, Any]:
    """The keys SIGNED_KV names; and the payee that has the other halves."""
    ours, payees = a_key("ours"), a_key("payee")
    (directory / "ours.pem").write_bytes(private_pem(ours))
    (directory / "ours.pub").write_bytes(public_pem(ours))
    (directory / "payee.pem").write_bytes(private_pem(payees))
    (directory / "payee.pub").write_bytes(public_pem(payees))
    return {"options": {"key": str(directory / "payee.pem"), "asker_key": str(directory / "ours.pub")}}


@cache
def a_key(whose: str) -> rsa.RSAPrivateKey:
    """One key for everyone of that name, as making it takes a while."""
    return rsa.generate_private_key(65537, 2048)


def private_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def a_certificate(key: rsa.RSAPrivateKey) -> bytes:
    """A PEM certificate of this key, signed by itself."""
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "payee")]), datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def a_signer(whose: str = "payee") -> Signer:
    return Signer(a_key(whose), hashes.SHA256())


def a_verifier(whose: str = "payee") -> Verifier:
    return Verifier(a_key(whose).public_key(), hashes.SHA256())


def signed(whose: str = "payee", **lines: str) -> bytes:
    """A reply of signed key=value with these lines."""
    return write(lines.items(), a_signer(whose))


async def in_its_turns(gateway: PaymentGateway, facts: PaymentFacts) -> GatewayOutcome:
    """Ask about a payment as dispatch does, without its pauses: pay, then status, and pay again where it is absent."""
    outcome = await gateway.pay(facts)
    for _ in range(30):
        if outcome.verdict in (Verdict.PAID, Verdict.FATAL):
            break
        outcome = await gateway.status(facts)
        if outcome.verdict is Verdict.ABSENT:
            outcome = await gateway.pay(facts)
    return outcome
