"""The network of the demo: three trees with twelve agents, forty terminals, five payees on the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from agents.gateways.simulator_faults import Behaviour
from console.fleet_world import FleetTerminal
from schemas.command import (
    Deposit,
    DirectoryCommand,
    OpenAgent,
    SetGateway,
    SetPayee,
    SetTariff,
    SetTerminal,
    TreeCommand,
)
from schemas.gateway import Gateway, RetrySchedule
from schemas.payee import Payee, SubscriberField
from schemas.tariff import Fee, Rate, Tariff, TariffRule
from schemas.terminal import Terminal
from streams.keyring import ensure_terminal_key
from streams.settings import Settings

CURRENCY = "RUB"
TREES = ("volga", "neva", "oka")
SUBS_PER_TREE = 3
TERMINALS = 40

# The demo is impatient so that it ends: a real network waits a minute and asks for hours.
_RETRY = RetrySchedule(interval_ms=300, factor_pct=130, budget=25)
_PHONE = SubscriberField(name="account", title="Phone number", pattern=r"9\d{9}")
_CONTRACT = SubscriberField(name="account", title="Contract", pattern=r"\d{8}")

BEHAVIOURS = {
    "mobile": Behaviour(),
    "electro": Behaviour(delay_ms=100, jitter_ms=100, cp1251=True),  # slow
    "water": Behaviour(time_out_after_accept_pct=4, http_500_pct=2, temporary_pct=3),  # takes the money, says nothing
    "internet": Behaviour(decline_pct=15),  # does not know every subscriber
    "transit": Behaviour(not_finished_pct=10, broken_xml_pct=3),
}
_ZONES = {"mobile": "Europe/Moscow", "electro": "Europe/Samara", "transit": "Asia/Yekaterinburg"}

Command = TreeCommand | DirectoryCommand


def payees() -> list[Payee]:
    return [
        Payee(
            id=name,
            name=name.capitalize(),
            gateway=name,
            currency=CURRENCY,
            fields=(_PHONE if name == "mobile" else _CONTRACT,),
            min_amount=1_000,
            max_amount=1_500_000,
            time_zone=_ZONES.get(name, "UTC"),
            skip_check=name == "transit",
        )
        for name in BEHAVIOURS
    ]


def tariff(payee: str) -> Tariff:
    """Own prices, and rules. Those by time change no fee, so that an order is right whenever it arrives."""
    fee = Fee(rate_bps=500, base="collected") if payee in ("mobile", "internet") else Fee(rate_bps=200, min_minor=500)
    small = TariffRule(name="small", amount_to=10_000, fee=Fee(min_minor=300))
    evening = TariffRule(
        name="evening", time_from="18:00", time_to="24:00", amount_from=10_000, reward=Rate(rate_bps=300)
    )
    weekend = TariffRule(
        name="weekend", weekdays=("sat", "sun"), amount_from=10_000, reward=Rate(rate_bps=250, rounding="half")
    )
    own = TariffRule(name="own", agent="neva/neva-1", fee=Fee(rate_bps=300, min_minor=200), reward_shares_bps=(6_000,))
    friends = TariffRule(name="friends", group="friends", amount_from=50_000, processing=Rate(rate_bps=50))
    return Tariff(
        payee=payee,
        time_zone=_ZONES.get(payee, "UTC"),
        groups={"friends": ("volga/volga-1", "oka/oka-2")} if payee == "mobile" else {},
        rules=(small, evening, weekend, own, friends) if payee == "mobile" else (small, weekend),
        fee=fee,
        processing=Rate(rate_bps=100),
        reward=Rate(rate_bps=200),
        reward_shares_bps=(5_000, 2_500),
    )


def terminals(settings: Settings) -> list[FleetTerminal]:
    """Forty terminals, dealt out to the sub-agents; their keys are made on this machine."""
    subs = [(tree, f"{tree}-{number}") for tree in TREES for number in range(1, SUBS_PER_TREE + 1)]
    dealt = [(f"kiosk-{number}", *subs[number % len(subs)]) for number in range(1, TERMINALS + 1)]
    return [
        FleetTerminal(name, agent, tree, CURRENCY, ensure_terminal_key(settings, name)) for name, tree, agent in dealt
    ]


def first_commands(url_of: Callable[[str], str], fleet: list[FleetTerminal]) -> Iterator[Command]:
    """What does not depend on anything: agents' roots, gateways, payees, tariffs, terminals."""
    for tree in TREES:
        yield _order(OpenAgent, tree, tree=tree, agent=tree, name=tree.capitalize(), currency=CURRENCY)
    for payee in payees():
        gateway = Gateway(
            id=payee.id, protocol="osmp", url=url_of(payee.id), time_out_ms=1_500, connections=30, retry=_RETRY
        )
        yield _order(SetGateway, payee.id, gateway=gateway)
        yield _order(SetPayee, payee.id, payee=payee)
        yield _order(SetTariff, payee.id, tariff=tariff(payee.id))
    for one in fleet:
        record = Terminal(id=one.id, agent=one.agent, tree=one.tree, keys=(one.key.public(),))
        yield _order(SetTerminal, one.id, terminal=record)


def sub_agents() -> Iterator[Command]:
    """Under each root: one on its own money, one with an overdraft and little else, one on the root's money."""
    for tree in TREES:
        for number in range(1, SUBS_PER_TREE + 1):
            name = f"{tree}-{number}"
            terms: dict[str, Any] = {"funding": "shared"} if number == 3 else {}
            if number == 2:
                terms["overdraft"] = 500_000
            yield _order(OpenAgent, name, tree=tree, agent=name, parent=tree, name=name, currency=CURRENCY, **terms)


def deposits(*, enough: bool = False) -> Iterator[Command]:
    """Not enough for all: the second sub-agents, and what the third ones share, run out on the way."""
    for tree in TREES:
        for agent, amount in ((tree, 20_000_000), (f"{tree}-1", 90_000_000), (f"{tree}-2", 15_000_000)):
            amount *= 1_000 if enough else 1
            yield _order(
                Deposit, agent, tree=tree, agent=agent, amount=amount, currency=CURRENCY, document=f"demo {agent}"
            )


def _order(kind: type[Any], about: str, **content: Any) -> Command:
    command: Command = kind(id=f"demo.{kind.__name__}.{about}", issued_at=datetime.now(UTC), **content)
    return command
