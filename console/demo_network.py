"""The network of the demo: three trees of three levels, forty terminals, five payees on the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from agents.gateways.simulator_faults import Behaviour
from console.fleet_world import FleetTerminal
from schemas.agent_command import Transfer
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
SUBS_PER_TREE = 3  # right below the root; under the first and the last of them there is one more
TERMINALS = 40

# The demo is impatient so that it ends: a real network waits a minute and asks for hours.
RETRY = RetrySchedule(interval_ms=300, factor_pct=130, budget=25)
_PHONE = SubscriberField(name="account", title="Phone number", pattern=r"9\d{9}")
_CONTRACT = SubscriberField(name="account", title="Contract", pattern=r"\d{8}")

BEHAVIOURS = {
    "mobile": Behaviour(options={"debtors": "1"}),  # tells names and debts when it is asked
    "electro": Behaviour(delay_ms=100, jitter_ms=100, cp1251=True),  # slow
    "water": Behaviour(time_out_after_accept_pct=4, http_500_pct=2, temporary_pct=3),  # takes the money, says nothing
    "internet": Behaviour(decline_pct=15),  # does not know every subscriber
    "transit": Behaviour(not_finished_pct=10, broken_reply_pct=3),
}
# Electro would book a payment again that it is sent again: it is sent once, and then asked for its status.
_DIALECTS: dict[str, dict[str, Any]] = {
    # What it is asked to pay never leaves twice: where a worker died in between, an operator decides, and soon.
    "electro": {"options": {"repeats": "never"}, "asks": ("status",), "retry": RETRY.model_copy(update={"budget": 8})},
    "water": {"asks": ("status",)},
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
            reversal_s=86_400 if name == "mobile" else 0,
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


def agents_below(tree: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The sub-agents of a tree, each with the one above it and its terms; those above come first.

    On their own money: the first, the second (with an overdraft), and the one below the first, whom the first funds.
    The third spends the root's, and the one below it with it.
    """
    first, second, third = (f"{tree}-{number}" for number in range(1, SUBS_PER_TREE + 1))
    return [
        (first, tree, {}),
        (second, tree, {"overdraft": 500_000}),
        (third, tree, {"funding": "shared"}),
        (f"{first}-1", first, {}),
        (f"{third}-1", third, {"funding": "shared"}),
    ]


def terminals(settings: Settings) -> list[FleetTerminal]:
    """Forty terminals, dealt out to the sub-agents; their keys are made on this machine."""
    subs = [(tree, name) for tree in TREES for name, _, _ in agents_below(tree)]
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
            id=payee.id, protocol="osmp", url=url_of(payee.id), time_out_ms=1_500, connections=30,
            cancels=payee.id == "mobile", **{"retry": RETRY, **_DIALECTS.get(payee.id, {})},
        )  # fmt: skip
        yield _order(SetGateway, payee.id, gateway=gateway)
        yield _order(SetPayee, payee.id, payee=payee)
        yield _order(SetTariff, payee.id, tariff=tariff(payee.id))
    for one in fleet:
        record = Terminal(id=one.id, agent=one.agent, tree=one.tree, keys=(one.key.public(),))
        yield _order(SetTerminal, one.id, terminal=record)


def sub_agents() -> Iterator[Command]:
    """Everybody below the roots."""
    for tree in TREES:
        for name, parent, terms in agents_below(tree):
            yield _order(OpenAgent, name, tree=tree, agent=name, parent=parent, name=name, currency=CURRENCY, **terms)


def deposits(*, enough: bool = False) -> Iterator[Command]:
    """Not enough for all: the second sub-agents, and what the third ones share, run out on the way."""
    times = 1_000 if enough else 1
    for tree in TREES:
        for agent, amount in ((tree, 25_000_000), (f"{tree}-1", 85_000_000), (f"{tree}-2", 12_000_000)):
            yield _order(
                Deposit, agent, tree=tree, agent=agent, amount=amount * times, currency=CURRENCY,
                document=f"demo {agent}",
            )  # fmt: skip
        below = f"{tree}-1-1"
        yield _order(
            Transfer, below, tree=tree, giver=f"{tree}-1", taker=below, amount=40_000_000 * times, currency=CURRENCY,
            document=f"demo {below}",
        )  # fmt: skip


def _order(kind: type[Any], about: str, **content: Any) -> Command:
    command: Command = kind(id=f"demo.{kind.__name__}.{about}", issued_at=datetime.now(UTC), **content)
    return command
