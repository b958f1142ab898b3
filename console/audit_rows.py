"""A topic's records as the rows a table must have of them, and the comparison. The loader's own mapping is not used.

What payers entered is compared and never shown: a failure names the column, not its content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import orjson

from console.audit_reading import Record
from console.audit_report import Check
from schemas import reject

Row = tuple[Any, ...]
Json = dict[str, Any]

# Column of the row: what to select for it. The first ones are the key, in the order of the comparison.
ENTRY_COLUMNS: dict[str, str] = {
    "offset": "offset",
    "book": "book",
    "entry_seq": "entry_seq",
    "kind": "kind",
    "at": "toUnixTimestamp64Milli(at)",
    "cause_id": "cause_id",
    "cause_digest": "cause_digest",
    "caused_by": "caused_by",
    "refusal": "refusal",
    "reason": "reason",
    "tries": "tries",
    "deferrals": "deferrals",
    "due_at": "toUnixTimestamp64Milli(due_at)",
    "document": "document",
    "leg_count": "leg_count",
    "payment_id": "payment_id",
    "number": "number",
    "terminal": "terminal",
    "agent": "agent",
    "payee": "payee",
    "gateway": "gateway",
    "subscriber": "subscriber",
    "amount": "amount",
    "fee": "fee",
    "processing": "processing",
    "collected": "collected",
    "currency": "currency",
    "txn": "txn",
    "tariff_version": "tariff_version",
    "payer_agent": "payer_agent",
    "held": "held",
    "reward_accounts": "rewards.account",
    "reward_amounts": "rewards.amount",
    "made_at": "toUnixTimestamp64Milli(made_at)",
    "received_at": "toUnixTimestamp64Milli(received_at)",
    "tariff_rule": "tariff_rule",
    "outcome_step": "outcome_step",
    "outcome_verdict": "outcome_verdict",
    "outcome_code": "outcome_code",
    "provider_ref": "provider_ref",
    "outcome_comment": "outcome_comment",
    "terms_agent": "terms_agent",
    "terms_parent": "terms_parent",
    "terms_name": "terms_name",
    "terms_currency": "terms_currency",
    "terms_overdraft": "terms_overdraft",
    "terms_funding": "terms_funding",
    "terms_status": "terms_status",
    "terms_time_zone": "terms_time_zone",
    "terms_payment_max": "terms_payment_max",
    "terms_daily_max": "terms_daily_max",
    "terms_monthly_max": "terms_monthly_max",
    "terms_payees": "terms_payees",
    "day": "day",
    "chain": "chain",
    "record_table": "record_table",
    "record_id": "record_id",
    "change_to": "change_to",
    "change_spent_marks": "change_spent.mark",
    "change_spent_amounts": "change_spent.amount",
    "change_days": "change_days",
    "rate": "rate",
    "posted_at": "toUnixTimestamp64Milli(posted_at)",
    "posted_ref": "posted_ref",
    "refund": "refund",
    "change_account": "change_account",
    "served": "served",
    "routes": "routes",
    "rerouted_from": "rerouted_from",
    "record": "record",
    "closed_window": "closed_window",
    "crossing": "crossing",
    "collection": "collection",
    "charge": "charge",
    "correction": "correction",
    "voucher": "voucher",
    "registry": "registry",
}
LEG_COLUMNS: dict[str, str] = {
    name: name
    for name in ("offset", "leg_no", "book", "account", "account_kind", "currency", "amount", "seq", "balance")
} | {"at": "toUnixTimestamp64Milli(at)", "kind": "kind", "payment_id": "payment_id", "cause_id": "cause_id"}
REJECT_COLUMNS: dict[str, str] = {
    name: name for name in ("offset", "reason", "detail", "origin_topic", "origin_partition", "origin_offset")
} | {
    "received_at": "toUnixTimestamp64Milli(received_at)",
    "key": "lower(hex(SHA256(key)))",
    "value": "lower(hex(SHA256(value)))",
}
_PRIVATE = frozenset({"subscriber", "record", "key", "value", "outcome_comment", "reason", "detail"})

_NO_PAYMENT: Json = {
    "id": "", "number": 0, "terminal": "", "agent": "", "payee": "", "gateway": "", "subscriber": {}, "amount": 0,
    "fee": 0, "processing": 0, "collected": 0, "currency": "", "txn": 0, "tariff_version": 0, "payer_agent": "",
    "held": 0, "rewards": [], "made_at": 0, "received_at": 0,
}  # fmt: skip
_NO_OUTCOME: Json = {"step": "", "verdict": "", "code": "", "provider_ref": "", "comment": ""}
_NO_TERMS: Json = {"agent": "", "parent": "", "name": "", "currency": "", "overdraft": 0, "funding": "",
                   "status": "", "time_zone": ""}  # fmt: skip
_NOT_POSTED: Json = {"at": 0, "provider_ref": "", "refund": ""}
_NO_RECORD: Json = {"table": "", "id": "", "value": None}


def entry_row(offset: int, entry: Json) -> Row:
    """What `entries` must have of a ledger record's JSON, in the order of ENTRY_COLUMNS."""
    cause, facts = entry["cause"], entry["payment"] or _NO_PAYMENT
    outcome, terms, record = entry["outcome"] or _NO_OUTCOME, entry["agent"] or _NO_TERMS, entry["record"] or _NO_RECORD
    posted = entry.get("posted") or _NOT_POSTED
    return (
        offset, entry["book"], entry["seq"], entry["kind"], entry["at"], cause["id"], cause["digest"], cause["by"],
        entry["refusal"], entry["reason"], entry["tries"], entry["deferrals"], entry["due_at"], entry["document"],
        len(entry["legs"]),
        facts["id"], facts["number"], facts["terminal"], facts["agent"], facts["payee"], facts["gateway"],
        facts["subscriber"], facts["amount"], facts["fee"], facts["processing"], facts["collected"],
        facts["currency"], facts["txn"], facts["tariff_version"], facts["payer_agent"], facts["held"],
        [account for account, _ in facts["rewards"]], [amount for _, amount in facts["rewards"]],
        facts["made_at"], facts["received_at"], facts.get("tariff_rule", ""),
        outcome["step"], outcome["verdict"], outcome["code"], outcome["provider_ref"], outcome["comment"],
        terms["agent"], terms["parent"] or "", terms["name"], terms["currency"], terms["overdraft"], terms["funding"],
        terms.get("status", "open"), terms.get("time_zone", "UTC"), terms.get("payment_max") or 0,
        terms.get("daily_max") or 0, terms.get("monthly_max") or 0, terms.get("payees", []),
        facts.get("day", ""), facts.get("chain", []),
        record["table"], record["id"], facts.get("change_to", ""),
        [mark for mark, _ in facts.get("spent", ())], [amount for _, amount in facts.get("spent", ())],
        (entry.get("change") or {}).get("days", 0), entry.get("rate", ""),
        posted["at"], posted["provider_ref"], posted["refund"], (entry.get("change") or {}).get("account", ""),
        facts.get("served", ""), facts.get("routes", []), facts.get("rerouted_from", []),
        record["value"], entry.get("window"), entry.get("crossing"), entry.get("cash"), entry.get("charge"),
        entry.get("correction"), entry.get("voucher"), entry.get("registry"),
    )  # fmt: skip


def entry_found(row: Row) -> Row:
    """A row of `entries` as it was selected: JSON in it is compared by content, not by how it is written."""
    return (*row[:-8], *(orjson.loads(text) if text else None for text in row[-8:]))


def leg_rows(offset: int, entry: Json) -> list[Row]:
    """What `legs` must have of a ledger record's JSON, in the order of LEG_COLUMNS."""
    payment = entry["payment"]["id"] if entry["payment"] else ""
    return [
        (
            offset, number, entry["book"], leg["account"], leg["account"].partition(":")[0], leg["currency"],
            leg["amount"], leg["seq"], leg["balance"], entry["at"], entry["kind"], payment, entry["cause"]["id"],
        )
        for number, leg in enumerate(entry["legs"], 1)
    ]  # fmt: skip


def reject_row(record: Record) -> Row:
    """What `rejects` must have of a quarantined message, in the order of REJECT_COLUMNS."""
    story = {name: value.decode("utf-8", "replace") for name, value in record.headers if isinstance(value, bytes)}
    return (
        record.offset,
        story.get(reject.HEADER_REASON, ""),
        story.get(reject.HEADER_DETAIL, ""),
        story.get(reject.HEADER_TOPIC, ""),
        _number(story.get(reject.HEADER_PARTITION, ""), -1),
        _number(story.get(reject.HEADER_OFFSET, ""), -1),
        _number(story.get(reject.HEADER_RECEIVED_AT, ""), 0),
        sha256(record.key or b"").hexdigest(),
        sha256(record.value or b"").hexdigest(),
    )


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else otherwise


class Comparison:
    """One table's rows of one partition against what is expected, both in the order of the key.

    Both directions: missing, extra, different, and physically there more than once.
    """

    def __init__(self, check: Check, partition: int, columns: Sequence[str], key: int, found: Iterator[Row]) -> None:
        """key: how many of the first columns name a row."""
        self._check = check
        self._place = f"{check.name.partition('.')[2]} partition {partition}"
        self._columns = columns
        self._key = key
        self._found = found
        self._next = next(found, None)
        self._before: Row | None = None

    def expect(self, row: Row) -> None:
        """The next row that must be there."""
        self._check.looked_at += 1
        if row != self._next:
            key = row[: self._key]
            while self._next is not None and self._next[: self._key] < key:
                self._pass_over(self._next)
            if self._next is None or self._next[: self._key] != key:
                self._fail(key, "missing")
                return
            if row != self._next:
                self._fail(key, self._differences(row, self._next))
        self._before, self._next = row, next(self._found, None)

    def end(self) -> None:
        """Nothing more is expected."""
        while self._next is not None:
            self._pass_over(self._next)

    def _pass_over(self, row: Row) -> None:
        key = row[: self._key]
        is_again = self._before is not None and self._before[: self._key] == key
        self._check.looked_at += 1
        self._fail(key, "there more than once" if is_again else "not on the topic")
        self._before, self._next = row, next(self._found, None)

    def _fail(self, key: Row, what: str) -> None:
        names = " ".join(f"{column} {value}" for column, value in zip(self._columns, key, strict=False))
        self._check.fail(f"{self._place} {names}: {what}")

    def _differences(self, expected: Row, found: Row) -> str:
        return "; ".join(
            f"{column} differs" if column in _PRIVATE else f"{column} is {there!r}, should be {should!r}"
            for column, should, there in zip(self._columns, expected, found, strict=True)
            if should != there
        )
