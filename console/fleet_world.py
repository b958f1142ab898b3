"""What a simulated fleet knows: its terminals with their keys, and the payees it may pay. Orders made from a seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from console.errors import BadInput
from console.fees import fee_on_top
from schemas.envelope import SigningKey
from schemas.ids import instant_ms
from schemas.payee import Payee
from schemas.tariff import Tariff
from streams.ledger.tariff_choice import agent_path

Json = dict[str, Any]

_LARGEST_USUAL = 100_000  # minor units: a fleet pays small amounts, so that a deposit lasts
_TRIES = 300
_NOTE = 10_000  # minor units


@dataclass(frozen=True, slots=True)
class FleetTerminal:
    """An enrolled terminal; `first_number` is the first running number that nobody has used."""

    id: str
    agent: str
    tree: str
    currency: str
    key: SigningKey
    first_number: int = 1


@dataclass(frozen=True, slots=True)
class FleetPayee:
    """A payee with its tariff and, for each of its fields, a few values that it takes."""

    payee: Payee
    tariff: Tariff | None
    values: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, payee: Payee, tariff: Tariff | None, rng: Random) -> FleetPayee:
        """Raises BadInput when no value for a field can be made up."""
        values = {field.name: made_up(field.pattern, rng, f"{payee.id}.{field.name}") for field in payee.fields}
        return cls(payee, tariff, values)


@dataclass(frozen=True, slots=True)
class World:
    """`at` is the time of the run's first order; each further one is made a millisecond later.

    cash_bps: for how many orders the cash is taken first, in notes, hundredths of a per cent.
    """

    terminals: Sequence[FleetTerminal]
    payees: Sequence[FleetPayee]
    at: datetime
    cash_bps: int = 0


@dataclass(slots=True)
class Orders:
    """Makes good orders, one terminal after another; the same seed and world make the same orders."""

    world: World
    rng: Random
    _made: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)

    def next_terminal(self) -> FleetTerminal:
        """Terminals take turns, so that each needs as many numbers as any other."""
        self._made += 1
        return self.world.terminals[(self._made - 1) % len(self.world.terminals)]

    def payee_for(self, terminal: FleetTerminal) -> FleetPayee:
        """One of the payees that take the terminal's currency."""
        return self.rng.choice([one for one in self.world.payees if one.payee.currency == terminal.currency])

    def order(self, terminal: FleetTerminal, to: FleetPayee) -> Json:
        """The content of an order that breaks no rule, under the terminal's next number."""
        number = self._numbers.get(terminal.id, terminal.first_number)
        self._numbers[terminal.id] = number + 1
        amount, fee = self._amount(terminal, to)
        content = {
            "id": f"{terminal.id}.{number}",
            "terminal": terminal.id,
            "number": number,
            "agent": terminal.agent,
            "payee": to.payee.id,
            "subscriber": {name: self.rng.choice(values) for name, values in to.values.items()},
            "amount": amount,
            "fee": fee,
            "currency": terminal.currency,
            "made_at": (self.world.at + timedelta(milliseconds=self._made)).isoformat(timespec="milliseconds"),
        }
        if self.world.cash_bps and self.rng.randrange(10_000) < self.world.cash_bps:
            content |= self._cash(amount + fee)
        return content

    def _cash(self, price: int) -> Json:
        """As many notes as it takes; what is beyond the price is change, under a code that nobody here keeps."""
        put_in = -(-price // _NOTE) * _NOTE
        code = f"{self.rng.getrandbits(128):032x}"
        return {"collected": put_in} | ({"change_to": code} if put_in > price else {})

    def _amount(self, terminal: FleetTerminal, to: FleetPayee) -> tuple[int, int]:
        """(amount, fee): within the payee's bounds and right by its tariff as it is when the run begins."""
        agent, at = agent_path(terminal.tree, terminal.agent), instant_ms(self.world.at)
        low = to.payee.min_amount
        high = max(low, min(to.payee.max_amount, _LARGEST_USUAL))
        for _ in range(_TRIES):
            amount = self.rng.choice(to.payee.denominations) if to.payee.denominations else self.rng.randint(low, high)
            fee = fee_on_top(to.tariff, amount, agent, at)
            if fee is not None:
                return amount, fee
        raise BadInput(f"no amount can be paid to {to.payee.id}: its tariff asks a fee that nothing fits")


def made_up(pattern: str, rng: Random, what: str) -> tuple[str, ...]:
    """A few digit strings the pattern takes, with or without a plus. Raises BadInput when none is found."""
    wanted = re.compile(pattern, re.ASCII)
    found: list[str] = []
    for length in range(1, 25):
        for _ in range(_TRIES):
            digits = "".join(rng.choices("0123456789", k=length))
            found += [text for text in (digits, f"+{digits}") if wanted.fullmatch(text)]
            if len(found) >= 20:
                return tuple(found)
    if not found:
        raise BadInput(f"cannot make up a value for {what}, whose pattern is {pattern!r}: name other payees by --payee")
    return tuple(found)
