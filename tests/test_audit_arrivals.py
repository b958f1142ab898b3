"""What the audit says of records: messages that were lost, decisions from nowhere, what is no entry at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from console.audit_arrivals import Arrivals, Quarantine, command_of, made_up, payment_of
from console.audit_payments import PaymentAudit
from console.audit_reading import Record, Span
from console.audit_report import Check
from console.audit_run import entry_of
from console.requests import encoded
from schemas.command import OpenAgent
from schemas.envelope import SigningKey
from schemas.payment import PaymentOrder
from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TOPIC
from streams.ledger.state import State
from tests.audit_ledgers import a_ledger
from tests.builders import a_deposit, a_place, an_order, decided, open_agent

KEY = SigningKey.generate("kiosk-1:1")
SPANS = {0: Span(0, 100), 1: Span(0, 100)}


def the_ledger() -> PaymentAudit:
    """Partition 0 of a ledger on which kiosk-1.1 and kiosk-1.2 were held."""
    state, audit = State(0), PaymentAudit()
    decisions = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 500_000), a_place(number=1), a_place(number=2))
    for offset, command in enumerate(decisions):
        audit.see(0, offset, decided(state, command))
    return audit


def message(order: PaymentOrder, offset: int, partition: int = 0) -> Record:
    return Record(partition, offset, b"A", KEY.sign(encoded(order)), ())


def a_reject(of: Record, offset: int = 0, value: bytes | None = None, **story: str) -> Record:
    """The quarantined message; `story` replaces headers."""
    headers = {
        HEADER_REASON: "CONFLICT",
        HEADER_TOPIC: "payments",
        HEADER_PARTITION: str(of.partition),
        HEADER_OFFSET: str(of.offset),
    } | story
    kept = of.value if value is None else value
    return Record(0, offset, of.key, kept, [(name, text.encode()) for name, text in headers.items()])


def arrivals(
    *records: Record, passed: Mapping[int, int] | None = None, rejects: Sequence[Record] = ()
) -> tuple[Check, Arrivals, Quarantine]:
    """What `payments` says when these are on it; `passed` is how far the workers are, by default past everything."""
    quarantine = Quarantine()
    for reject in rejects:
        quarantine.see(reject)
    source = Arrivals("payments", payment_of, the_ledger().payments, quarantine, passed or {0: 100, 1: 100})
    source.see(records)
    return source.finish(), source, quarantine


FIRST, SECOND = message(an_order(1), 0), message(an_order(2), 1)


def test_decided_repeated_quarantined_rekeyed_and_waiting_messages_are_all_accounted_for():
    conflict = message(an_order(1, amount=190_000, fee=10_000), 3)
    again, misplaced, new = message(an_order(1), 2), message(an_order(2), 0, partition=1), message(an_order(9), 4)
    check, _, _ = arrivals(
        FIRST, SECOND, again, conflict, new, misplaced, passed={0: 4, 1: 1}, rejects=[a_reject(conflict)]
    )
    assert check.passed
    assert check.looked_at == 5
    assert check.note == "2 decided, 1 again, 1 in rejects, 1 re-keyed, 1 waiting"


def test_a_payment_that_was_passed_and_not_decided_is_lost():
    check, _, _ = arrivals(FIRST, SECOND, message(an_order(9), 2))
    assert check.failures == ["payments partition 0 offset 2: kiosk-1.9 is neither on the ledger nor in rejects"]


def test_a_message_that_cannot_be_read_must_be_in_quarantine():
    garbage = Record(1, 7, None, b"\xff not a JWS", ())
    check, _, _ = arrivals(garbage)
    assert check.failures[0].startswith("payments partition 1 offset 7: a message that cannot be read is neither")
    assert arrivals(garbage, rejects=[a_reject(garbage)])[0].passed


def test_other_content_under_a_known_id_must_be_in_quarantine():
    check, _, _ = arrivals(FIRST, message(an_order(1, amount=190_000, fee=10_000), 1))
    assert check.failed == 1


def test_a_message_whose_copy_waits_on_another_partition_is_rekeyed_and_on_its_own_is_lost():
    order = an_order(9)
    here, copy = message(order, 0, partition=1), message(order, 9)
    assert arrivals(here, copy, passed={0: 9, 1: 1})[0].passed
    beside = message(order, 1, partition=1)
    assert not arrivals(here, beside, passed={0: 9, 1: 1})[0].passed


def test_a_message_whose_copy_was_refused_on_another_partition_is_rekeyed():
    order = an_order(1, amount=190_000, fee=10_000)
    here, copy = message(order, 0, partition=1), message(order, 9)
    check, _, _ = arrivals(here, copy, rejects=[a_reject(copy)])
    assert (check.passed, check.note) == (True, "0 decided, 0 again, 1 in rejects, 1 re-keyed, 0 waiting")


def test_commands_are_known_by_their_book_and_id():
    ledger = the_ledger()
    command = open_agent("A").command
    assert isinstance(command, OpenAgent)
    elsewhere = command.model_copy(update={"tree": "B", "agent": "B"})
    source = Arrivals("commands", command_of, ledger.commands, Quarantine(), {0: 2})
    source.see(Record(0, n, b"A", KEY.sign(encoded(order)), ()) for n, order in enumerate((command, elsewhere)))
    assert source.finish().failures == [
        "commands partition 0 offset 1: B open-A is neither on the ledger nor in rejects"
    ]


def test_a_decision_whose_message_never_came_was_made_up():
    _, source, _ = arrivals(FIRST)
    check = made_up([(source, SPANS)])
    assert check.looked_at == 2
    assert check.failures == ["partition 0 offset 4: kiosk-1.2 was decided, but no such message arrived on payments"]


def test_a_message_of_another_partition_alone_does_not_account_for_a_decision():
    _, source, _ = arrivals(FIRST, message(an_order(2), 0, partition=1))
    assert made_up([(source, SPANS)]).failed == 1


def test_where_messages_have_expired_nobody_says_that_decisions_were_made_up():
    _, source, _ = arrivals(FIRST)
    check = made_up([(source, {0: Span(0, 100), 1: Span(5, 100)})])
    assert check.passed
    assert (check.looked_at, check.note) == (0, "not looked at, since messages have expired: payments")


def test_quarantine_must_have_the_bytes_that_came_of_messages_that_came():
    garbage = Record(0, 5, None, b"garbage", ())
    rejects = [
        a_reject(garbage, 0),
        a_reject(garbage, 2),  # delivered again after a crash
        a_reject(Record(0, 6, None, b"never came", ()), 4),
        a_reject(garbage, 6, **{HEADER_OFFSET: "soon"}),
        a_reject(Record(1, 2, None, b"long ago", ()), 8),
        a_reject(Record(0, 9, None, b"as it came", ()), 10, value=b"as it was kept"),
    ]
    came = Record(0, 9, None, b"as it came", ())
    _, _, quarantine = arrivals(garbage, came, rejects=rejects)
    check = quarantine.finish({("payments", 0): Span(0, 100), ("payments", 1): Span(3, 100)})
    assert check.failures == [
        "rejects offset 6: its headers do not say where it came from",
        "rejects offset 10: other bytes than at payments partition 0 offset 9",
        "rejects offset 4: there is no message at payments partition 0 offset 6",
    ]
    assert check.note == "1 quarantined again after a redelivery, 1 whose origin has expired"


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (b"A", b"garbage", "partition 0 offset 7: not an entry: Invalid JSON"),
        (b"A", b"{}", "partition 0 offset 7: not an entry: book "),
        (b"B", a_ledger()[1].encode(), "partition 0 offset 7: entry of book A under the key b'B'"),
    ],
)
def test_a_ledger_record_must_be_an_entry_under_its_books_key(key: bytes, value: bytes, told: str):
    check = Check("ledger.readable")
    entry_of(Record(0, 7, key, value, ()), check)
    (failure,) = check.failures
    assert failure.startswith(told)
