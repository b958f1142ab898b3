"""The audit of charts: every account in a closed window had a number when it was closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from console.audit_charts import ChartAudit
from console.audit_report import Check
from schemas.entry import Entry
from streams.ledger.state import State
from tests.builders import AT, a_deposit, decided, open_agent, window_due
from tests.builders_charts import a_chart, numbers, set_chart


def a_ledger() -> list[Entry]:
    """A chart, a tree with money, its window; a chart of its own, another window; a third."""
    state = State(0)
    commands = (
        set_chart(),
        open_agent("A"),
        a_deposit("A"),
        window_due(),
        set_chart(a_chart(tree="A"), "own"),
        a_deposit("A", id="more"),
        window_due(number=2),
        window_due(number=3),
    )
    return [decided(state, command, AT + n) for n, command in enumerate(commands)]


def audited(entries: Iterable[Entry], charts: Iterable[Entry] | None = None) -> Check:
    """charts: if other than those among the entries."""
    audit, entries = ChartAudit(), list(entries)
    for entry in entries if charts is None else charts:
        audit.learn(entry)
    for offset, entry in enumerate(entries):
        audit.see(0, offset, entry)
    return audit.check


def with_numbers(entry: Entry, **changes: str) -> Entry:
    """The same chart with other numbers, as no worker would have taken it."""
    assert entry.record is not None
    value = {**entry.record.value, "accounts": {"RUB": numbers(**changes)}}
    return replace(entry, record=replace(entry.record, value=value))


def test_windows_that_can_be_posted_pass() -> None:
    check = audited(a_ledger())
    assert (check.passed, check.looked_at, check.note) == (True, 6, "")


def test_an_account_without_a_number_is_named() -> None:
    common, *rest = a_ledger()
    check = audited([with_numbers(common, bank=""), *rest])
    assert check.failures == [
        "partition 0 offset 3: book A entry 3 (WINDOW_CLOSED): window 1: account bank RUB has no number in version 1 "
        "of the chart that was in force"
    ]


def test_the_trees_own_chart_is_looked_at_once_it_is_there() -> None:
    entries = a_ledger()
    entries[4] = with_numbers(entries[4], bank="")
    check = audited(entries)
    assert (check.failed, "window 2" in check.failures[0]) == (1, True), "in the third nothing moved"


def test_the_chart_is_that_of_the_closing_and_not_a_later_one() -> None:
    entries = a_ledger()
    late = replace(with_numbers(entries[0], bank=""), at=AT + 100)
    assert audited([*entries, late]).passed


def test_windows_from_before_there_was_a_chart_are_counted() -> None:
    check = audited(a_ledger(), charts=[])
    assert (check.verdict, check.note) == ("-", "3 windows were closed before there was a chart")
