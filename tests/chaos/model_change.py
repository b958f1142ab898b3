"""What must become of payers' change."""

from __future__ import annotations

import hashlib
from typing import Any

from schemas.change import ChangeNote
from schemas.change_command import BlockChange, ReclaimChange, UnblockChange
from schemas.entry import Entry
from tests.chaos.model_terms import Book, Expected, moves_of

_OTHER, _NO_RIGHT = 300, 133
_DAY_MS = 86_400_000
_AT_ONCE = 200


def mark_of(code: str) -> str:
    """As docs/terminal-makers.md says it."""
    return hashlib.blake2b(code.encode(), digest_size=16).hexdigest()


def spent_of(order: dict[str, Any]) -> dict[str, int]:
    """What a signed order spends of change: fingerprint -> minor units, in its order."""
    return {mark_of(one["code"]): one["amount"] for one in order.get("change_from", ())}


def expired(book: Book, entry: Entry) -> list[Expected]:
    """After how many days is the worker's setting, which no topic has: the entry is believed in that."""
    days = entry.change.days if entry.change is not None else 0
    old = [key for key, at in book.touched.items() if at <= entry.at - days * _DAY_MS]
    due = [key for key in old if key[0] not in book.blocked][:_AT_ONCE]
    if days < 1 or not due or entry.cause.id != f"change/{book.seq + 1}" or entry.cause.digest:
        return []
    moves: list[tuple[str, str, int]] = []
    for currency in sorted({coin for _, coin in due}):
        taken = [(account, -book.ends[account, coin][1]) for account, coin in due if coin == currency]
        moves += moves_of(currency, *taken, ("unclaimed", -sum(amount for _, amount in taken)))
    return [Expected("CHANGE_EXPIRED", moves=tuple(moves), change=ChangeNote(days))]


def reclaimed(book: Book, order: ReclaimChange) -> Expected:
    change = f"change:{mark_of(order.code) if order.code is not None else f'payment:{order.payment}'}"
    line, amount = book.line(order.agent), order.amount
    if not line or book.agents[line[0]].status == "closed":
        return Expected("REFUSED", _OTHER)
    if change in book.blocked:
        return Expected("REFUSED", _NO_RIGHT)
    if book.expired.get((change, order.currency), 0) < amount:
        return Expected("REFUSED", _OTHER)
    if book.agent_in(order.agent, order.currency) is None:
        return Expected("REFUSED", _OTHER)
    if book.agent_in(line[0], order.currency) is None:
        return Expected("REFUSED", _OTHER)
    payer = next(agent for agent in line if book.agents[agent].funding == "own")
    parts = ("unclaimed", -amount), (change, amount), (change, -amount), (f"agent:{payer}", amount)
    return Expected("CHANGE_RECLAIMED", moves=moves_of(order.currency, *parts), document=order.evidence)


def stood(book: Book, order: BlockChange | UnblockChange) -> Expected:
    """By fingerprint, or where the payment's change is; there must have been some."""
    account = f"change:{order.mark}"
    if order.payment is not None:
        account = book.change_of.get(order.payment, f"change:payment:{order.payment}")
    is_there = any(name == account for name, _ in book.ends)
    if not is_there or (account in book.blocked) == (order.kind == "change.block"):
        return Expected("REFUSED", _OTHER)
    kind = "CHANGE_BLOCKED" if order.kind == "change.block" else "CHANGE_UNBLOCKED"
    return Expected(kind, change=ChangeNote(account=account))


def remember_change(book: Book, entry: Entry) -> None:
    """When each was touched last, by a clock that does not step back, what has expired of it, and what is blocked."""
    if entry.change is not None and entry.change.account:
        _remember_standing(book, entry, entry.change.account)
    for leg in entry.legs:
        key = (leg.account, leg.currency)
        if not leg.account.startswith("change:"):
            continue
        book.touched.pop(key, None)
        if leg.balance > 0:
            book.touched[key] = max(entry.at, next(reversed(book.touched.values()), 0))
        facts = entry.payment
        if facts is not None and facts.change_to and leg.account[7:] == facts.change_to and leg.amount > 0:
            book.change_of[facts.id] = leg.account
        if entry.kind.value == "CHANGE_EXPIRED":
            book.expired[key] = book.expired.get(key, 0) - leg.amount
        elif entry.kind.value == "CHANGE_RECLAIMED":
            book.expired[key] = book.expired.get(key, 0) - max(leg.amount, 0)


def _remember_standing(book: Book, entry: Entry, account: str) -> None:
    if entry.kind.value == "CHANGE_BLOCKED":
        book.blocked.add(account)
        return
    book.blocked.discard(account)
    for key in [key for key in book.touched if key[0] == account]:
        del book.touched[key]
        book.touched[key] = max(entry.at, next(reversed(book.touched.values()), 0))


def not_spent(book: Book, order: dict[str, Any]) -> int:
    """The code, 0: all that the order wants to spend is there, and may be spent."""
    for mark, amount in spent_of(order).items():
        end = book.ends.get((f"change:{mark}", order["currency"]))
        if end is not None and f"change:{mark}" in book.blocked:
            return _NO_RIGHT
        if end is None or end[1] < amount:
            return _OTHER
    return 0
