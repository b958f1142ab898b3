"""A closed window as a bank's postings: golden to the byte, the same for ever, and never one that does not add up."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from console.postings import write
from schemas.change import mark_of
from schemas.entry import Entry
from schemas.money import Money
from schemas.outcome import Verdict
from sinks.postings.batch import COLUMNS, batch_of
from sinks.postings.errors import NoChart, NotMapped
from sinks.settlement.windows import NotClosed
from streams.ledger.state import State
from streams.settings import Settings
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_payee,
    a_place,
    a_settle,
    a_transfer,
    close_window,
    decided,
    open_agent,
    window_due,
)
from tests.builders_charts import a_chart, numbers, set_chart
from tests.cli_runs import Kassa
from tests.sink_loading import load_entries

pytest_plugins = ["tests.sink_fixtures", "tests.cli_fixtures"]
pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parent / "golden" / "postings" / "A_1.csv"
HOUR = 3_600_000
CODE = "0123456789abcdef" * 2


def a_book() -> list[Entry]:
    """Tree A in Moscow's time: a chart, a day over a Moscow midnight, its window; another chart, another window."""
    state = State(0)
    commands = (
        set_chart(),
        open_agent("A", time_zone="Europe/Moscow"),
        open_agent("S", "A"),
        a_deposit("A", 900_000, document="=1+1"),
        a_transfer("A", "S", 500_000),
        a_place(number=1),
        a_settle("kiosk-1.1"),
        a_place(number=2, collected=120_000, change_to=mark_of(CODE)),
        a_settle("kiosk-1.2", Verdict.FATAL, "check", code="5"),
        a_pay_out(CODE, amount=30_000),
        a_place(number=3),
        window_due("mobile"),
        window_due(),
        set_chart(a_chart(2, accounts={"RUB": numbers(bank="30102810999999999999")}, branch="0018"), "chart-2"),
        a_settle("kiosk-1.3"),
        window_due(number=2),
        window_due(number=3),
    )
    return [decided(state, command, AT + (n + 14) * HOUR) for n, command in enumerate(commands)]


@pytest.fixture(scope="module")
def book(shared_client: Client) -> Client:
    load_entries(shared_client, a_book())
    return shared_client


def exported(client: Client, tree: str = "A", number: int = 1) -> bytes:
    file = io.BytesIO()
    write(batch_of(client, tree, number), file)
    return file.getvalue()


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), delimiter=";"))


def test_a_window_is_golden(book: Client) -> None:
    content = exported(book)
    if os.environ.get("KASSA_WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(content)
    assert content == GOLDEN.read_bytes()


def test_debits_and_credits_are_the_legs_of_the_window(book: Client) -> None:
    entries = a_book()
    closed = next(entry for entry in entries if entry.window is not None and not entry.window.subject)
    *postings, total = table(exported(book))
    sums = Counter[str]()
    for one in postings:
        assert one["currency"] == "RUB"
        minor = Money.parse(one["amount"], "RUB").minor
        sums[one["debit"]] -= minor
        sums[one["credit"]] += minor
    chart, expected = numbers(), Counter[str]()
    for entry in entries[: entries.index(closed) + 1]:
        for leg in entry.legs if entry.book == "A" else ():
            expected[chart[leg.account.partition(":")[0]]] += leg.amount
    assert {number: minor for number, minor in sums.items() if minor} == {n: m for n, m in expected.items() if m}
    assert total["batch"] == "Total:"
    assert int(total["entry"]) == len(postings)
    assert total["debit"] == total["credit"] == total["amount"]
    assert Money.parse(total["amount"], "RUB").minor == sum(Money.parse(one["amount"], "RUB").minor for one in postings)


def test_a_posting_says_where_it_comes_from(book: Client) -> None:
    lines = table(exported(book))
    held, *_, payout = [one for one in lines if one["entry"] in ("5", "11")]
    assert {one["batch"] for one in lines[:-1]} == {"A.1"}
    assert (held["operation_date"], held["value_date"]) == ("01.01.2026", "02.01.2026"), "by Moscow's days"
    assert (held["document"], held["payment"], held["branch"]) == ("kiosk-1.1", "kiosk-1.1", "0017")
    assert held["purpose"] == "Funds held for payment kiosk-1.1 to mobile: agent S to hold of agent S"
    assert payout["document"].startswith("S1-RUB-"), "the reference under which the payee is paid"
    assert payout["purpose"] == "Settlement with mobile: payee mobile to the bank"
    assert payout["operation_date"] == "02.01.2026"
    voided = [one for one in lines if "was not made" in one["purpose"]]
    assert {one["reversal_of"] for one in voided} == {"7"}, "the entry that held it"
    assert {one["reversal_of"] for one in lines if one not in voided} == {""}


def test_no_cell_is_a_formula_and_nothing_of_a_payer_is_told(book: Client) -> None:
    content = exported(book)
    assert b";'=1+1;" in content
    for line in content.decode().splitlines():
        assert not [cell for cell in line.split(";") if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert not [word for word in (b"9161234567", mark_of(CODE).encode(), CODE.encode()) if word in content]


# --- the same for ever


def test_again_is_the_same(book: Client) -> None:
    assert exported(book) == exported(book)


def test_another_machine_and_a_rebuilt_warehouse_come_to_the_same(client: Client) -> None:
    """Loaded elsewhere, under other offsets, in two pieces, one of them twice."""
    entries = a_book()
    load_entries(client, entries[:9], partition=3, first_offset=1_000)
    load_entries(client, entries[9:], partition=3, first_offset=2_000)
    client.command("INSERT INTO legs SELECT * FROM legs SETTINGS insert_deduplicate = 0")
    client.command("INSERT INTO entries SELECT * FROM entries SETTINGS insert_deduplicate = 0")
    assert exported(client) == GOLDEN.read_bytes()


def test_a_chart_set_later_changes_no_window_that_is_closed(book: Client) -> None:
    second = exported(book, number=2)
    assert b"0018" in second
    assert b"0018" not in exported(book)
    assert {one["reversal_of"] for one in table(second)} == {""}


def test_a_trees_own_chart_comes_before_that_of_all(client: Client) -> None:
    state = State(0)
    own = a_chart(tree="A", branch="0099")
    commands = (open_agent("A"), a_deposit("A"), set_chart(), set_chart(own, "own"), window_due(), window_due(number=2))
    load_entries(client, [decided(state, command, AT + n) for n, command in enumerate(commands)])
    assert table(exported(client))[0]["branch"] == "0099"
    empty = exported(client, number=2).decode().splitlines()
    assert empty == [";".join(COLUMNS), "Total:;0;;;;0.00;0.00;0.00;RUB;;;;"], "nothing moved"


@pytest.mark.parametrize(("currency", "amount", "text"), [("JPY", 1_234, "1234"), ("KWD", 1_234, "1.234")])
def test_amounts_have_the_decimals_of_their_currency(client: Client, currency: str, amount: int, text: str) -> None:
    state = State(0)
    commands = (
        set_chart(a_chart(currencies=("RUB", currency))),
        open_agent("A", currency=currency),
        a_deposit("A", amount, currency=currency),
        a_place(agent="A", book="A", amount=1_000, fee=0, tariff=None, currency=currency,
                payee=a_payee(currency=currency)),
        window_due(),
    )  # fmt: skip
    load_entries(client, [decided(state, command, AT + n) for n, command in enumerate(commands)])
    deposit, held, total = table(exported(client))
    assert (deposit["amount"], deposit["currency"], held["amount"]) == (text, currency, str(Money(1_000, currency)))
    assert total["amount"] == str(Money(amount + 1_000, currency))


# --- what is not written


def test_what_cannot_be_posted_says_why(book: Client) -> None:
    with pytest.raises(NotClosed, match="window 4 of tree A is not closed: 3 is the last"):
        batch_of(book, "A", 4)


def test_without_a_chart_at_its_closing_nothing_is_posted(client: Client) -> None:
    state = State(0)
    commands = (open_agent("A"), a_deposit("A"), window_due(), set_chart())
    load_entries(client, [decided(state, command, AT + n) for n, command in enumerate(commands)])
    with pytest.raises(NoChart, match="no chart of accounts was in force when the window of tree A was closed"):
        batch_of(client, "A", 1)


def test_a_currency_that_the_chart_has_not_is_named(client: Client) -> None:
    state = State(0)
    commands = (open_agent("A", currency="USD"), a_deposit("A", currency="USD"), set_chart(), window_due())
    load_entries(client, [decided(state, command, AT + n) for n, command in enumerate(commands)])
    with pytest.raises(NotMapped, match=r"version 1 of the chart of all trees, .* has no USD account for agent"):
        batch_of(client, "A", 1)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("DELETE WHERE account = 'agent:S' AND seq = 2", "leg 2 of account agent:S RUB is missing"),
        ("DELETE WHERE account = 'fee'", "account fee RUB comes to 0 at leg 0, and was closed with 950 at leg 1"),
        ("UPDATE amount = amount + 1 WHERE account = 'agent:S' AND seq = 2", "account agent:S RUB comes to"),
        ("UPDATE account = 'agent:X' WHERE account = 'agent:S'", "account agent:X RUB moved and has no position"),
    ],
)
def test_what_does_not_add_up_leaves_no_file(
    client: Client, kassa: Kassa, sink_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    damage: str, says: str,
) -> None:  # fmt: skip
    load_entries(client, a_book())
    client.command(f"ALTER TABLE legs {damage} SETTINGS mutations_sync = 1")
    shown, out = _export(kassa, sink_settings, monkeypatch, "1", tmp_path / "out.csv")
    assert (shown.code, shown.out) == (1, "")
    assert shown.says(says, "run `kassa audit`"), shown
    assert not list(tmp_path.glob("*.csv*")) + list(tmp_path.glob(".*.part"))
    assert not out.exists()
    assert _export(kassa, sink_settings, monkeypatch, "1", None)[0].out == ""


def _export(kassa, settings, monkeypatch, number, out):
    monkeypatch.setenv("KASSA_CLICKHOUSE", settings.clickhouse)
    monkeypatch.setenv("KASSA_DATABASE", settings.database)
    more = () if out is None else ("--out", str(out))
    return kassa("postings", "export", "--tree", "A", "--window", number, *more), out


def test_the_command_writes_the_file_whole_or_prints_it(
    client: Client, kassa: Kassa, sink_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load_entries(client, a_book())
    shown, out = _export(kassa, sink_settings, monkeypatch, "1", tmp_path / "A_1.csv")
    assert shown.code == 0, shown
    assert shown.says("postings of", "RUB by version 1 of the chart", str(out))
    assert out.read_bytes() == GOLDEN.read_bytes()
    printed, _ = _export(kassa, sink_settings, monkeypatch, "1", None)
    assert printed.out.encode() == GOLDEN.read_bytes()
    for number, words in ("4", "is not closed"), ("99", "is not closed"):
        shown, _ = _export(kassa, sink_settings, monkeypatch, number, tmp_path / "none.csv")
        assert (shown.code, shown.says(words)) == (2, True)
    assert not (tmp_path / "none.csv").exists()


def test_a_window_closed_by_hand_is_posted_too(client: Client) -> None:
    state = State(0)
    commands = (set_chart(), open_agent("A"), a_deposit("A"), close_window())
    load_entries(client, [decided(state, command, AT + n) for n, command in enumerate(commands)])
    assert len(table(exported(client))) == 2
