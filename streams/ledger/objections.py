"""Why a payment order cannot be taken: the rules in the order in which they are answered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.entry import PaymentFacts
from schemas.money import Money
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from schemas.refusal import Refusal
from schemas.voucher import no_sealing_key
from streams.ledger.commands import Place
from streams.ledger.limits import barred, over_maximum, over_period, shortfall
from streams.ledger.prices import Price
from streams.ledger.standing import stopped
from streams.ledger.state import AgentState


class Objection(NamedTuple):
    """A refusal and what a person should read; "" leaves it at the refusal's own sentence."""

    refusal: Refusal
    reason: str = ""


def no(reason: str) -> Objection:
    """One that has no code of its own: the sentence says it all."""
    return Objection(Refusal.OTHER, reason)


def objection(
    command: Place,
    chain: Sequence[AgentState],
    price: Price,
    needed: int,
    backlog: Mapping[str, int],
    day: str,
    unspendable: Objection | None = None,
    gateway: str = "",
) -> Objection | None:
    """The first rule, in Refusal's order of precedence, that the order breaks.

    needed: minor units that the agent itself is to give. backlog: how many payments wait for each gateway. day: the
    tree's business day. unspendable: why change the order spends cannot be spent. gateway: through which it would be
    paid.

    A wrong currency comes before everything that compares amounts: until it fits, they mean nothing.
    """
    order, payee = command.order, command.payee
    if not chain:
        return Objection(Refusal.NO_RIGHT, f"agent {order.agent} is not in tree {command.book}")
    if (who := stopped(chain)) is not None:
        return Objection(Refusal.NO_RIGHT, who)
    if payee is None:
        return Objection(Refusal.NO_SUCH_PAYEE)
    if (whose := barred(chain, payee.id)) is not None:
        return Objection(Refusal.PAYEE_UNAVAILABLE, whose)
    if payee.served == "vouchers" and not command.is_sealed:
        return Objection(Refusal.PAYEE_UNAVAILABLE, no_sealing_key(order.terminal))
    return (
        _currency(order, payee, chain[0])
        or _subscriber(order, payee)
        or _amount(order, payee)
        or _fee(order, price)
        or unspendable
        or _limits(chain, order.amount, day)
        or _funds(chain, needed)
        or _backlog(command, gateway or payee.gateway, backlog)
    )


def still_objection(chain: Sequence[AgentState], facts: PaymentFacts, day: str) -> Objection | None:
    """What stands in the way of a payment that waited, now that there is money for it: who may work, and the limits.

    Its price, subscriber and payee were judged when it was received.
    """
    if (who := stopped(chain)) is not None:
        return Objection(Refusal.NO_RIGHT, who)
    if (whose := barred(chain, facts.payee)) is not None:
        return Objection(Refusal.PAYEE_UNAVAILABLE, whose)
    return _limits(chain, facts.amount, day)


def _currency(order: PaymentOrder, payee: Payee, agent: AgentState) -> Objection | None:
    if order.currency != payee.currency:
        return Objection(Refusal.OTHER, f"the payment is in {order.currency}, the payee takes {payee.currency}")
    if order.currency != agent.currency:
        return Objection(Refusal.OTHER, f"agent {agent.id} has no account in {order.currency}, the payment's currency")
    return None


def _subscriber(order: PaymentOrder, payee: Payee) -> Objection | None:
    """Reasons name the field, never its value: payers' data stays out of what people and logs see."""
    given = order.subscriber
    for wanted in payee.fields:
        value = given.get(wanted.name)
        if value is None:
            return Objection(Refusal.BAD_SUBSCRIBER_FORMAT, f"field {wanted.name} is missing")
        if not _pattern(wanted.pattern).fullmatch(value):
            return Objection(Refusal.BAD_SUBSCRIBER_FORMAT, f"field {wanted.name} does not have the payee's format")
    if len(given) > len({wanted.name for wanted in payee.fields}):
        return Objection(Refusal.BAD_SUBSCRIBER_FORMAT, "there are fields the payee does not ask for")
    return None


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    """Compiled as `schemas.payee` tried it: ASCII, since a payee's system knows no other digits."""
    return re.compile(pattern, re.ASCII)


def _amount(order: PaymentOrder, payee: Payee) -> Objection | None:
    if order.amount < payee.min_amount:
        return Objection(Refusal.TOO_SMALL)
    if order.amount > payee.max_amount:
        return Objection(Refusal.TOO_LARGE)
    if payee.denominations and order.amount not in payee.denominations:
        return Objection(Refusal.PAYEE_PROHIBITS, "the payee takes fixed amounts only, and this is none of them")
    return None


def _fee(order: PaymentOrder, price: Price) -> Objection | None:
    total = order.amount + order.fee
    if order.fee != price.fee:
        by = f" by rule {price.rule} of the tariff" if price.rule else ""
        right, said = _words(price.fee, order), _words(order.fee, order)
        return Objection(Refusal.BAD_FEE, f"the fee within {_words(total, order)} is {right}{by}, not {said}")
    spent = order.from_change
    if spent > total:
        paid = f"{_words(spent, order)} of change is spent for amount and fee, {_words(total, order)}"
        return Objection(Refusal.BAD_FEE, f"{paid}: leave the rest")
    if 0 < order.collected < total - spent:
        return Objection(Refusal.BAD_FEE, f"{_paid(order)} is less than amount and fee, {_words(total, order)}")
    if order.collected > total - spent and order.change_to is None:
        return Objection(Refusal.BAD_FEE, f"{_paid(order)} is beyond {_words(total, order)}, and no change_to is given")
    return None


def _paid(order: PaymentOrder) -> str:
    change = f" with {_words(order.from_change, order)} of change" if order.change_from else ""
    return f"collected {_words(order.collected, order)}{change}"


def _words(minor: int, order: PaymentOrder) -> str:
    return f"{Money(minor, order.currency)} {order.currency}"


def _limits(chain: Sequence[AgentState], amount: int, day: str) -> Objection | None:
    if (whose := over_maximum(chain, amount)) is not None:
        return Objection(Refusal.TERMINAL_MAXIMUM, whose)
    if (whose := over_period(chain, amount, day)) is not None:
        return Objection(Refusal.DAILY_LIMIT, whose)
    return None


def _funds(chain: Sequence[AgentState], needed: int) -> Objection | None:
    refusal = shortfall(chain, needed)
    return Objection(refusal) if refusal is not None else None


def _backlog(command: Place, gateway: str, backlog: Mapping[str, int]) -> Objection | None:
    """Nothing is held that would wait too long: a dead payee must not take the money and the memory of all others."""
    waiting = backlog.get(gateway, 0)
    if waiting < command.backlog_max:
        return None
    return Objection(Refusal.TEMPORARY, f"{waiting} payments wait for gateway {gateway} already; repeat later")
