"""Agents' statements: each opens with what the one before closed with, and adds up."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.money import Money
from schemas.outcome import Verdict
from sinks.settlement.statement import Statement, of_days, of_window
from sinks.settlement.tables import semicolons
from sinks.settlement.windows import NotClosed, SettlementError
from streams.ledger.state import State
from streams.settings import Settings
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_settle,
    a_transfer,
    a_withdrawal,
    close,
    decided,
    move,
    open_agent,
    window_due,
)
from tests.cli_runs import Kassa
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures", "tests.cli_fixtures"]
pytestmark = pytest.mark.integration

HOUR = 3_600_000


@pytest.fixture
def days(client: Client) -> Client:
    """Three windows of tree A, the last without a movement; an entry each hour of the night to 2 January."""
    state = State(0)
    commands = (
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("S", 300_000),
        a_place(number=1),
        a_settle("kiosk-1.1"),
        a_place(number=2),
        window_due(),
        a_settle("kiosk-1.2", Verdict.FATAL, "check", code="5"),
        a_deposit("S", 1, id="more", document="=1+1"),
        window_due(number=2),
        window_due(number=3),
    )
    load_entries(client, [decided(state, command, AT + (n + 18) * HOUR) for n, command in enumerate(commands)])
    return client


def adds_up(one: Statement) -> bool:
    moved = sum(line.credit.minor - line.debit.minor for line in one.movements)
    return one.opening.minor + moved == one.closing.minor


def test_example_1_as_the_agent_sees_it(days: Client) -> None:
    (one,) = of_window(days, "A", "S", 1)
    assert [
        (line.what, line.cause, str(line.debit), str(line.credit), str(line.balance)) for line in one.movements
    ] == [
        ("deposit, document Payment order 17", "Payment order 17", "0.00", "3000.00", "3000.00"),
        ("reserved for payment kiosk-1.1: 950.00 to mobile", "kiosk-1.1", "959.50", "0.00", "2040.50"),
        ("reward for payment kiosk-1.1: 950.00 to mobile", "kiosk-1.1", "0.00", "9.50", "2050.00"),
        ("reserved for payment kiosk-1.2: 950.00 to mobile", "kiosk-1.2", "959.50", "0.00", "1090.50"),
    ]
    assert [line.entry for line in one.movements] == [3, 4, 5, 6]


def test_each_window_opens_with_what_the_one_before_closed_with(days: Client) -> None:
    statements = [of_window(days, "A", "S", number)[0] for number in (1, 2, 3)]
    assert [str(one.closing) for one in statements] == ["1090.50", "2050.01", "2050.01"]
    assert statements[0].opening.minor == 0
    assert all(before.closing == after.opening for before, after in pairwise(statements))
    assert all(map(adds_up, statements))
    assert [len(one.movements) for one in statements] == [4, 2, 0]


def test_so_do_days(days: Client) -> None:
    cuts = [0, AT + 19 * HOUR, AT + 22 * HOUR, AT + 24 * HOUR, AT + 48 * HOUR]
    statements = [of_days(days, "A", "S", begin, end)[0] for begin, end in pairwise(cuts)]
    assert all(before.closing == after.opening for before, after in pairwise(statements))
    assert all(map(adds_up, statements))
    assert sum(len(one.movements) for one in statements) == 6
    (whole,) = of_days(days, "A", "S", cuts[0], cuts[-1])
    assert [line for one in statements for line in one.movements] == list(whole.movements)


def test_money_given_and_taken_is_told_and_standing_is_not(client: Client) -> None:
    state = State(0)
    commands = (
        open_agent("A"),
        open_agent("S", "A"),
        open_agent("T", "A"),
        a_deposit("S", 10_000),
        a_transfer("S", "T", 4_000, document="T-1"),
        move("S", "T"),
        a_transfer("T", "S", 1_000, id="back", document="T-2"),
        a_withdrawal("S", 7_000, document="W-1"),
        close("S"),
        window_due(),
    )
    load_entries(client, [decided(state, command, AT) for command in commands])
    (one,) = of_window(client, "A", "S", 1)
    assert [(line.what, str(line.debit), str(line.credit)) for line in one.movements] == [
        ("deposit, document Payment order 17", "0.00", "100.00"),
        ("transfer to agent T, document T-1", "40.00", "0.00"),
        ("transfer from agent T, document T-2", "0.00", "10.00"),
        ("withdrawn to the bank, document W-1", "70.00", "0.00"),
    ]
    assert adds_up(one)
    assert one.closing.minor == 0


def test_what_there_is_no_statement_of(days: Client) -> None:
    with pytest.raises(NotClosed, match="window 4 of tree A is not closed: 3 is the last"):
        of_window(days, "A", "S", 4)
    with pytest.raises(SettlementError, match="'X' of tree 'A' never had any money"):
        of_days(days, "A", "X", 0, AT)


def test_a_statement_with_a_line_missing_is_not_given(days: Client) -> None:
    days.command("ALTER TABLE legs DELETE WHERE account = 'agent:S' AND seq = 2 SETTINGS mutations_sync = 1")
    with pytest.raises(SettlementError, match="leg 3 does not continue its account"):
        of_window(days, "A", "S", 1)


def test_the_command_prints_it_for_people_spreadsheets_and_scripts(
    days: Client, kassa: Kassa, sink_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KASSA_CLICKHOUSE", sink_settings.clickhouse)
    monkeypatch.setenv("KASSA_DATABASE", sink_settings.database)
    table = kassa("agent", "statement", "S", "--tree", "A", "--window", "2")
    assert table.code == 0, table.err
    assert table.says("opening balance", "given back: payment kiosk-1.2 to mobile was not made", "2050.01")
    told = kassa("agent", "statement", "S", "--tree", "A", "--from", "2026-01-01", "--to", "2026-01-02",
                 "--format", "json")  # fmt: skip
    one: dict[str, Any] = json.loads(told.out)
    assert (one["opening"], one["closing"], len(one["movements"])) == ("0.00", "2050.01", 6)
    lines = kassa("agent", "statement", "S", "--tree", "A", "--window", "2", "--format", "csv").out.splitlines()
    assert lines[0] == "at (UTC);entry;cause;what;debit;credit;balance"
    assert lines[-1] == ";;;closing balance;0.00;959.51;2050.01"
    assert ";'=1+1;" in lines[3], "a document's number is no formula"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "say which"),
        (("--window", "1", "--from", "2026-01-01"), "say which"),
        (("--from", "2026-01-01"), "needs both"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "is before"),
        (("--from", "2026-01-01", "--to", "2026-01-02", "--time-zone", "Mars"), "unknown time zone"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    kassa: Kassa, monkeypatch: pytest.MonkeyPatch, sink_settings: Settings, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.setenv("KASSA_CLICKHOUSE", sink_settings.clickhouse)
    monkeypatch.setenv("KASSA_DATABASE", "default")
    shown = kassa("agent", "statement", "S", "--tree", "A", *options)
    assert shown.code == 2
    assert shown.says(words)


def test_amounts_below_zero_stay_numbers_and_texts_are_no_formulas() -> None:
    assert semicolons(("a", "b"), [(Money(-5, "RUB"), "-5"), (7, "@x")]) == "a;b\r\n-0.05;'-5\r\n7;'@x\r\n"
