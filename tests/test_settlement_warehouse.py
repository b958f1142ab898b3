"""Closed windows in the warehouse: what the ledger fixed is there to be read, and the operator is told whom to pay."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from schemas.entry import Entry
from schemas.money import Money
from sinks.settlement.instructions import instructions, reference_of, totals
from sinks.settlement.windows import NotClosed, SettlementError, closed_windows, find_window, positions_of
from streams.ledger.state import State
from tests.builders import AT, a_deposit, a_place, a_settle, an_order, close_window, decided, open_agent, window_due
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration


def a_morning() -> list[Entry]:
    """Tree A: mobile and water are paid and settled, the tree's window 1 is closed; then mobile again, by hand."""
    state = State(0)
    commands = (
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("S", 500_000),
        a_place(number=1),
        a_settle("kiosk-1.1"),
        a_place(an_order(2, payee="water")),
        a_settle("kiosk-1.2"),
        window_due("mobile"),
        window_due("water"),
        window_due(),
        a_place(number=3),
        a_settle("kiosk-1.3"),
        close_window("mobile", 2),
        close_window("water", 2),
        window_due(number=2),
    )
    return [decided(state, command, AT + n) for n, command in enumerate(commands)]


@pytest.fixture(scope="module")
def ledger(shared_client: Client) -> list[Entry]:
    entries = a_morning()
    load_entries(shared_client, entries)
    return entries


def test_windows_and_positions_are_those_of_the_entries(shared_client: Client, ledger: list[Entry]) -> None:
    closed = {(one.payee, one.number): one for one in closed_windows(shared_client, "A")}
    fixed = [entry for entry in ledger if entry.window is not None]
    assert len(closed) == len(fixed) == 6
    for entry in fixed:
        window = entry.window
        one = closed[window.subject, window.number]
        assert (one.first_entry, one.last_entry, one.closed_by) == (window.first_entry, entry.seq, entry.cause.by)
        assert positions_of(shared_client, one) == list(window.positions)
    assert closed["", 1].opened_at is None
    assert closed["mobile", 2].due_at is None


def test_a_payee_is_to_be_paid_what_its_window_paid_out(shared_client: Client, ledger: list[Entry]) -> None:
    (one,) = instructions(shared_client, "A", "mobile", 2)
    assert (one.payee, one.name, one.window, one.amount) == ("mobile", "mobile", 2, Money(93_100, "RUB"))
    assert one.purpose == "Settlement with mobile, window 2 of tree A, closed 01.01.2026"


def test_a_trees_window_lists_all_payees_that_were_settled_in_it(shared_client: Client, ledger: list[Entry]) -> None:
    first, second = (instructions(shared_client, "A", "", number) for number in (1, 2))
    assert [(one.payee, one.window, one.amount.minor) for one in first] == [("mobile", 1, 93_100), ("water", 1, 93_100)]
    assert [(one.payee, one.window) for one in second] == [("mobile", 2)], "to water nothing is due"
    assert totals(first) == [Money(186_200, "RUB")]


def test_a_reference_is_its_windows_alone_and_a_bank_takes_it(shared_client: Client, ledger: list[Entry]) -> None:
    windows = closed_windows(shared_client, "A")
    references = {reference_of(one, currency) for one in windows for currency in ("RUB", "USD")}
    assert len(references) == 2 * len(windows)
    assert all(len(one) <= 35 and one.replace("-", "").isalnum() for one in references)
    assert reference_of(find_window(shared_client, "A", "mobile", 1), "RUB") == "S1-RUB-ZNO2RPZVLB2MRZUA"


def test_an_open_window_has_nothing_to_show(shared_client: Client, ledger: list[Entry]) -> None:
    with pytest.raises(NotClosed, match="window 3 of payee mobile in tree A is not closed: 2 is the last"):
        find_window(shared_client, "A", "mobile", 3)
    with pytest.raises(NotClosed, match="none was closed yet"):
        instructions(shared_client, "nobody", "", 1)


def test_a_closing_that_moved_something_else_instructs_nobody(client: Client) -> None:
    entries = a_morning()
    load_entries(client, entries)
    client.command("ALTER TABLE legs UPDATE amount = amount + 1 WHERE account = 'bank' AND kind = 'WINDOW_CLOSED' "
                   "SETTINGS mutations_sync = 1")  # fmt: skip
    with pytest.raises(SettlementError, match="run `kassa audit`"):
        instructions(client, "A", "mobile", 1)
