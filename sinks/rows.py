"""Records as rows: what stands in which column. Pure; times are ms UTC, amounts minor units.

Every function returns tuples in the order of `columns`. What an entry does not have is "" or 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from schemas.alert import Alert
from schemas.entry import FINAL, STANDS, AgentTerms, DirectoryRecord, Entry, EntryKind, PaymentFacts
from schemas.ids import instant_ms
from schemas.reject import (
    HEADER_DETAIL,
    HEADER_OFFSET,
    HEADER_PARTITION,
    HEADER_REASON,
    HEADER_RECEIVED_AT,
    HEADER_TOPIC,
)  # fmt: skip
from schemas.reversal import Posted

Row = tuple[Any, ...]
Headers = Sequence[tuple[str, str | bytes | None]]

_NO_PAYMENT = PaymentFacts("", 0, "", "", "", "", {}, 0, 0, 0, 0, "", 0, 0, "", 0, (), 0, 0)
_NO_TERMS = AgentTerms("", None, "", "", 0, "", "", "")
_NO_RECORD = DirectoryRecord("", "", {})
_NOT_POSTED = Posted(0)
_NO_OUTCOME = ("", "", "", "", "")


class Place(NamedTuple):
    """Where a record stands: Kafka partition and offset, and when the broker took it, ms UTC."""

    partition: int
    offset: int
    appended_at: int


def entry_row(place: Place, entry: Entry) -> Row:
    """The row of `entries`."""
    cause = entry.cause
    facts = entry.payment or _NO_PAYMENT
    terms = entry.agent or _NO_TERMS
    record = entry.record or _NO_RECORD
    posted = entry.posted or _NOT_POSTED
    return (
        *place,
        entry.book,
        entry.seq,
        entry.kind.value,
        entry.at,
        cause.id,
        cause.digest,
        cause.by,
        entry.refusal,
        entry.reason,
        entry.tries,
        entry.deferrals,
        entry.due_at,
        entry.document,
        len(entry.legs),
        *_facts(facts),
        *_outcome(entry),
        *_terms(terms),
        facts.day,
        facts.chain,
        record.table,
        record.id,
        orjson.dumps(record.value).decode() if entry.record else "",
        facts.tariff_rule,
        orjson.dumps(entry.window).decode() if entry.window else "",
        facts.change_to,
        facts.spent,
        orjson.dumps(entry.crossing).decode() if entry.crossing else "",
        entry.change.days if entry.change else 0,
        entry.rate,
        orjson.dumps(entry.cash).decode() if entry.cash else "",
        orjson.dumps(entry.charge).decode() if entry.charge else "",
        posted.at,
        posted.provider_ref,
        posted.refund,
        entry.change.account if entry.change else "",
        orjson.dumps(entry.correction).decode() if entry.correction else "",
        facts.served,
        facts.routes,
        facts.rerouted_from,
        orjson.dumps(entry.voucher).decode() if entry.voucher else "",
        orjson.dumps(entry.registry).decode() if entry.registry else "",
    )


def _facts(facts: PaymentFacts) -> Row:
    """Those of a payment that stood in `entries` from the first."""
    return (
        facts.id,
        facts.number,
        facts.terminal,
        facts.agent,
        facts.payee,
        facts.gateway,
        facts.subscriber,
        facts.amount,
        facts.fee,
        facts.processing,
        facts.collected,
        facts.currency,
        facts.txn,
        facts.tariff_version,
        facts.payer_agent,
        facts.held,
        facts.rewards,
        facts.made_at,
        facts.received_at,
    )


def _terms(terms: AgentTerms) -> Row:
    """An agent's terms."""
    return (
        terms.agent,
        terms.parent or "",
        terms.name,
        terms.currency,
        terms.overdraft,
        terms.funding,
        terms.status,
        terms.time_zone,
        terms.payment_max or 0,
        terms.daily_max or 0,
        terms.monthly_max or 0,
        terms.payees,
    )


def leg_rows(place: Place, entry: Entry) -> list[Row]:
    """The rows of `legs`, numbered from 1 as they stand in the entry."""
    partition, offset, _ = place
    book, at, kind, cause = entry.book, entry.at, entry.kind.value, entry.cause.id
    payment = entry.payment.id if entry.payment else ""
    return [
        (
            partition,
            offset,
            number,
            book,
            leg.account,
            leg.account.partition(":")[0],
            leg.currency,
            leg.amount,
            leg.seq,
            leg.balance,
            at,
            kind,
            payment,
            cause,
        )
        for number, leg in enumerate(entry.legs, 1)
    ]


_NOTHING_HELD = frozenset({EntryKind.WAITING_FUNDS, EntryKind.DECLINED})


def payment_rows(place: Place, entry: Entry) -> list[Row]:
    """The row of `payment_states`; none when the entry is not about a payment.

    Funds are held at the moment the order is received, or when they come: not while it waits for them. In a reversal
    the payee's number stays the one of the payment, and a payment that stays posted became final when it was.
    """
    facts = entry.payment
    if facts is None:
        return []
    partition, offset, _ = place
    state, posted = STANDS.get(entry.kind, entry.kind), entry.posted
    final_at = posted.at if posted is not None and state is EntryKind.POSTED else entry.at
    step, verdict, code, provider_ref, comment = _outcome(entry)
    return [
        (
            partition,
            offset,
            facts.payee,
            facts.received_at,
            facts.id,
            state.value,
            entry.book,
            facts.number,
            facts.terminal,
            facts.agent,
            facts.payer_agent,
            facts.gateway,
            facts.subscriber,
            facts.amount,
            facts.fee,
            facts.processing,
            facts.collected,
            facts.currency,
            facts.txn,
            facts.tariff_version,
            facts.held,
            facts.rewards,
            facts.made_at,
            (facts.held_at or facts.received_at) if facts.held and state not in _NOTHING_HELD else 0,
            final_at if state in FINAL else 0,
            entry.at,
            entry.refusal,
            entry.reason,
            entry.tries,
            entry.deferrals,
            entry.due_at,
            step,
            verdict,
            code,
            posted.provider_ref if posted is not None else provider_ref,
            comment,
            facts.day,
            facts.chain,
            facts.tariff_rule,
            facts.change_to,
            facts.spent,
            posted.at if posted is not None else entry.at if state is EntryKind.POSTED else 0,
            posted.refund if posted is not None and state is not EntryKind.POSTED else "",
            facts.served,
            facts.routes,
            facts.rerouted_from,
        )
    ]


def reject_row(place: Place, key: bytes | None, value: bytes | None, headers: Headers) -> Row:
    """The row of `rejects`. A header that is missing or not a number where one belongs is "" or -1, never an error."""
    story = {name: _text(value) for name, value in headers}
    return (
        place.partition,
        place.offset,
        story.get(HEADER_REASON, ""),
        story.get(HEADER_DETAIL, ""),
        story.get(HEADER_TOPIC, ""),
        _number(story.get(HEADER_PARTITION, ""), 31),
        _number(story.get(HEADER_OFFSET, ""), 63),
        key or b"",
        value or b"",
        max(_number(story.get(HEADER_RECEIVED_AT, ""), 63), 0),
        place.appended_at,
    )


def alert_row(place: Place, alert: Alert) -> Row:
    """The row of `alerts`."""
    return (
        place.partition,
        place.offset,
        alert.kind.value,
        alert.subject,
        alert.agent,
        alert.severity.value,
        alert.text,
        instant_ms(alert.at),
        instant_ms(alert.since),
        alert.count,
        int(alert.over),
        place.appended_at,
        alert.tree,
    )


def directory_row(place: Place, key: bytes | None, value: bytes | None) -> Row:
    """The row of a directory table. No value is Kafka's way to say the record was deleted."""
    return (place.partition, place.offset, key or b"", value or b"", int(value is None), place.appended_at)


def _outcome(entry: Entry) -> tuple[str, str, str, str, str]:
    """step, verdict, code, provider_ref, comment."""
    outcome = entry.outcome
    if outcome is None:
        return _NO_OUTCOME
    return (outcome.step, outcome.verdict.value, outcome.code, outcome.provider_ref, outcome.comment)


def _text(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""


def _number(text: str, bits: int) -> int:
    """The number written there, -1 when there is none or it does not fit."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
    return number if number < 1 << bits else -1
