"""What is kept of payers' change, as ClickHouse has it, and how much of it a payment is to spend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from console.amounts import minor_units
from console.errors import BadInput
from console.output import major
from console.warehouse import select
from schemas.change import SPENT_MAX, ChangeSpent, account_change, account_meant, mark_of
from schemas.payment import PaymentOrder

# tree, at, kind, amount, balance, currency, payment: minor units.
Line = tuple[str, datetime, str, int, int, str, str]


class Kept(NamedTuple):
    """An account of change: what is on it, minor units, and when it moved last. mark: fingerprint or payment."""

    tree: str
    mark: str
    balance: int
    currency: str
    moved_at: datetime
    is_blocked: bool


def accounts(tree: str | None, only_blocked: bool) -> list[Kept]:
    """Those with something on them and those that are blocked, the oldest first. Raises BadInput, WarehouseAway."""
    query = (
        "SELECT tree, mark, balance, currency, moved_at, is_blocked FROM change_accounts WHERE (is_blocked OR "
        "(balance != 0 AND NOT {only_blocked:Bool})) AND {tree:String} IN ('', tree) ORDER BY moved_at, tree, mark"
    )
    found = select(query, {"only_blocked": only_blocked, "tree": tree or ""})
    return [Kept(row[0], row[1], row[2], row[3], row[4], bool(row[5])) for row in found]


def account_named(code: str | None, payment: str | None) -> str:
    """The account of change under a code, or of a payment that had none. Raises BadInput unless one is given."""
    if (code is None) == (payment is None):
        raise BadInput("say which change: --code, or --payment for change that has no code")
    return account_meant(code, payment)


def statement(account: str) -> list[Line]:
    """Every line of it, a tree's and a currency's together, oldest first. Raises BadInput, WarehouseAway."""
    query = (
        "SELECT book, at, kind, amount, balance, currency, payment_id FROM legs FINAL WHERE account = {account:String} "
        "ORDER BY book, currency, seq"
    )
    found = select(query, {"account": account})
    return [(row[0], row[1], row[2], row[3], row[4], row[5], row[6]) for row in found]


def left_under(code: str, tree: str, currency: str) -> int:
    """What is left under a code in a tree, minor units. The ledger may know of less by now: it judges."""
    lines = [line for line in statement(account_change(mark_of(code))) if (line[0], line[5]) == (tree, currency)]
    return lines[-1][4] if lines else 0


def spent_from(texts: Sequence[str], tree: str, order: PaymentOrder) -> tuple[ChangeSpent, ...]:
    """ "CODE" or "CODE:AMOUNT", each: what the order is to spend. Without an amount all that is left, as far as the

    price goes. Raises BadInput: nothing is left, or nothing of the price.
    """
    if len(texts) > SPENT_MAX:
        raise BadInput(f"a payment spends {SPENT_MAX} codes at most")
    rest, found = order.amount + order.fee, list[ChangeSpent]()
    for text in texts:
        code, _, amount = text.partition(":")
        part = minor_units(amount, order.currency) if amount else min(left_under(code, tree, order.currency), rest)
        if part <= 0:
            why = "nothing is left under it" if rest else f"{major(order.amount + order.fee, order.currency)} is paid"
            raise BadInput(f"--change-code {code}: {why}")
        found.append(ChangeSpent(code=code, amount=part))
        rest = max(0, rest - part)
    return tuple(found)
