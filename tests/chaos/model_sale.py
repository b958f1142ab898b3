"""What must become of a payment order, by the rules as they are documented and not as they are coded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from schemas.entry import PaymentFacts
from schemas.payee import Payee
from schemas.tariff import Fee, Rate, Tariff
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
    processing = part(amount, tariff.processing) if tariff else 0
    day = today(book, tree, at) if line else ""
    code = _refusal(book, order, payee, tariff, line, payer, amount + processing, fee, collected, day)
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
        rewards=() if code else _rewards(tariff, amount, line),
        made_at=_ms(order["made_at"]),
        received_at=at,
        day="" if code else day,
        chain=() if code else tuple(line),
    )
    moves = moves_of(order["currency"], (f"agent:{payer}", -held), (f"hold:{payer}", held))
    return Expected("DECLINED" if code else "HELD", code, moves, facts=facts, fields=_fields(order, payee))


def part(amount: int, rate: Rate) -> int:
    """A percentage, rounded down, not less than the floor and not more than the ceiling."""
    found = max(amount * rate.rate_bps // 10_000, rate.min_minor)
    return found if rate.max_minor is None else min(found, rate.max_minor)


def _refusal(
    book: Book, order: Json, payee: Payee | None, tariff: Tariff | None, line: list[str], payer: str,
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
    if fee != (_on_top(amount + fee, tariff.fee) if tariff else 0) or collected not in (0, amount + fee):
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


def _on_top(total: int, fee: Fee) -> int:
    """The fee in everything that was put in."""
    if fee.base == "collected":
        return part(total, fee)
    found = max(total - total * 10_000 // (10_000 + fee.rate_bps), fee.min_minor)
    return found if fee.max_minor is None else min(found, fee.max_minor)


def _rewards(tariff: Tariff | None, amount: int, line: list[str]) -> tuple[tuple[str, int], ...]:
    if tariff is None:
        return ()
    total = rest = part(amount, tariff.reward)
    found = []
    for agent, bps in zip(line, tariff.reward_shares_bps, strict=False):
        share = total * bps // 10_000
        rest -= share
        found.append((f"agent:{agent}", share))
    return tuple((account, share) for account, share in (*found, ("reward", rest)) if share)


def _fields(order: Json, payee: Payee | None) -> tuple[str, ...]:
    """The payee's order; what it does not ask for comes last."""
    given = list(order["subscriber"])
    asked = [field.name for field in payee.fields if field.name in given] if payee else []
    return tuple(asked + [name for name in given if name not in asked])


def _ms(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
