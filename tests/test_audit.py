"""The audit of the ledger itself: a sound one passes, and every way of breaking it is named by the right check."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console import audit_index, audit_ledger, audit_payments, audit_rows
from console.audit_core import compare_balances
from console.audit_ledger import LedgerAudit
from console.audit_report import CATALOGUE, DESCRIBED, Check, Report, print_report
from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from streams.ledger.balances import balance_of
from tests.audit_ledgers import (
    DECLINED,
    POSTED,
    RESOLVED,
    UNKNOWN,
    VOIDED,
    a_ledger,
    audited,
    failed,
    find,
    rechained,
    with_leg,
)
from tests.builders import AT, folded
from tests.builders_correction import a_correction
from tests.builders_reversal import a_cancel, a_reversal
from tests.builders_vouchers import a_load, a_sale

DOCS = Path(__file__).parent.parent / "docs" / "audit.md"
Broken = Callable[[list[Entry]], list[Entry]]

CORE = "core.fold"
CHAIN = "ledger.statements"


def _with(entries: list[Entry], at: int, entry: Entry) -> list[Entry]:
    return [*entries[:at], entry, *entries[at + 1 :]]


def without_an_entry(entries: list[Entry]) -> list[Entry]:
    at = find(entries, POSTED, EntryKind.POSTED)
    return entries[:at] + entries[at + 1 :]


def with_an_entry_twice(entries: list[Entry]) -> list[Entry]:
    at = find(entries, VOIDED, EntryKind.VOIDED)
    return [*entries[: at + 1], *entries[at:]]


def with_a_gap_in_seq(entries: list[Entry]) -> list[Entry]:
    last = len(entries) - 1
    return _with(entries, last, replace(entries[last], seq=entries[last].seq + 1))


def with_a_doubled_leg(entries: list[Entry]) -> list[Entry]:
    at = find(entries, POSTED, EntryKind.POSTED)
    return _with(entries, at, replace(entries[at], legs=(*entries[at].legs, entries[at].legs[-1])))


def with_a_wrong_balance(entries: list[Entry]) -> list[Entry]:
    """One written balance is a kopeck off and the next one is right again."""
    at = find(entries, POSTED, EntryKind.HELD)
    return _with(entries, at, with_leg(entries[at], 0, balance=entries[at].legs[0].balance + 1))


def with_a_wrong_last_balance(entries: list[Entry]) -> list[Entry]:
    at = find(entries, RESOLVED, EntryKind.POSTED)
    return _with(entries, at, with_leg(entries[at], -1, balance=entries[at].legs[-1].balance + 1))


def with_a_gap_in_an_account(entries: list[Entry]) -> list[Entry]:
    at = find(entries, RESOLVED, EntryKind.POSTED)
    return _with(entries, at, with_leg(entries[at], -1, seq=entries[at].legs[-1].seq + 1))


def with_legs_that_do_not_sum(entries: list[Entry]) -> list[Entry]:
    at = find(entries, RESOLVED, EntryKind.POSTED)
    leg = entries[at].legs[-1]
    return _with(entries, at, with_leg(entries[at], -1, amount=leg.amount + 1, balance=leg.balance + 1))


def with_a_hold_without_payment(entries: list[Entry]) -> list[Entry]:
    at = find(entries, POSTED, EntryKind.HELD)
    cause = replace(entries[at].cause, id="a-new-command")
    strange = replace(entries[at], kind=EntryKind.DEPOSITED, payment=None, cause=cause)
    return rechained([*entries, strange])


def with_two_postings(entries: list[Entry]) -> list[Entry]:
    return rechained([*entries, entries[find(entries, POSTED, EntryKind.POSTED)]])


def with_a_payment_resurrected(entries: list[Entry]) -> list[Entry]:
    return rechained([*entries, entries[find(entries, VOIDED, EntryKind.HELD)]])


def with_a_decline_undone(entries: list[Entry]) -> list[Entry]:
    at = find(entries, DECLINED, EntryKind.DECLINED)
    unclear = entries[find(entries, UNKNOWN, EntryKind.UNKNOWN)]
    cause = replace(unclear.cause, id=DECLINED)
    return rechained([*entries, replace(unclear, payment=entries[at].payment, cause=cause)])


def with_changed_facts(entries: list[Entry]) -> list[Entry]:
    at = find(entries, UNKNOWN, EntryKind.UNKNOWN)
    facts = entries[at].payment
    assert facts is not None
    return _with(entries, at, replace(entries[at], payment=replace(facts, subscriber={"phone": "9160000000"})))


def with_a_number_used_twice(entries: list[Entry]) -> list[Entry]:
    first = entries[find(entries, POSTED, EntryKind.HELD)].payment
    assert first is not None
    return [
        replace(entry, payment=replace(entry.payment, txn=first.txn))
        if entry.payment is not None and entry.payment.id == UNKNOWN
        else entry
        for entry in entries
    ]


def with_a_posting_to_another_payee(entries: list[Entry]) -> list[Entry]:
    at = find(entries, POSTED, EntryKind.POSTED)
    legs = tuple(
        replace(leg, account="payee:other") if leg.account == "payee:mobile" else leg for leg in entries[at].legs
    )
    return rechained(_with(entries, at, replace(entries[at], legs=legs)))


def with_a_kopeck_less_for_the_payee(entries: list[Entry]) -> list[Entry]:
    at = find(entries, POSTED, EntryKind.POSTED)
    legs = list(entries[at].legs)
    for number, more in ((1, -1), (2, 1)):  # the payee's leg, and the fee's
        legs[number] = replace(legs[number], amount=legs[number].amount + more)
    return rechained(_with(entries, at, replace(entries[at], legs=tuple(legs))))


def with_a_hold_beyond_the_limit(entries: list[Entry]) -> list[Entry]:
    """The deposit was half of what it says now: the payments that follow were more than the agent had."""
    at = next(n for n, entry in enumerate(entries) if entry.kind is EntryKind.DEPOSITED)
    legs = tuple(replace(leg, amount=leg.amount // 50) for leg in entries[at].legs)
    return rechained(_with(entries, at, replace(entries[at], legs=legs)))


def with_a_release_that_was_never_held(entries: list[Entry]) -> list[Entry]:
    return rechained([*entries, *3 * [entries[find(entries, VOIDED, EntryKind.VOIDED)]]])


def with_a_posting_nobody_confirmed(entries: list[Entry]) -> list[Entry]:
    at = find(entries, POSTED, EntryKind.POSTED)
    outcome = entries[at].outcome
    assert outcome is not None
    return _with(entries, at, replace(entries[at], outcome=replace(outcome, verdict=Verdict.UNCLEAR)))


def with_a_void_after_an_unclear_answer(entries: list[Entry]) -> list[Entry]:
    void = entries[find(entries, VOIDED, EntryKind.VOIDED)]
    unclear = entries[find(entries, UNKNOWN, EntryKind.UNKNOWN)]
    return rechained([*entries, replace(void, payment=unclear.payment, cause=unclear.cause)])


def with_a_command_decided_twice(entries: list[Entry]) -> list[Entry]:
    at = next(n for n, entry in enumerate(entries) if entry.kind is EntryKind.DEPOSITED)
    return rechained([*entries, entries[at]])


# What was done to the ledger -> the checks that fail of it, and no others.
BROKEN: dict[Broken, set[str]] = {
    without_an_entry: {"ledger.books", CHAIN, "cash.collections", CORE},
    with_an_entry_twice: {"ledger.books", CHAIN, "ledger.holds", "payments.path", "payments.holds", CORE},
    with_a_gap_in_seq: {"ledger.books", CORE},
    with_a_doubled_leg: {"ledger.zero", CHAIN, "ledger.movements", CORE},
    with_a_wrong_balance: {CHAIN, CORE},
    with_a_wrong_last_balance: {CHAIN, "ledger.total", CORE},
    with_a_gap_in_an_account: {CHAIN, CORE},
    with_legs_that_do_not_sum: {"ledger.zero", "ledger.total", "ledger.movements", CORE},
    with_a_hold_without_payment: {"payments.holds", "ledger.movements"},
    with_two_postings: {"payments.path", "payments.holds", CORE},
    with_a_payment_resurrected: {"payments.path", "decisions.once", CORE},
    with_a_decline_undone: {"payments.path", "ledger.movements", CORE},
    with_changed_facts: {"payments.facts"},
    with_a_number_used_twice: {"payments.numbers", CORE},
    with_a_posting_to_another_payee: {"ledger.movements"},
    with_a_kopeck_less_for_the_payee: {"ledger.movements"},
    with_a_hold_beyond_the_limit: {"ledger.limits"},
    with_a_release_that_was_never_held: {"ledger.holds", "payments.path", "payments.holds", CORE},
    with_a_posting_nobody_confirmed: {"payments.evidence"},
    with_a_void_after_an_unclear_answer: {"payments.evidence", CORE},
    with_a_command_decided_twice: {"decisions.once", CORE},
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_ledger_fails_exactly_these_checks(broken: Broken):
    assert failed(broken(a_ledger())) == BROKEN[broken]


def test_a_sound_ledger_passes_every_check_and_every_check_has_looked():
    checks = audited(
        a_ledger("http://127.0.0.1:9/mobile/", a_reversal(), a_cancel(), a_correction(), a_load("n1"), a_sale(99))
    )
    assert {name for name, check in checks.items() if not check.passed} == set()
    assert {name for name, check in checks.items() if not check.looked_at} == set()


def test_a_failure_names_partition_offset_book_entry_and_payment():
    entries = a_ledger()
    offset = find(entries, POSTED, EntryKind.POSTED)
    entry = entries[offset]
    (told,) = audited(with_a_posting_nobody_confirmed(entries))["payments.evidence"].failures
    assert told.startswith(f"partition 0 offset {offset}: book A entry {entry.seq} (POSTED): payment {POSTED} ")


def test_a_book_on_two_partitions_is_found():
    ledger = LedgerAudit()
    for partition, entry in enumerate(a_ledger()[1:3]):
        ledger.see(partition, 0, entry)
    (told,) = ledger.checks()[0].failures
    assert told.endswith("this book is on partition 0")


def test_only_the_first_failures_are_described_and_all_are_counted():
    check = Check("ledger.books")
    for number in range(DESCRIBED + 5):
        check.fail(str(number))
    assert (len(check.failures), check.failed) == (DESCRIBED, DESCRIBED + 5)


def _shown(entries: list[Entry], ledger: LedgerAudit) -> dict[str, bytes]:
    state = folded(entries)
    return {
        f"{book}/{agent}": balance_of(state.books[book], agent, AT).model_dump_json().encode()
        for book, agent in ledger.terms
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"held":191900', b'"held":191901', "held is 191901, should be 191900"),
        (b'"overdraft":20000', b'"overdraft":20001', "overdraft is 20001"),
        (b'"seq":25', b'"seq":9', "entry 25 changed it since"),
        (b'"seq":25', b'"seq":26', "the book ends with entry 25"),
    ],
)
def test_balances_that_do_not_show_what_the_ledger_says_are_found(old: bytes, new: bytes, told: str):
    entries, ledger = a_ledger(), LedgerAudit()
    for offset, entry in enumerate(entries):
        ledger.see(0, offset, entry)
    table = _shown(entries, ledger)
    assert compare_balances(table, ledger, at_rest=True).passed
    assert old in table["A/S"]
    (failure,) = compare_balances(table | {"A/S": table["A/S"].replace(old, new)}, ledger, at_rest=True).failures
    assert told in failure


def test_a_balance_newer_than_the_ledger_was_when_it_was_read_is_passed_over():
    entries, earlier = a_ledger(), LedgerAudit()
    for offset, entry in enumerate(entries[:-1]):
        earlier.see(0, offset, entry)
    check = compare_balances(_shown(entries, earlier), earlier, at_rest=False)
    assert (check.passed, check.note) == (True, "3 moved on while the audit ran")


def test_agents_without_a_balance_and_balances_without_an_agent_are_found():
    entries, ledger = a_ledger(), LedgerAudit()
    for offset, entry in enumerate(entries):
        ledger.see(0, offset, entry)
    table = _shown(entries, ledger)
    table["A/nobody"] = table.pop("A/S")
    told = compare_balances(table, ledger, at_rest=True).failures
    assert [failure.split(":")[0] for failure in told] == ["A/S", "A/nobody"]


def test_the_arithmetic_uses_none_of_the_servers_own_rules():
    for module in (audit_ledger, audit_payments, audit_index, audit_rows):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name for name in imported if name.startswith(("streams.ledger", "sinks"))}


def test_every_check_is_documented_with_what_it_proves():
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+?) \|", DOCS.read_text(), re.MULTILINE))
    assert rows == {name: proves[0].upper() + proves[1:] for name, proves in CATALOGUE.items()}


def test_a_report_names_what_failed_and_says_so_in_its_last_line(capsys: pytest.CaptureFixture[str]):
    bad = Check("ledger.books", 5)
    bad.fail("partition 0 offset 3: book A entry 4 (HELD): follows entry 2")
    report = Report([bad, Check("ledger.zero", 5)], 0.04)
    print_report(report)
    told = capsys.readouterr().out.splitlines()
    assert not report.passed
    assert told[0].split() == ["FAILED", "ledger.books", "5"]
    assert told[3] == "  partition 0 offset 3: book A entry 4 (HELD): follows entry 2"
    assert told[-1] == "audit: 1 of 2 checks failed in 0.0 s"
