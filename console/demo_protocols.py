"""The demo's payees that do not speak OSMP, and one that is reached by two routes, of which one leads nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from agents.gateways.simulator_faults import Behaviour
from console.demo_network import CURRENCY, RETRY, tariff
from schemas.command import DirectoryCommand, SetGateway, SetPayee, SetTariff
from schemas.gateway import Gateway
from schemas.payee import Payee, SubscriberField
from schemas.route import Route

_PASSWORD = "only-for-the-demo"  # of an agent that exists in the demo alone
_NOWHERE = "http://127.0.0.1:9/"  # the port of the discard service, where nobody listens
_CARD = SubscriberField(name="account", title="Card", pattern=r"\d{8}")

# By gateway: what its record says beyond its address.
_RECORDS: dict[str, dict[str, Any]] = {
    "loans": {
        "protocol": "agent-xml",
        "options": {"login": "kassa", "terminal": "1001", "service": "2", "password": "loans-password"},
    },
    "television": {
        "protocol": "signed-kv",
        "options": {"sd": "17031", "ap": "17032", "op": "17034", "key": "television-ours.pem",
                    "payee_key": "television-payee.pub"},
    },
    "games": {"protocol": "two-phase"},
    "roads": {"protocol": "two-phase"},
}  # fmt: skip
# Each misbehaves in its own way, and none loses a payment by it.
_FAULTS: dict[str, dict[str, Any]] = {
    "loans": {"time_out_after_accept_pct": 2, "not_finished_pct": 10},
    "television": {"broken_reply_pct": 3, "wrong_signature_pct": 3},
    "games": {"drop_after_accept_pct": 4, "http_500_pct": 4},
    "roads": {},
}


def payees() -> list[Payee]:
    return [
        Payee(
            id=name, name=name.capitalize(), gateway=name, currency=CURRENCY, fields=(_CARD,), min_amount=1_000,
            max_amount=1_500_000,
            routes=(Route(gateway="roads-near", priority=1), Route(gateway="roads", priority=2)) * (name == "roads"),
        )
        for name in _RECORDS
    ]  # fmt: skip


def behaviours(secrets: Path) -> dict[str, Behaviour]:
    """How they behave; what both sides must know of each other is written to the directory `secrets` first."""
    options = {"loans": _with_a_password(secrets), "television": _with_keys(secrets)}
    return {
        name: Behaviour(protocol=record["protocol"], options=options.get(name, {}), **_FAULTS[name])
        for name, record in _RECORDS.items()
    }


def commands(url_of: Callable[[str], str]) -> Iterator[DirectoryCommand]:
    """Gateways, payees and tariffs."""
    near = Gateway(id="roads-near", protocol="osmp", url=_NOWHERE, time_out_ms=1_500, connections=5, retry=RETRY)
    yield _order(SetGateway, near.id, gateway=near)
    for name, record in _RECORDS.items():
        gateway = Gateway(
            id=name, url=url_of(name), time_out_ms=1_500, connections=30, retry=RETRY, **record
        )  # fmt: skip
        yield _order(SetGateway, name, gateway=gateway)
    for payee in payees():
        yield _order(SetPayee, payee.id, payee=payee)
        yield _order(SetTariff, payee.id, tariff=tariff(payee.id))


def _order(kind: type[Any], about: str, **content: Any) -> DirectoryCommand:
    command: DirectoryCommand = kind(id=f"demo.{kind.__name__}.{about}", issued_at=datetime.now(UTC), **content)
    return command


def _with_a_password(secrets: Path) -> dict[str, str]:
    _write(secrets / "loans-password", f"{_PASSWORD}\n".encode())
    return {"password": _PASSWORD}


def _with_keys(secrets: Path) -> dict[str, str]:
    """Both sides have a key and the other's public half; a real payee keeps its own at home."""
    for whose in "ours", "payee":
        key = rsa.generate_private_key(65537, 2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        _write(secrets / f"television-{whose}.pem", private)
        _write(secrets / f"television-{whose}.pub", public)
    return {"key": str(secrets / "television-payee.pem"), "asker_key": str(secrets / "television-ours.pub")}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
