"""A fault of ours in the rules costs the message that meets it, not the worker and all that comes behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.entry import EntryKind
from schemas.envelope import SigningKey
from schemas.reject import HEADER_REASON, RejectReason
from streams.arrival import Arrival, Ask
from streams.ledger.errors import Undecidable
from streams.ledger.image import image_of
from streams.ledger.perform import perform
from streams.settings import Settings
from streams.shard import Shard, no_alerts
from streams.topics import REJECTS
from tests.builders import AT, a_place, a_tree

BROKEN: Any = replace(a_place(), payee=7)  # no directory has such a payee: the rules stumble over it


def asked(command: Any, offset: int) -> Ask:
    return Ask(command, AT, Arrival("payments", 0, offset, b"A", b"its bytes", AT))


def test_what_the_rules_stumble_over_changes_nothing() -> None:
    state = a_tree()
    before = image_of(state)
    with pytest.raises(Undecidable) as caught:
        perform(state, BROKEN, AT)
    assert isinstance(caught.value.__cause__, AttributeError)
    assert image_of(state) == before


def test_such_a_message_is_quarantined_and_the_next_one_is_decided() -> None:
    shard = Shard(Settings(), 0, SigningKey.generate("server:1"))
    entries, records = shard._work_out(a_tree(), [asked(BROKEN, 1), asked(a_place(number=2), 2)], no_alerts)
    assert [(entry.kind, entry.payment.id if entry.payment else "") for entry in entries] == [
        (EntryKind.HELD, "kiosk-1.2")
    ]
    (rejected,) = (record for record in records if record.topic == REJECTS.name)
    headers = dict(rejected.headers or ())
    assert (rejected.value, headers[HEADER_REASON]) == (b"its bytes", RejectReason.UNPROCESSABLE.value.encode())


def test_what_is_no_message_stops_the_worker_as_before() -> None:
    """A gateway's answer or a timer comes from us, and is in no quarantine to be looked at."""
    shard = Shard(Settings(), 0, SigningKey.generate("server:1"))
    with pytest.raises(Undecidable):
        shard._work_out(a_tree(), [Ask(BROKEN, AT)], no_alerts)
