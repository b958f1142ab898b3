"""Builders of payees' lists and of the ledger entries that make their debts smaller."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from schemas.entry import Cause, Entry, EntryKind
from schemas.ids import ms_instant
from schemas.subscribers import SubscriberList
from tests.builders import AT
from tests.gateway_builders import a_payment

NUMBER = "9161234567"


def a_row(number: str = NUMBER, **more: Any) -> bytes:
    return orjson.dumps({"number": number, **more})


def a_list(lines: Sequence[bytes] = (a_row(),), **changes: Any) -> SubscriberList:
    """The record of these rows in one chunk."""
    values: dict[str, Any] = {
        "payee": "mobile",
        "upload": "UPLOAD1",
        "chunks": 1,
        "rows": len(lines),
        "digest": hashlib.blake2b(b"\n".join(lines), digest_size=16).hexdigest(),
        "as_of": ms_instant(AT),
        "file": "list.csv",
    }
    return SubscriberList(**values | changes)


def an_entry(kind: EntryKind = EntryKind.HELD, seq: int = 1, **facts: Any) -> Entry:
    """Of a payment of 200.00 to the payee of `a_list`, received as the list is made; facts change it."""
    values: dict[str, Any] = {"payee": "mobile", "received_at": AT, "subscriber": NUMBER}
    return Entry("A", seq, kind, AT + seq, Cause("kiosk-1.1", "", "dispatch"), payment=a_payment(**values | facts))


def later(entry: Entry, kind: EntryKind, seq: int) -> Entry:
    """A further entry of the same payment."""
    return replace(entry, kind=kind, seq=seq)
