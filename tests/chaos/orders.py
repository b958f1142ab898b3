"""What operators do during a run: money arrives, limits and agents move, so that agents run dry and sell again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import NamedTuple

from console.demo_network import CURRENCY, SUBS_PER_TREE, TREES
from console.fleet_kinds import Kind
from console.requests import Request, command_request
from schemas.command import Deposit, SetLimit, TreeCommand
from schemas.envelope import SigningKey
from schemas.pin_seal import PinKey
from schemas.reply import Reply
from tests.chaos.agent_orders import AgentOrders
from tests.chaos.other_orders import OtherOrders
from tests.chaos.registry_files import RegistryPayee

_USUAL_PAYMENT = 52_000  # minor units: about what a payment of the fleet holds on average
_COVERED = 1.2  # of what is spent, in six of ten orders: too little, so that every agent runs out now and then
_LIMITS = (0, 0, 250_000, 1_000_000)


class Order(NamedTuple):
    kind: str
    request: Request


@dataclass
class Operators:
    """About one order a second. Ids are unique by `seed` and `began`; the key is an operator's.

    pin_key: what vouchers are loaded under. registries: where those of the payee that is served by them arrive;
    brought: is told of each file.
    """

    key: SigningKey
    seed: int
    began: int
    pin_key: PinKey
    registries: Path
    brought: Callable[[str, bytes], None]
    _rng: Random = field(init=False)
    _agents: AgentOrders = field(init=False)
    _others: OtherOrders = field(init=False)
    _payee: RegistryPayee = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)
        self._agents = AgentOrders(self._rng, self._id)
        self._payee = RegistryPayee(self.registries, self._id, self.brought)
        self._others = OtherOrders(Random(self.seed + 6), self._id, self.pin_key, lambda: self._payee.newest + 1)

    def orders(self, rate: float, elapsed_s: float) -> Iterator[Order]:
        """What is ordered after `elapsed_s` of sales at `rate` payments a second."""
        if self._rng.randrange(4) == 0:
            yield Order(Kind.GOOD.name, command_request(self._others.next(), self.key))
        tree = self._rng.choice(TREES)
        pick = self._rng.randrange(100)
        if pick < 12:
            command: TreeCommand = self._limit(tree)
        elif pick < 40:
            command = self._agents.next()
        else:
            command = self._deposit(tree, int(rate * elapsed_s * _USUAL_PAYMENT * _COVERED * 2 * self._rng.random()))
        yield Order(Kind.GOOD.name, command_request(command, self.key))
        if pick % 10 == 0:
            yield Order(f"{Kind.REPEAT.name}:at once", command_request(command, self.key))
        if pick % 10 == 1 and isinstance(command, Deposit):
            other = command.model_copy(update={"amount": command.amount + 1})
            yield Order(Kind.CONFLICT.name, command_request(other, self.key))

    def answers(self) -> Iterator[Order]:
        """What a payee says of registries that have come."""
        for command in self._payee.answers():
            yield Order(Kind.GOOD.name, command_request(command, self.key))

    def told(self, reply: Reply) -> None:
        self._payee.told(reply)

    def posted(self, tree: str, payment: str) -> None:
        """A payment that may be asked back."""
        self._agents.posted.append((tree, payment))

    def _deposit(self, tree: str, amount: int) -> Deposit:
        """To a root or one of its sub-agents; the last of these shares the root's money, so that is refused."""
        number = self._rng.choices(range(SUBS_PER_TREE + 1), (6, 3, 3, 1))[0]
        agent = f"{tree}-{number}" if number else tree
        return Deposit(
            id=self._id(), issued_at=datetime.now(UTC), tree=tree, agent=agent, amount=max(1, amount),
            currency=CURRENCY, document=f"paper {self._made}",
        )  # fmt: skip

    def _limit(self, tree: str) -> SetLimit:
        agent = self._rng.choice((f"{tree}-1", f"{tree}-2", f"{tree}-2", tree, f"{tree}-nobody"))
        limit = self._rng.choice(_LIMITS)
        return SetLimit(id=self._id(), issued_at=datetime.now(UTC), tree=tree, agent=agent, overdraft=limit)

    def _id(self) -> str:
        self._made += 1
        return f"chaos.{self.seed}.{self.began}.{self._made}"
