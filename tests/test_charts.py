"""Charts of accounts: every kind of account has a number at the bank, or the chart is refused with what is wrong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from console.chart_file import read_chart
from console.errors import BadInput
from schemas.account_kinds import ACCOUNT_KINDS, kind_of, purpose_of
from schemas.chart import COMMON, Chart
from schemas.entry import EntryKind
from schemas.refusal import Refusal
from streams.ledger import accounts
from streams.ledger.state import State
from tests.audit_ledgers import a_ledger
from tests.builders import decided
from tests.builders_charts import a_chart, numbers, set_chart
from tests.cli_runs import Kassa

pytest_plugins = ["tests.cli_fixtures"]

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs" / "settlement.md"
_OF_BANK = r", the RUB account for bank, does not have the chart's format \d{20}"
FILE = DOCS.read_text().partition("```toml\n")[2].partition("```")[0]


def accounts_in_the_code() -> Iterator[str]:
    """How accounts begin in schemas and rules, `agent:`, and the constants for those that have nobody's name."""
    for path in [*sorted((ROOT / "schemas").glob("*.py")), *sorted((ROOT / "streams" / "ledger").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if re.fullmatch(r"[a-z][a-z-]*:", text) and text not in _NO_ACCOUNTS:
                yield text
    yield from (value for name, value in vars(accounts).items() if name.isupper() and isinstance(value, str))


_NO_ACCOUNTS = {"payment:"}  # the mark of change that has no code, within its account


def test_every_account_of_the_code_has_its_kind() -> None:
    found = {kind_of(account) for account in accounts_in_the_code()}
    assert {"agent", "hold", "payee", "change", "fee", "reward", "bank"} <= found
    assert found - ACCOUNT_KINDS.keys() == set()


def test_every_account_that_moves_has_its_kind() -> None:
    assert {kind_of(leg.account) for entry in a_ledger() for leg in entry.legs} <= ACCOUNT_KINDS.keys()


def test_a_payers_mark_is_in_no_purpose() -> None:
    assert purpose_of("change:9f86d081884c7d659a2feaa0c55ad015") == "change kept for a payer"
    assert purpose_of("agent:S") == "agent S"


# --- at the ledger


def test_a_chart_is_on_file_under_its_tree_or_for_all_of_them() -> None:
    state = State(0)
    common, own = decided(state, set_chart()), decided(state, set_chart(a_chart(tree="A"), "own"))
    assert (common.book, common.record.id, COMMON) == ("charts/_common", COMMON, COMMON)
    assert (own.book, own.record.id, own.record.value["tree"]) == ("charts/A", "A", "A")
    assert Chart(**common.record.value | {"tree": None}) == a_chart()


def test_a_version_only_grows() -> None:
    state = State(0)
    assert decided(state, set_chart(a_chart(2))).kind is EntryKind.DIRECTORY_SET
    for version, name in (1, "older"), (2, "same"):
        entry = decided(state, set_chart(a_chart(version), name))
        assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, Refusal.OTHER.code)
        assert entry.reason == "version 2 is on file; the next chart of all trees must be above it"
    assert decided(state, set_chart(a_chart(3), "newer")).kind is EntryKind.DIRECTORY_SET


@pytest.mark.parametrize(
    ("accounts", "sentence"),
    [
        ({"RUB": numbers(change="")}, "the chart has no RUB account for change: what is kept for a payer"),
        (
            {"RUB": numbers(), "USD": numbers("USD", **{"agent-fees": ""})},
            "the chart has no USD account for agent-fees: periodic fees taken from agents",
        ),
        (
            {"RUB": numbers(agnet="1" * 20)},
            "the chart has a RUB account for agnet, which is none of " + ", ".join(ACCOUNT_KINDS),
        ),
        ({"RUB": numbers(bank="3010281")}, f"3010281{_OF_BANK}"),
        ({"RUB": numbers(bank="1" * 21)}, f"{'1' * 21}{_OF_BANK}"),
    ],
)  # fmt: skip
def test_a_chart_that_does_not_map_every_account_is_refused_and_told_which(accounts, sentence) -> None:
    entry = decided(State(0), set_chart(a_chart(accounts=accounts)))
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.REFUSED, Refusal.OTHER.code, sentence)
    assert entry.record is None


@pytest.mark.parametrize("kind", ACCOUNT_KINDS)
def test_no_kind_may_be_missing(kind: str) -> None:
    entry = decided(State(0), set_chart(a_chart(accounts={"RUB": numbers(**{kind: ""})})))
    assert f"no RUB account for {kind}: " in entry.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"accounts": {}},
        {"accounts": {"XXX": numbers()}},
        {"accounts": {"RUB": numbers(bank="=1+1")}},
        {"accounts": {"RUB": numbers(bank="")  | {"bank": ""}}},
        {"branch": "@SUM(A1)"},
        {"digits": "("},
        {"digits": "(a+)+"},
        {"version": 0},
        {"tree": "_common"},
    ],
)  # fmt: skip
def test_what_is_no_chart_at_all_is_not_even_signed(changes) -> None:
    with pytest.raises(ValidationError):
        a_chart(**changes)


# --- as a file


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "chart.toml"
    path.write_text(FILE)
    return path


def test_the_chart_of_the_docs_is_one_that_would_be_taken(written: Path, kassa: Kassa) -> None:
    shown = kassa("chart", "check", str(written))
    assert (shown.code, shown.err) == (0, "")
    assert shown.says(f"all {len(ACCOUNT_KINDS)} kinds of accounts have a number in RUB")
    chart = read_chart(written, None, 1)
    assert {number[:5] for number in chart.accounts["RUB"].values()} >= {"20208", "40911", "40821", "70601", "30102"}


def test_a_chart_that_would_not_be_taken_is_told_before_it_is_sent(written: Path, kassa: Kassa) -> None:
    written.write_text(FILE.replace("\nchange = ", "\nchnage = "))
    shown = kassa("chart", "check", str(written))
    assert shown.code == 1
    assert shown.says(str(written), "the chart has no RUB account for change: what is kept for a payer")


def test_what_is_shown_in_json_can_be_set_again(tmp_path: Path) -> None:
    chart = a_chart(tree="A")
    path = tmp_path / "chart.json"
    path.write_text(chart.model_dump_json())
    assert read_chart(path, "A", 1) == chart
    with pytest.raises(BadInput, match="it is the chart of tree A: say --tree A"):
        read_chart(path, None, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("branch = ", "chart.toml: "),
        ("branch = '1'", "accounts: field required"),
        ("branch = '1'\n[accounts.RUB]\nbank = 5", "accounts.RUB.bank: "),
        ("branch = '1'\nowner = 1\n[accounts.RUB]\nbank = '5'", "owner: "),
        ("branch = '1'\n[accounts.ROUBLE]\nbank = '5'", "accounts.ROUBLE"),
        ("branch = 99999999999999999999", "exceeds 64-bit range"),
        pytest.param("branch = " + "[" * 5000 + "]" * 5000, "recursion", id="deep"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(written: Path, kassa: Kassa, text: str, says: str) -> None:
    written.write_text(text)
    shown = kassa("chart", "check", str(written))
    assert shown.code == 2
    assert shown.says(str(written), says)


def test_a_file_that_is_not_there_is_said_to_be_missing(kassa: Kassa) -> None:
    shown = kassa("chart", "check", "nowhere.toml")
    assert (shown.code, shown.says("nowhere.toml: cannot be read")) == (2, True)
