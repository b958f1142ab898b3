"""A payee's file becomes subscribers, or precise words about its lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.errors import BadInput
from console.subscriber_rows import NUMBER, OPTIONAL, SubscriberRows, check_columns
from console.table_files.reading import read_table
from schemas.subscribers import SubscriberRow
from tests.builders import a_payee


def read(
    path: Path, text: str, names: dict[str, str] | None = None, **payee: Any
) -> tuple[list[SubscriberRow], list[str]]:
    """The good rows, and what is said of the others."""
    path /= "list.csv"
    path.write_text(text, encoding="utf-8")
    names = names or {}
    table = read_table(
        path,
        columns=(names.get(NUMBER, NUMBER),),
        optional=tuple(names.get(what, what) for what in OPTIONAL),
        further="kept",
    )
    check_columns(table.further)
    rows = [SubscriberRow.model_validate_json(line) for line in SubscriberRows(table, a_payee(**payee), names)]
    return rows, table.errors.shown()


def test_every_column_has_its_meaning_and_the_rest_is_shown(tmp_path: Path) -> None:
    (one, two, three), wrong = read(
        tmp_path,
        "Number;Name;Debt;Denominations;Address;Tariff\n"
        "9160000001;Иванов И. И.;1234,5;100 200.50/300;Ленина, 5;home\n"
        "9160000002;;-10.00;;;\n"
        "9160000003;;;;;\n",
    )
    assert wrong == []
    assert (one.name, one.debt, one.denominations) == ("Иванов И. И.", 123_450, (10_000, 20_050, 30_000))
    assert [(field.name, field.text) for field in one.shown] == [("Address", "Ленина, 5"), ("Tariff", "home")]
    assert (two.debt, two.name, two.shown) == (-1_000, "", ())
    assert three == SubscriberRow(number="9160000003")


def test_a_file_s_own_names_of_columns_can_be_said(tmp_path: Path) -> None:
    (one,), wrong = read(tmp_path, "ls;dolg;number\n9160000001;5;7\n", {"number": "ls", "debt": "dolg"})
    assert (one.number, one.debt, one.shown[0].name, wrong) == ("9160000001", 500, "Number", [])


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("916;a;1", "line 2, column number: does not have the payee's format; the payee's field wants"),
        (";a;1", "line 2, column number: is empty"),
        ("9160000001;a;1.005", "line 2, column debt: is no amount in RUB; write it as 1234.50, without spaces"),
        ("9160000001;a;1 000", "line 2, column debt: is no amount"),
        ("9160000001;a;--1", "line 2, column debt: is no amount"),
        ("9160000001;a;1e3", "line 2, column debt: is no amount"),
        ("9160000001;a;1,000.00", "line 2, column debt: is no amount"),
        ("9160000001;a;99999999999999", "line 2, column debt: is no amount"),
        ("9160000001;" + "n" * 201 + ";1", "line 2, column name: has 201 characters; at most 200 are shown"),
        ("9160000001;a\u202eb;1", "line 2, column name: has characters that cannot be shown"),
        ("9160000001;a;1;2", "line 2: has 4 cells; 3 are wanted"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(tmp_path: Path, row: str, wrong: str) -> None:
    good, told = read(tmp_path, f"number;name;debt\n{row}\n9160000009;b;2\n")
    assert [one.number for one in good] == ["9160000009"]
    assert len(told) == 1
    assert told[0].startswith(wrong)


def test_a_number_that_is_there_twice_names_both_lines(tmp_path: Path) -> None:
    _, told = read(tmp_path, "number\n9160000001\n9160000002\n9160000001\n")
    assert told == ["line 4, column number: is the number of line 2 too; keep one of them"]


@pytest.mark.parametrize("fixed", ["0", "100 x", "-5", " ".join(["100"] * 51)])
def test_denominations_are_amounts_above_nothing(tmp_path: Path, fixed: str) -> None:
    _, told = read(tmp_path, f"number;denominations\n9160000001;{fixed}\n")
    assert told[0].startswith("line 2, column denominations: ")


def test_more_than_a_payer_could_be_shown_is_refused() -> None:
    with pytest.raises(BadInput, match="21 columns would be shown"):
        check_columns([f"c{number}" for number in range(21)])
    with pytest.raises(BadInput, match="a name of more than 64 characters"):
        check_columns(["c" * 65])
