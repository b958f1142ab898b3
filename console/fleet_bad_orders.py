"""Orders that are signed well and still wrong: not an order, not the sender's to make, or against the rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import orjson

from console.fleet_kinds import Kind
from console.fleet_world import FleetPayee, FleetTerminal, Json, World
from schemas.money import MAX_MINOR

# What to sign instead of a good order; None where this world has no such order.
BadOrder = Callable[[Json, FleetPayee, Random], bytes | None]

_NEEDED = ("terminal", "number", "agent", "payee", "subscriber", "amount", "currency", "made_at")
_TEXTS = ("payee", "agent", "currency", "made_at")
_NO_SUBSCRIBERS = ("x?", "0", "-", "абв", "1" * 64)
_WRONG_FEE_TRIES = 1_000


def wrong_for_terminal(terminal: FleetTerminal, order: Json, world: World, rng: Random) -> FleetTerminal:
    """Whose key signs the order instead. Where there is one terminal only, the order names one that is not there."""
    others = [one for one in world.terminals if one.id != terminal.id]
    if others:
        return rng.choice(others)
    order["terminal"] = f"not-{terminal.id}"[:40]
    order["id"] = f"{order['terminal']}.{order['number']}"
    return terminal


def _changed(**changes: object) -> BadOrder:
    return lambda order, to, rng: orjson.dumps({**order, **changes})


def _negative(order: Json, to: FleetPayee, rng: Random) -> bytes:
    return orjson.dumps({**order, "amount": -rng.randrange(0, 10**6)})


def _huge(order: Json, to: FleetPayee, rng: Random) -> bytes:
    """Above the bound, above 64 bits, or far above both: written as text, since orjson stops at 64 bits."""
    digits = str(rng.choice((MAX_MINOR + 1, 2**63, 10**30)))
    return _with_amount(order, digits)


def _not_a_number(order: Json, to: FleetPayee, rng: Random) -> bytes:
    return _with_amount(order, rng.choice(("NaN", "Infinity", "-Infinity")))


def _fraction(order: Json, to: FleetPayee, rng: Random) -> bytes:
    return _with_amount(order, f"{order['amount']}.{rng.randrange(1, 100)}")


def _with_amount(order: Json, text: str) -> bytes:
    return orjson.dumps({**order, "amount": 0}).replace(b'"amount":0', f'"amount":{text}'.encode())


def _missing(order: Json, to: FleetPayee, rng: Random) -> bytes:
    left_out = rng.choice(_NEEDED)
    return orjson.dumps({name: value for name, value in order.items() if name != left_out})


def _text_as_number(order: Json, to: FleetPayee, rng: Random) -> bytes:
    return orjson.dumps({**order, rng.choice(_TEXTS): rng.randrange(10**6)})


def _number_as_text(order: Json, to: FleetPayee, rng: Random) -> bytes:
    name = rng.choice(("amount", "fee", "number"))
    return orjson.dumps({**order, name: str(order[name])})


def _other_number(order: Json, to: FleetPayee, rng: Random) -> bytes:
    return orjson.dumps({**order, "number": order["number"] + 1})


def _bad_subscriber(order: Json, to: FleetPayee, rng: Random) -> bytes | None:
    first = to.payee.fields[0]
    pattern = re.compile(first.pattern, re.ASCII)
    bad = [text for text in _NO_SUBSCRIBERS if not pattern.fullmatch(text)]
    return orjson.dumps({**order, "subscriber": {**order["subscriber"], first.name: rng.choice(bad)}}) if bad else None


def _no_subscriber(order: Json, to: FleetPayee, rng: Random) -> bytes:
    return orjson.dumps({**order, "subscriber": {"no_such_field": "1"}})


def _too_small(order: Json, to: FleetPayee, rng: Random) -> bytes | None:
    low = to.payee.min_amount
    return orjson.dumps({**order, "amount": rng.randrange(1, low)}) if low > 1 else None


def _too_big(order: Json, to: FleetPayee, rng: Random) -> bytes | None:
    high = to.payee.max_amount
    return orjson.dumps({**order, "amount": rng.randint(high + 1, MAX_MINOR)}) if high < MAX_MINOR else None


def _wrong_fee(order: Json, to: FleetPayee, rng: Random) -> bytes | None:
    """The next higher fee that no rule of the tariff finds inside the total: which one holds may change on the way."""
    fees = [] if to.tariff is None else [to.tariff.fee, *(rule.fee for rule in to.tariff.rules if rule.fee is not None)]
    for fee in range(order["fee"] + 1, order["fee"] + _WRONG_FEE_TRIES):
        if all(one.within(order["amount"] + fee) != fee for one in fees):
            return orjson.dumps({**order, "fee": fee})
    return None


BAD_ORDERS: dict[Kind, BadOrder] = {
    Kind.NOT_JSON: lambda order, to, rng: b"pay " + str(order["amount"]).encode(),
    Kind.WRONG_SHAPE: lambda order, to, rng: orjson.dumps([order]),
    Kind.MISSING_FIELD: _missing,
    Kind.EXTRA_FIELD: _changed(discount=100),
    Kind.NUMBER_AS_TEXT: _number_as_text,
    Kind.TEXT_AS_NUMBER: _text_as_number,
    Kind.FRACTION: _fraction,
    Kind.NEGATIVE: _negative,
    Kind.HUGE: _huge,
    Kind.NAN: _not_a_number,
    Kind.UNKNOWN_CURRENCY: _changed(currency="XXX"),
    Kind.OTHER_NUMBER: _other_number,
    Kind.OTHER_AGENT: _changed(agent="somebody-else"),
    Kind.YEAR_9999: _changed(made_at="9999-12-31T23:59:59Z"),
    Kind.YEAR_1: _changed(made_at="0001-01-01T00:00:00+14:00"),
    Kind.NO_SUCH_PAYEE: _changed(payee="no-such-payee"),
    Kind.BAD_SUBSCRIBER: _bad_subscriber,
    Kind.NO_SUBSCRIBER: _no_subscriber,
    Kind.TOO_SMALL: _too_small,
    Kind.TOO_BIG: _too_big,
    Kind.WRONG_FEE: _wrong_fee,
}
