"""The whole story of one payment, entry by entry, as the ledger topic tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.entry import STANDS, Entry, EntryKind
from schemas.ids import ms_instant
from streams.compacted import read_to_end
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.topics import LEDGER, partitions_of

# What a story tells of a payment besides its steps: names in PaymentFacts and columns of `entries` alike.
FACTS = (
    "terminal", "agent", "payer_agent", "payee", "gateway", "subscriber", "amount", "fee", "processing", "collected",
    "held", "currency", "txn", "tariff_version", "made_at", "received_at",
    "tariff_rule", "rerouted_from",
)  # fmt: skip
_SCAN_S = 60.0


@dataclass(frozen=True, slots=True)
class MovedLeg:
    """An account, what it got (credit positive, minor units) and what it has after."""

    account: str
    amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class Step:
    """One entry about the payment. due_at: when to ask again; outcome: what the payee's gateway said, if asked."""

    at: datetime
    kind: str
    by: str
    refusal: int
    reason: str
    tries: int
    due_at: datetime | None
    outcome: str
    legs: tuple[MovedLeg, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """What does not change about a payment, then its steps, oldest first. Amounts in minor units."""

    payment: str
    facts: dict[str, Any]
    steps: tuple[Step, ...]

    @property
    def state(self) -> str:
        """Where it stands after the last step."""
        last = EntryKind(self.steps[-1].kind)
        return STANDS.get(last, last).value


def from_ledger(settings: Settings, payment: str, tree: str) -> Story | None:
    """Reads the ledger partition of the payment's tree from its beginning; None: nothing about it there."""
    partition = partition_of(tree, partitions_of(LEDGER, settings))
    name = payment.encode()
    found: list[Entry] = []
    for message in read_to_end(settings, LEDGER, partition=partition, time_out_s=_SCAN_S):
        value = message.value() or b""
        if name in value:  # most records are not about it, and need not be read
            entry = Entry.decode(value)
            if entry.payment is not None and entry.payment.id == payment:
                found.append(entry)
    return _story(payment, found) if found else None


def _story(payment: str, entries: Sequence[Entry]) -> Story:
    facts = entries[-1].payment  # the route may have changed, and what waited got its number
    assert facts is not None
    named = {name: getattr(facts, name) for name in FACTS}
    times = {name: ms_instant(named[name]) for name in ("made_at", "received_at")}
    return Story(payment, {"book": entries[0].book, **named, **times}, tuple(_step(entry) for entry in entries))


def _step(entry: Entry) -> Step:
    answer = entry.outcome
    return Step(
        at=ms_instant(entry.at),
        kind=entry.kind.value,
        by=entry.cause.by,
        refusal=entry.refusal,
        reason=entry.reason,
        tries=entry.tries,
        due_at=ms_instant(entry.due_at) if entry.due_at else None,
        outcome=said(answer.step, answer.verdict, answer.code, answer.provider_ref, answer.comment) if answer else "",
        legs=tuple(MovedLeg(leg.account, leg.amount, leg.balance) for leg in entry.legs),
    )


def said(step: str, verdict: str, code: str, provider_ref: str, comment: str) -> str:
    """ "pay PAID 0, ref 4711" of a gateway's answer."""
    if not step:
        return ""
    words = " ".join(part for part in (step, verdict, code) if part)
    return ", ".join([words, *([f"ref {provider_ref}"] if provider_ref else []), *([comment] if comment else [])])
