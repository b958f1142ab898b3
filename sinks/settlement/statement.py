"""An agent's statement: opening balance, every movement in words, and the balance that the next one opens with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clickhouse_connect.driver.client import Client

from schemas.ids import account_agent, ms_instant
from schemas.money import Money
from sinks.settlement.windows import SettlementError, find_window, positions_of
from sinks.warehouse import rows


@dataclass(frozen=True, slots=True)
class Movement:
    """One line. entry: its number in the tree's book; cause: the payment, command or document it answers."""

    at: datetime
    entry: int
    cause: str
    what: str
    debit: Money
    credit: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """Of one agent's own money in one currency: opening, plus credits, less debits, is closing."""

    tree: str
    agent: str
    opening: Money
    movements: Sequence[Movement]
    closing: Money


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an account's legs, `first` … `last`; minor units."""

    currency: str
    opening: int
    closing: int
    first: int
    last: int


_SPAN = """
SELECT
    currency,
    maxIf(seq, at < fromUnixTimestamp64Milli({from:Int64}, 'UTC')) AS before,
    maxIf(seq, at < fromUnixTimestamp64Milli({till:Int64}, 'UTC')) AS last,
    argMaxIf(balance, seq, at < fromUnixTimestamp64Milli({from:Int64}, 'UTC')),
    argMaxIf(balance, seq, at < fromUnixTimestamp64Milli({till:Int64}, 'UTC'))
FROM legs FINAL
WHERE book = {tree:String} AND account = {account:String}
GROUP BY currency
ORDER BY currency
"""

_ACCOUNT = "book = {tree:String} AND account = {account:String} AND currency = {currency:String}"

_ENTRIES = f"SELECT partition, offset FROM legs WHERE {_ACCOUNT} AND seq BETWEEN {{first:Int64}} AND {{last:Int64}}"

# beside: the first other account that the entry moved.
_LINES = f"""
SELECT
    toUnixTimestamp64Milli(one.at), one.seq, of.entry_seq, one.kind, one.cause_id, one.payment_id,
    of.document, of.payee, of.amount, of.rate, beside.account, one.amount, one.balance
FROM
(
    SELECT partition, offset, leg_no, at, seq, kind, cause_id, payment_id, amount, balance
    FROM legs FINAL
    WHERE {_ACCOUNT} AND seq BETWEEN {{first:Int64}} AND {{last:Int64}}
) AS one
INNER JOIN
(
    SELECT partition, offset, entry_seq, document, payee, amount, rate
    FROM entries FINAL
    WHERE book = {{tree:String}} AND (partition, offset) IN ({_ENTRIES})
) AS of ON of.partition = one.partition AND of.offset = one.offset
INNER JOIN
(
    SELECT partition, offset, argMinIf(account, leg_no, account != {{account:String}}) AS account
    FROM legs
    WHERE book = {{tree:String}} AND (partition, offset) IN ({_ENTRIES})
    GROUP BY partition, offset
) AS beside ON beside.partition = one.partition AND beside.offset = one.offset
ORDER BY one.seq
"""

# Only kinds that move money stand on a statement: to be blocked, moved or closed moves none. One that is not here is
# called by its own name.
_WORDS = {
    "HELD": "reserved for {payment}: {amount} to {payee}",
    "VOIDED": "given back: {payment} to {payee} was not made",
    "POSTED": "reward for {payment}: {amount} to {payee}",
    "REVERSED": "reversed: {payment} of {amount} to {payee}",
    "DEPOSITED": "deposit, document {document}",
    "TRANSFERRED": "transfer {other}, document {document}",
    "TRANSFER_SENT": "transfer {other}, document {document}",
    "TRANSFER_RECEIVED": "transfer {other}, document {document}",
    "TRANSFER_RETURNED": "transfer came back {other}, document {document}",
    "FEE_CHARGED": "fee: plan {document}",
    "WITHDRAWN": "withdrawn to the bank, document {document}",
    "CORRECTED": "correction by hand, document {document}",
    "EXCHANGED": "exchanged at {rate}, document {document}",
}


def of_window(client: Client, tree: str, agent: str, number: int) -> list[Statement]:
    """Over a closed window of the tree, one statement for each currency. Raises NotClosed, SettlementError."""
    account = account_agent(agent)
    found = [one for one in positions_of(client, find_window(client, tree, "", number)) if one.account == account]
    parts = [_Part(one.currency, one.opening, one.closing, one.first, one.last) for one in found]
    return [_statement(client, tree, agent, part) for part in parts]


def is_agent(client: Client, tree: str, agent: str) -> bool:
    """Was there ever such an agent?"""
    return bool(rows(client, "SELECT 1 FROM agents WHERE (book, agent) = ({tree:String}, {agent:String}) LIMIT 1",
                     {"tree": tree, "agent": agent}))  # fmt: skip


def of_days(client: Client, tree: str, agent: str, from_ms: int, till_ms: int) -> list[Statement]:
    """Over the time [from, till), ms UTC. Raises SettlementError when the agent never had money.

    It is cut in the order of the account's legs: after the last one written before that moment. So statements of times
    that follow each other do, whatever the clocks did.
    """
    asked = {"tree": tree, "account": account_agent(agent), "from": from_ms, "till": till_ms}
    spans = rows(client, _SPAN, asked)
    if not spans:
        raise SettlementError(f"agent {agent!r} of tree {tree!r} never had any money: `kassa agent list` shows all")
    parts = [_Part(currency, opening, closing, before + 1, last) for currency, before, last, opening, closing in spans]
    return [_statement(client, tree, agent, part) for part in parts]


def _statement(client: Client, tree: str, agent: str, part: _Part) -> Statement:
    asked = {
        "tree": tree,
        "account": account_agent(agent),
        "currency": part.currency,
        "first": part.first,
        "last": part.last,
    }
    balance, seq, movements = part.opening, part.first, list[Movement]()
    for at, leg, entry, kind, cause, payment, document, payee, paid, rate, beside, amount, after in rows(
        client, _LINES, asked
    ):
        balance += amount
        if (leg, after) != (seq, balance):
            raise _broken(tree, agent, leg)
        seq += 1
        sold = Money(paid, part.currency)
        what = _what(kind, payment, document, payee, sold, _direction(beside, amount), rate)
        debit, credit = Money(max(-amount, 0), part.currency), Money(max(amount, 0), part.currency)
        movements.append(
            Movement(
                ms_instant(at), entry, document or payment or cause, what, debit, credit, Money(after, part.currency)
            )
        )
    if (seq, balance) != (part.last + 1, part.closing):
        raise _broken(tree, agent, seq)
    return Statement(tree, agent, Money(part.opening, part.currency), movements, Money(part.closing, part.currency))


def _what(kind: str, payment: str, document: str, payee: str, amount: Money, other: str, rate: str) -> str:
    words = _WORDS.get(kind)
    if words is None:
        return kind.lower().replace("_", " ") + (f" {payment}" if payment else "")
    return words.format(
        payment=f"payment {payment}", document=document, payee=payee, amount=amount, other=other, rate=rate
    )


def _direction(account: str, amount: int) -> str:
    """To or from which agent or tree; amount in minor units, below zero: it went there."""
    kind, _, name = account.partition(":")
    return f"{'to' if amount < 0 else 'from'} {'tree' if kind == 'clearing' else 'agent'} {name}"


def _broken(tree: str, agent: str, leg: int) -> SettlementError:
    return SettlementError(f"agent {agent} of tree {tree}: leg {leg} does not continue its account: run `kassa audit`")
