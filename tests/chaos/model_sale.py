"""What must become of a payment order, by the rules as they are documented and not as they are coded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from console.audit_prices import Worked, worked_out
from schemas.entry import PaymentFacts
from schemas.payee import Payee
from schemas.tariff import Tariff
from tests.chaos.model_agents import over, today
from tests.chaos.model_terms import Book, Expected, moves_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


def sold(
    tree: str, book: Book, order: Json, payee: Payee | None, tariff: Tariff | None, at: int, txn: int, is_full: bool
) -> Expected:
    """HELD or DECLINED. order: the payload as it was signed; txn: the next number at the payee.

    is_full: as many payments wait for the payee's gateway as may.
    """
    line = book.line(order["agent"])
    payer = next((agent for agent in line if book.agents[agent].funding == "own"), "")
    amount, fee, collected = order["amount"], order.get("fee", 0), order.get("collected", 0)
    day = today(book, tree, at) if line else ""
    priced_at = min(_ms(order["made_at"]), at) if collected else at
    line_or_self = line or [order["agent"]]
    price = worked_out(tariff, line_or_self, tree, amount, fee, priced_at) if tariff else Worked("", 0, 0, ())
    processing = price.processing
    code = _refusal(book, order, payee, price.fee, line, payer, amount + processing, fee, collected, day)
    code = code or (1 if is_full else 0)
    held = 0 if code else amount + processing
    facts = PaymentFacts(
        id=order["id"],
        number=order["number"],
        terminal=order["terminal"],
        agent=order["agent"],
        payee=order["payee"],
        gateway=payee.gateway if payee else "",
        subscriber=order["subscriber"],
        amount=amount,
        fee=fee,
        processing=0 if code else processing,
        collected=collected,
        currency=order["currency"],
        txn=0 if code else txn,
        tariff_version=tariff.version if tariff else 0,
        payer_agent=payer,
        held=held,
        rewards=() if code else price.rewards,
        made_at=_ms(order["made_at"]),
        received_at=at,
        day="" if code else day,
        chain=() if code else tuple(line),
        tariff_rule=price.rule,
    )
    moves = moves_of(order["currency"], (f"agent:{payer}", -held), (f"hold:{payer}", held))
    return Expected("DECLINED" if code else "HELD", code, moves, facts=facts, fields=_fields(order, payee))


def _refusal(
    book: Book, order: Json, payee: Payee | None, right_fee: int, line: list[str], payer: str,
    needed: int, fee: int, collected: int, day: str,
) -> int:  # fmt: skip
    """The code, 0: none."""
    amount = order["amount"]
    if not line or any(book.agents[name].status != "open" for name in line):
        return 133
    if payee is None:
        return 6
    if any(book.agents[name].payees and payee.id not in book.agents[name].payees for name in line):
        return 155
    if order["currency"] != payee.currency or order["currency"] != book.agents[line[0]].currency:
        return 300
    if not _fits(order["subscriber"], payee):
        return 4
    if amount < payee.min_amount:
        return 241
    if amount > payee.max_amount:
        return 242
    if payee.denominations and amount not in payee.denominations:
        return 7
    if fee != right_fee or collected not in (0, amount + fee):
        return 255
    if code := over(book, line, amount, day):
        return code
    if book.may_spend(payer) < needed:
        return 220 if payer == line[0] else 280
    return 280 if any(book.may_spend(above) < 0 for above in line[line.index(payer) + 1 :]) else 0


def _fits(given: dict[str, str], payee: Payee) -> bool:
    wanted = {field.name: field.pattern for field in payee.fields}
    return given.keys() == wanted.keys() and all(_matches(wanted[name], value) for name, value in given.items())


@lru_cache(maxsize=10_000)
def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value, re.ASCII) is not None


def _fields(order: Json, payee: Payee | None) -> tuple[str, ...]:
    """The payee's order; what it does not ask for comes last."""
    given = list(order["subscriber"])
    asked = [field.name for field in payee.fields if field.name in given] if payee else []
    return tuple(asked + [name for name in given if name not in asked])


def _ms(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
