"""The messages of a simulated fleet, from a seed: good payments and bad input, each with what must become of it.

Pure: no clock, no I/O. The same world, seed and share of bad input give the same messages (with Ed25519 keys to the
byte: ES256 signatures are random).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import orjson

from console.fleet_bad_orders import BAD_ORDERS, wrong_for_terminal
from console.fleet_forgeries import FORGERIES
from console.fleet_kinds import BAD, EXPECTED, Expected, Kind
from console.fleet_world import FleetTerminal, Json, Orders, World

_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class FleetMessage:
    """One record for topic `payments`.

    id: the payment's, by which replies are matched; "" when the server cannot know it and nobody is answered.
    """

    kind: Kind
    key: bytes
    value: bytes
    expected: Expected
    terminal: str
    id: str


def messages(world: World, seed: int, count: int, bad_bps: int) -> Iterator[FleetMessage]:
    """`count` messages, of which `bad_bps` hundredths of a per cent are bad, all kinds alike.

    A kind that cannot be made in this world (an amount below a minimum of one minor unit) gives way to another.
    """
    maker = _Maker(Orders(world, Random(seed)))
    for _ in range(count):
        yield maker.bad() if maker.rng.randrange(10_000) < bad_bps else maker.good()


class _Maker:
    """Makes one message after another and remembers good ones, to repeat them."""

    def __init__(self, orders: Orders) -> None:
        self.rng = orders.rng
        self._orders = orders
        self._sent: deque[tuple[FleetTerminal, Json, bytes]] = deque(maxlen=_REMEMBERED)

    def good(self) -> FleetMessage:
        terminal = self._orders.next_terminal()
        order = self._orders.order(terminal, self._orders.payee_for(terminal))
        value = terminal.key.sign(orjson.dumps(order))
        self._sent.append((terminal, order, value))
        return _message(Kind.GOOD, terminal, value, order)

    def bad(self) -> FleetMessage:
        """Some kind that can be made now; most of them always can."""
        while True:
            made = self._make(self.rng.choice(BAD))
            if made is not None:
                return made

    def _make(self, kind: Kind) -> FleetMessage | None:
        if kind in (Kind.REPEAT, Kind.CONFLICT):
            return self._again(kind)
        terminal = self._orders.next_terminal()
        to = self._orders.payee_for(terminal)
        order = self._orders.order(terminal, to)
        if kind is Kind.WRONG_KEY:
            return _message(kind, terminal, terminal.key.sign(orjson.dumps(order)), order, key=self.rng.randbytes(8))
        if kind in FORGERIES:
            return _message(kind, terminal, FORGERIES[kind](order, terminal.key, self.rng), None)
        if kind is Kind.OTHER_TERMINAL:
            signer = wrong_for_terminal(terminal, order, self._orders.world, self.rng)
            return _message(kind, terminal, signer.key.sign(orjson.dumps(order)), order)
        payload = BAD_ORDERS[kind](order, to, self.rng)
        if payload is None:
            return None
        return _message(kind, terminal, terminal.key.sign(payload), _told_apart(payload))

    def _again(self, kind: Kind) -> FleetMessage | None:
        if not self._sent:
            return None
        terminal, order, value = self.rng.choice(self._sent)
        if kind is Kind.CONFLICT:
            value = terminal.key.sign(orjson.dumps({**order, "amount": order["amount"] + 1}))
        return _message(kind, terminal, value, order)


def _message(
    kind: Kind, terminal: FleetTerminal, value: bytes, order: Json | None, *, key: bytes | None = None
) -> FleetMessage:
    """`order` is what the server can read of it once it believes the sender; None: it never does."""
    payment = str(order["id"]) if order is not None else ""
    return FleetMessage(kind, key or terminal.tree.encode(), value, EXPECTED[kind], terminal.id, payment)


def _told_apart(payload: bytes) -> Json | None:
    """The payload when it is an object with a textual id, which a rejection can name."""
    try:
        read = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return read if isinstance(read, dict) and isinstance(read.get("id"), str) else None
