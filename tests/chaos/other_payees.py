"""Payees that are not simply asked: one is sold from stock, one is served by registry, one is reached by two routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import Any

from agents.gateways.simulator_faults import Behaviour
from console import demo_network as network
from console.fleet_world import FleetPayee, FleetTerminal
from schemas.command import DirectoryCommand, SetGateway, SetPayee, SetTariff, SetTerminal
from schemas.gateway import Gateway
from schemas.offline import FileDrop, OfflineTerms
from schemas.payee import Payee, SubscriberField
from schemas.route import Route
from schemas.tariff import Rate, Tariff
from schemas.terminal import Terminal
from streams.keyring import ensure_sealing_key
from streams.settings import Settings

CARD, HEATING, ROADS = "card", "heating", "roads"
NEAR, FAR = "roads-near", "roads-far"
PIN_KEY = "v1"
FACE, COST = 50_000, 48_000  # minor units

_CUT_OFF = "* * * * *"  # a business day of a minute


def payees() -> list[Payee]:
    common: dict[str, Any] = {"currency": network.CURRENCY, "max_amount": 1_500_000}
    fields = (SubscriberField(name="account", title="Contract", pattern=r"\d{8}"),)
    terms = OfflineTerms(cut_off=_CUT_OFF, delivery=FileDrop(directory=HEATING))
    routes = Route(gateway=NEAR, priority=1), Route(gateway=FAR, priority=2)
    return [
        Payee(id=CARD, name="Game card", gateway="none", fields=fields, denominations=(FACE,), served="vouchers",
              **common),
        Payee(id=HEATING, name="Heating", gateway="none", fields=fields, served="offline", offline=terms,
              min_amount=1_000, **common),
        Payee(id=ROADS, name="Roads", gateway=FAR, fields=fields, routes=routes, min_amount=1_000, **common),
    ]  # fmt: skip


def tariff(payee: str) -> Tariff:
    if payee == CARD:
        return Tariff(payee=CARD, reward=Rate(rate_bps=200), reward_shares_bps=(10_000,))
    return network.tariff(payee)


def receivers(seed: int) -> tuple[list[FleetPayee], list[FleetPayee]]:
    """Those that are simply asked, and the others."""
    rng = Random(seed)
    return (
        [FleetPayee.of(payee, network.tariff(payee.id), rng) for payee in network.payees()],
        [FleetPayee.of(payee, tariff(payee.id), rng) for payee in payees()],
    )


def behaviours() -> dict[str, Behaviour]:
    """The near gateway is often ill when it is asked, and for some subscribers it always is: then the far one pays."""
    return {NEAR: Behaviour(http_500_pct=20, decline_pct=10, decline_code=8), FAR: Behaviour()}


def commands(
    settings: Settings, url_of: Callable[[str], str], fleet: Sequence[FleetTerminal]
) -> Iterator[DirectoryCommand]:
    """The payees, and the terminals again with the keys that PINs are sealed to."""
    for name in NEAR, FAR:
        gateway = Gateway(
            id=name, protocol="osmp", url=url_of(name), time_out_ms=1_500, connections=30, retry=network.RETRY
        )  # fmt: skip
        yield _order(SetGateway, name, gateway=gateway)
    for payee in payees():
        yield _order(SetPayee, payee.id, payee=payee)
        yield _order(SetTariff, payee.id, tariff=tariff(payee.id))
    for one in fleet:
        sealing = ensure_sealing_key(settings, one.id).public()
        record = Terminal(id=one.id, agent=one.agent, tree=one.tree, keys=(one.key.public(),), sealing=sealing)
        yield _order(SetTerminal, one.id, terminal=record)


def pin_of(serial: str) -> str:
    """The PIN on the voucher with this serial."""
    return blake2b(serial.encode(), digest_size=6).hexdigest()


def takes(txn: int) -> bool:
    """Does the payee that is served by registry accept the line with this number?"""
    return txn % 9 != 0


def _order(kind: type[Any], about: str, **content: Any) -> DirectoryCommand:
    command: DirectoryCommand = kind(id=f"others.{kind.__name__}.{about}", issued_at=datetime.now(UTC), **content)
    return command
