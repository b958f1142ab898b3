"""What must become of a payment order, by the rules as they are documented and not as they are coded."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from console.audit_prices import Worked, worked_out
from schemas.command import ResolvePayment
from schemas.entry import PaymentFacts
from schemas.payee import Payee
from schemas.tariff import Tariff
from tests.chaos.model_agents import over, today
from tests.chaos.model_change import not_spent, spent_of
from tests.chaos.model_terms import Book, Expected, Moves, Sale, kept_for, moves_of

_LINE = 1_000
_FOR_FUNDS = (220, 280)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


def sold(
    tree: str, book: Book, order: Json, payee: Payee | None, tariff: Tariff | None, at: int, txn: int, is_full: bool,
    waiting: Counter[str], gateways: tuple[str, ...], *, is_bare: bool = False,
) -> Expected:  # fmt: skip
    """HELD, WAITING_FUNDS or DECLINED. order: the payload as it was signed; txn: the next number at the payee.

    is_full: as many payments wait for the payee's gateway as may. waiting: payer -> how many wait for its money.
    gateways: in the order in which they are asked.
    is_bare: the terminal has no sealing key, and a voucher is asked for.
    """
    line = book.line(order["agent"])
    payer = next((agent for agent in line if book.agents[agent].funding == "own"), "")
    amount, fee, collected = order["amount"], order.get("fee", 0), order.get("collected", 0)
    day = today(book, tree, at, order["currency"]) if line else ""
    priced_at = min(_ms(order["made_at"]), at) if collected else at
    line_or_self = line or [order["agent"]]
    price = worked_out(tariff, line_or_self, tree, amount, fee, priced_at) if tariff else Worked("", 0, 0, ())
    processing = price.processing
    spent = spent_of(order)
    rest = amount + fee - sum(spent.values())
    needed = amount + processing - sum(spent.values()) + (max(0, collected - rest) if collected else 0)
    code = _refusal(book, order, payee, price.fee, line, payer, needed, fee, collected, day, is_bare=is_bare)
    if not code and waiting[payer]:
        code = 220 if payer == line[0] else 280
    code = code or (1 if is_full else 0)
    kind, code, given_back = _course(book, order, payer, code, collected, waiting[payer])
    is_priced = kind == "HELD" or (kind == "WAITING_FUNDS" and code in _FOR_FUNDS and not spent)
    held = amount + processing if is_priced else 0
    facts = PaymentFacts(
        id=order["id"],
        number=order["number"],
        terminal=order["terminal"],
        agent=order["agent"],
        payee=order["payee"],
        gateway=gateways[0],
        subscriber=order["subscriber"],
        amount=amount,
        fee=fee,
        processing=processing if is_priced else 0,
        collected=collected,
        currency=order["currency"],
        txn=txn if kind == "HELD" else 0,
        tariff_version=tariff.version if tariff else 0,
        payer_agent=payer,
        held=held,
        rewards=price.rewards if is_priced else (),
        made_at=_ms(order["made_at"]),
        received_at=at,
        day=day if kind == "HELD" else "",
        chain=tuple(line) if kind == "HELD" else (),
        tariff_rule=price.rule,
        change_to=order.get("change_to", ""),
        spent=tuple(spent.items()) if kind == "HELD" else (),
        served="" if payee is None or payee.served == "online" else payee.served,
        routes=gateways[1:],
    )
    moves = _hold(facts) if kind == "HELD" else ()
    if given_back:
        moves = moves_of(facts.currency, *kept_for(facts, collected))
    return Expected(kind, code, moves, facts=facts, fields=_fields(order, payee))


def taken_up(book: Book, sale: Sale, txn: int, at: int) -> Expected | None:
    """HELD at last, or declined at last; None: there is no money for it yet."""
    facts, code = sale.facts, sale.refusal
    coin = facts.currency
    if not book.has(facts.payer_agent, facts.held + facts.change if facts.held else facts.collected, coin):
        return None
    if facts.held:
        line = book.line(facts.agent)
        day = today(book, sale.book, at, coin)
        if not (code := _forbidden(book, line, facts, day)):
            facts = replace(facts, txn=txn, held_at=at, day=day, chain=tuple(line))
            return Expected("HELD", 0, _hold(facts), facts=facts, fields=tuple(facts.subscriber))
        if not book.has(facts.payer_agent, facts.collected, coin):
            return None
    moves = moves_of(facts.currency, *kept_for(facts, facts.collected))
    return Expected("DECLINED", code, moves, facts=facts, fields=tuple(facts.subscriber))


def given_up(book: Book, sale: Sale, order: ResolvePayment) -> Expected | None:
    """An operator lets a payment wait no longer; None: that cannot be, or there is no money to give the cash back."""
    facts = sale.facts
    if order.paid or order.id == facts.id or not book.has(facts.payer_agent, facts.collected, facts.currency):
        return None
    moves = moves_of(facts.currency, *kept_for(facts, facts.collected))
    return Expected("DECLINED", 300, moves, facts=facts, fields=tuple(facts.subscriber))


def _forbidden(book: Book, line: list[str], facts: PaymentFacts, day: str) -> int:
    """What may have come in between: somebody was stopped, a payee is not permitted any more, a maximum is reached."""
    if any(book.agents[name].status != "open" for name in line):
        return 133
    if any(book.agents[name].payees and facts.payee not in book.agents[name].payees for name in line):
        return 155
    return over(book, line, facts.amount, day, facts.currency)


def _hold(facts: PaymentFacts) -> Moves:
    payer = facts.payer_agent
    used = sum(amount for _, amount in facts.spent)
    taken = [(f"change:{mark}", -amount) for mark, amount in facts.spent]
    held = (f"agent:{payer}", used - facts.held), (f"hold:{payer}", facts.held)
    beyond = max(0, facts.collected - (facts.amount + facts.fee - used)) if facts.collected else 0
    return moves_of(facts.currency, *taken, *held, *kept_for(facts, beyond))


def _course(
    book: Book, order: Json, payer: str, code: int, collected: int, waiting: int
) -> tuple[str, int, bool]:  # fmt: skip
    """State, code, and whether the cash is kept for the payer at once."""
    if not code:
        return "HELD", 0, False
    if not collected or not payer or book.agent_in(order["agent"], order["currency"]) is None:
        return "DECLINED", code, False
    may_wait = code in _FOR_FUNDS and not order.get("change_from")
    if not may_wait and not waiting and book.has(payer, collected, order["currency"]):
        return "DECLINED", code, True
    return ("WAITING_FUNDS", code, False) if waiting < _LINE else ("DECLINED", 1, False)


def _refusal(
    book: Book, order: Json, payee: Payee | None, right_fee: int, line: list[str], payer: str,
    needed: int, fee: int, collected: int, day: str, *, is_bare: bool,
) -> int:  # fmt: skip
    """The code, 0: none."""
    amount = order["amount"]
    if not line or any(book.agents[name].status != "open" for name in line):
        return 133
    if payee is None:
        return 6
    if any(book.agents[name].payees and payee.id not in book.agents[name].payees for name in line):
        return 155
    if is_bare:
        return 155
    if order["currency"] != payee.currency or book.agent_in(line[0], order["currency"]) is None:
        return 300
    if not _fits(order["subscriber"], payee):
        return 4
    if amount < payee.min_amount:
        return 241
    if amount > payee.max_amount:
        return 242
    if payee.denominations and amount not in payee.denominations:
        return 7
    rest = amount + fee - sum(spent_of(order).values())
    if fee != right_fee or rest < 0 or 0 < collected < rest or (collected > rest and not order.get("change_to")):
        return 255
    if code := not_spent(book, order):
        return code
    coin = order["currency"]
    if code := over(book, line, amount, day, coin):
        return code
    if book.may_spend(payer, coin) < needed:
        return 220 if payer == line[0] else 280
    return 280 if any(book.may_spend(above, coin) < 0 for above in line[line.index(payer) + 1 :]) else 0


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
