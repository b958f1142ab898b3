"""A whole day by hand: what every entry moves, every balance after it, and S's statement, as docs/money.md has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from schemas.entry import Entry, EntryKind
from sinks.settlement.statement import of_window
from tests.builders import balances
from tests.sink_loading import load_entries
from tests.worked_day import MARK, the_day

pytest_plugins = ["tests.sink_fixtures"]

PAGE = (Path(__file__).parent.parent / "docs" / "money.md").read_text()
DAY = PAGE[PAGE.index("## A worked day") : PAGE.index("## Waiting for funds")]

# After each entry that moves money, all that is not zero. Worked out on paper.
BY_HAND = [
    ("DEPOSITED", {"bank": -500_000, "agent:A": 500_000}),
    ("TRANSFERRED", {"bank": -500_000, "agent:A": 300_000, "agent:S": 200_000}),
    ("HELD", {"bank": -500_000, "agent:A": 300_000, "agent:S": 104_050, "hold:S": 95_950}),
    ("POSTED", {"bank": -500_000, "agent:A": 300_475, "agent:S": 105_000, "payee:mobile": 93_100, "fee": 950,
                "reward": 475}),
    ("HELD", {"bank": -500_000, "agent:A": 300_475, "agent:S": 9_050, "hold:S": 95_950, "payee:mobile": 93_100,
              "fee": 950, "reward": 475}),
    ("VOIDED", {"bank": -500_000, "agent:A": 300_475, "agent:S": 105_000, "payee:mobile": 93_100, "fee": 950,
                "reward": 475}),
    ("HELD", {"bank": -500_000, "agent:A": 300_475, "agent:S": 55_700, "hold:S": 31_550, "change:K": 17_750,
              "payee:mobile": 93_100, "fee": 950, "reward": 475}),
    ("POSTED", {"bank": -500_000, "agent:A": 300_475, "agent:S": 55_700, "change:K": 17_750, "payee:mobile": 93_100,
                "payee:water": 31_250, "fee": 1_250, "reward": 475}),
    ("CHANGE_PAID_OUT", {"bank": -500_000, "agent:A": 300_475, "agent:S": 73_450, "payee:mobile": 93_100,
                         "payee:water": 31_250, "fee": 1_250, "reward": 475}),
    ("WINDOW_CLOSED", {"bank": -406_900, "agent:A": 300_475, "agent:S": 73_450, "payee:water": 31_250, "fee": 1_250,
                       "reward": 475}),
    ("WINDOW_CLOSED", {"bank": -375_650, "agent:A": 300_475, "agent:S": 73_450, "fee": 1_250, "reward": 475}),
]  # fmt: skip


def named(account: str) -> str:
    """The change's mark is called K, as the examples call it."""
    return account.replace(MARK, "K")


def test_every_balance_of_the_day_is_the_one_worked_out_by_hand() -> None:
    state, entries = the_day()
    have: dict[str, int] = {}
    found = []
    for entry in entries:
        for leg in entry.legs:
            have[named(leg.account)] = leg.balance
        if entry.legs:
            found.append((entry.kind.value, {account: balance for account, balance in have.items() if balance}))
    assert found == BY_HAND
    assert {named(account): balance for account, balance in balances(state).items()} == BY_HAND[-1][1]
    assert all(sum(after.values()) == 0 for _, after in BY_HAND)


def test_the_trees_window_fixes_what_the_day_came_to() -> None:
    _, entries = the_day()
    window = entries[-1].window
    assert window is not None
    closing = {named(one.account): one.closing for one in window.positions if one.closing}
    assert closing == BY_HAND[-1][1]
    assert {one.opening for one in window.positions} == {0}


def row(entry: Entry) -> str:
    """The entry as a row of the page."""
    about = entry.payment.id if entry.payment is not None else entry.window.subject if entry.window is not None else ""
    moved = ", ".join(f"`{named(leg.account)}` {leg.amount:+d} → {leg.balance}" for leg in entry.legs)
    return f"| {entry.seq} | {entry.kind} | {about or '–'} | {moved or '–'} |"


def test_the_page_tells_the_day_entry_by_entry() -> None:
    _, entries = the_day()
    rows = [line for line in DAY.splitlines() if line.startswith("| ") and line.split(" | ")[1] in set(EntryKind)]
    assert rows == [row(entry) for entry in entries]


@pytest.mark.integration
def test_the_page_has_the_statement_of_the_day(client: Client) -> None:
    _, entries = the_day()
    load_entries(client, entries)
    (statement,) = of_window(client, "A", "S", 1)
    lines = [
        f"| {line.entry} | {line.what} | {line.debit if line.debit.minor else ''} | "
        f"{line.credit if line.credit.minor else ''} | {line.balance} |"
        for line in statement.movements
    ]
    assert (str(statement.opening), str(statement.closing)) == ("0.00", "734.50")
    there = DAY[DAY.index("| entry | what |") :].splitlines()[2:]
    expected = ["|  | opening balance |  |  | 0.00 |", *lines, "|  | closing balance | 2412.00 | 3146.50 | 734.50 |"]
    assert there[: len(expected)] == expected
