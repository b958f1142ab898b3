"""Tables that people bring as files: what is read of each kind, what is refused in which words, and the way back."""

from __future__ import annotations

import codecs
import contextlib
import string
import struct
import time
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dbf
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from python_calamine import load_workbook as calamine

from console.errors import BadInput
from console.table_files import xlsx_book
from console.table_files.cells import BadCell, number
from console.table_files.lines import LineErrors
from console.table_files.reading import Table, read_table
from console.table_files.writing import Format, write_table
from schemas.money import Money
from tests import hypothesis_profiles  # noqa: F401  # sets how hard random tests try

COLUMNS = ("number", "name", "debt")
ROWS = [("79161234567", "Иванов И. И.", "100.50"), ("007", 'O\'Neill; "Q"', "0.3")]


SHARED = (
    '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>A</t></si>'
    "<si><r><t>Ива</t></r><r><rPr><b/></rPr><t>нов</t></r><rPh sb='0' eb='1'><t>spoken</t></rPh></si></sst>"
)
# How the cell with text "1" of `an_edited_book` is written there.
ONE = '<c r="A2" t="inlineStr"><is><t>1</t></is></c>'


def a_file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def a_book(path: Path, *rows: list[Any]) -> Path:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)
    return path


def an_edited_book(path: Path, *edits: tuple[str, str], member: str = "xl/worksheets/sheet1.xml") -> Path:
    """A book of one row with some text of one of its parts replaced."""
    original = a_book(path.with_suffix(".orig.xlsx"), ["number", "name", "debt"], ["1", "A", 5])
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for before, after in edits if name == member else ():
                assert before.encode() in content
                content = content.replace(before.encode(), after.encode())
            new.writestr(name, content)
        new.writestr("xl/sharedStrings.xml", SHARED)
    return path


def cells(table: Table) -> list[tuple[str, ...]]:
    return [tuple(row.cells.values()) for row in table]


def read(path: Path, **more: Any) -> list[tuple[str, ...]]:
    table = read_table(path, columns=COLUMNS, **more)
    found = cells(table)
    table.errors.refuse("nothing was read")
    return found


def faults(path: Path, **more: Any) -> list[str]:
    table = read_table(path, columns=COLUMNS, **more)
    list(table)
    return table.errors.shown()


# --- CSV and TSV


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_csv_separates_as_its_header_does_with_a_mark_of_utf8_or_without(tmp_path, separator, mark):
    text = f'Number; NAME ;debt\n1;Иванов;5.00\n\n2;"a{separator}b";6\n'.replace(";", separator)
    table = read_table(a_file(tmp_path / "a.csv", mark + text.encode()), columns=COLUMNS)
    assert [(row.line, *row.cells.values()) for row in table] == [
        (2, "1", "Иванов", "5.00"), (4, "2", f"a{separator}b", "6"),
    ]  # fmt: skip


def test_columns_come_in_any_order_and_an_optional_one_that_is_absent_is_empty(tmp_path):
    table = read_table(a_file(tmp_path / "a.csv", "b;a\n1;2\n"), columns=("a", "b"), optional=("c",))
    assert [row.cells for row in table] == [{"a": "2", "b": "1", "c": ""}]


def test_a_line_after_a_cell_of_several_lines_is_counted_as_an_editor_does(tmp_path):
    assert faults(a_file(tmp_path / "a.csv", 'number;name;debt\n1;"A\nB";5\n2;C\n')) == [
        "line 4: has 2 cells; 3 are wanted"
    ]


@pytest.mark.parametrize("encoding", ["cp1251", "cp866"])
def test_other_encodings_are_read_when_named_and_refused_at_their_line_when_not(tmp_path, encoding):
    path = a_file(tmp_path / "a.csv", "number;name;debt\n1;A;5\n2;Иванов;6\n".encode(encoding))
    assert read(path, encoding=encoding)[1] == ("2", "Иванов", "6")
    with pytest.raises(BadInput, match=r"a.csv: line 3 is not UTF-8: save it as UTF-8, or name its encoding"):
        read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("number;name\n", "the columns are debt missing: a table must have number, name, debt"),
        ("number;name;debt;debt\n", "debt given more than once"),
        ("number;name;debt;colour\n", "colour not known"),
        ("", "number, name, debt missing"),
        ("number;name;debt\n1;\0;5\n", "line 2 has a zero byte"),
        ("number;name;debt\n".encode("utf-16"), "the file is UTF-16"),
        ("number;name;debt\n1;И".encode()[:-1], "line 2, the last, breaks off within a character"),
        (";".join(map(str, range(201))), "the header has 201 columns"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, content, said):
    with pytest.raises(BadInput) as error:
        read(a_file(tmp_path / "a.csv", content))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("=1+1;A;5", "line 2, column number: is a formula; save the values, not the formulas"),
        ("1;A\x07;5", "line 2, column name: has a control character; type the cell anew"),
        (f"1;{'A' * 1001};5", "line 2, column name: has 1,001 characters; a cell has at most 1,000"),
        ("1;A;5;6", "line 2: has 4 cells; 3 are wanted"),
        ('1;"A"B;5', 'line 2: a quotation mark stands within a quoted cell; inside of one it is written twice: ""'),
    ],
)
def test_a_bad_row_is_reported_at_its_line_and_the_next_one_is_read(tmp_path, row, said):
    path = a_file(tmp_path / "a.csv", f"number;name;debt\n{row}\n2;B;6\n")
    table = read_table(path, columns=COLUMNS)
    assert (cells(table), table.errors.shown()) == ([("2", "B", "6")], [said])


def test_a_quotation_mark_that_is_never_closed_names_the_lines_it_swallowed(tmp_path):
    path = a_file(tmp_path / "a.csv", 'number;name;debt\n1;"A;5\n2;B;6\n')
    assert faults(path) == ["line 2: a quotation mark is opened and not closed (through line 3)"]


def test_the_registry_of_this_field_has_no_header_and_a_line_of_totals(tmp_path):
    path = a_file(tmp_path / "a.tsv", '7\t23.11.2026 10:00:00\t"9161234567\t95.00\nTotal:\t1\t95.00\n')
    table = read_table(path, columns=("txn", "time", "subscriber", "sum"), header=False, total="Total:")
    assert cells(table) == [("7", "23.11.2026 10:00:00", '"9161234567', "95.00")]
    assert (table.total, table.count) == (["Total:", "1", "95.00"], 1)


def test_totals_that_are_not_the_last_line_are_refused(tmp_path):
    path = a_file(tmp_path / "a.tsv", "Total:\t1\n7\t8\n")
    with pytest.raises(BadInput, match="line 2 follows the line of totals"):
        cells(read_table(path, columns=("a", "b"), header=False, total="Total:"))


def test_more_rows_than_wanted_end_the_reading(tmp_path):
    with pytest.raises(BadInput, match="more than 1 rows"):
        read(a_file(tmp_path / "a.csv", "number;name;debt\n1;A;5\n2;B;6\n"), max_rows=1)


@pytest.mark.parametrize(
    ("name", "said"), [("a.pdf", "one of .csv, .tsv"), ("none.csv", "there is no such file"), ("", "no such file")]
)
def test_a_file_of_another_kind_or_none_is_refused(tmp_path, name, said):
    a_file(tmp_path / "a.pdf", "%PDF")
    with pytest.raises(BadInput, match=said):
        read(tmp_path / name)


# --- XLSX


def test_a_sheet_is_read_with_its_numbers_as_they_are_shown(tmp_path):
    path = a_book(
        tmp_path / "a.xlsx",
        ["number", "name", "debt"], [79161234567, "Иванов", 0.1 + 0.2], [], ["007", None, -1.10],
        [7.9161234567e10, True, 1e-5],
    )  # fmt: skip
    table = read_table(path, columns=COLUMNS)
    assert [(row.line, *row.cells.values()) for row in table] == [
        (2, "79161234567", "Иванов", "0.3"), (4, "007", "", "-1.1"), (5, "79161234567", "true", "0.00001"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("0.30000000000000004", "0.3"), ("2.675", "2.675"), ("1.9899999999999999E-2", "0.0199"), ("100.00", "100"),
        ("7.9161234567E10", "79161234567"), ("-0", "0"), ("999999999999999", "999999999999999"), ("8.05", "8.05"),
    ],
)  # fmt: skip
def test_a_number_is_decimal_text_to_the_fifteenth_digit(written, shown):
    assert number(written) == shown


@pytest.mark.parametrize("written", ["1234567890123456", "1E999999999", "NaN", "Infinity", "1,5", "1e-30", "x", ""])
def test_a_number_no_spreadsheet_keeps_whole_is_refused(written):
    with pytest.raises(BadCell):
        number(written)


def test_days_and_moments_are_read_as_such_by_their_format(tmp_path):
    path = a_book(tmp_path / "a.xlsx", ["number", "name", "debt"],
                  [date(2026, 11, 23), datetime(2026, 11, 23, 10, 5, 7), 5])  # noqa: DTZ001  # fmt: skip
    assert read(path) == [("2026-11-23", "2026-11-23 10:05:07", "5")]


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (123456, "0000000000", "0000123456"), (9161234567, "0000000000", "9161234567"), (0, "0000", "0000"),
        (123456789, '"+7" (000) 000-0000', "0123456789"), (7, "00;[Red]-00", "07"), (-7, "000", "-007"),
        (1.5, "000.00", "001.5"), (5, "#,##0.00", "5"), (5, "0.00E+00", "5"), (5, '"00"0', "5"), (5, "General", "5"),
    ],
)  # fmt: skip
def test_zeros_in_front_that_a_cells_format_shows_are_part_of_its_text(tmp_path, value, form, shown):
    """A PIN or a contract without them is another one."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["number", "name", "debt"])
    sheet.append([value, "A", 5])
    sheet["A2"].number_format = form
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx") == [(shown, "A", "5")]


def test_a_hidden_sheet_is_not_what_its_owner_sees(tmp_path):
    book = Workbook()
    book.worksheets[0].append(["number", "name", "debt"])
    book.worksheets[0].append(["1", "hidden", 5])
    book.worksheets[0].sheet_state = "hidden"
    shown = book.create_sheet("shown")
    shown.append(["number", "name", "debt"])
    shown.append(["2", "A", 6])
    book.active = 1
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx") == [("2", "A", "6")]


def test_a_number_format_without_end_costs_no_time(tmp_path):
    """Eight megabytes of opening brackets took hours to look through."""
    book = Workbook()
    book.worksheets[0].append(["number", "name", "debt"])
    book.worksheets[0].append([7, "A", 5])
    book.worksheets[0]["A2"].number_format = "[" * 200_000
    book.save(tmp_path / "a.xlsx")
    began = time.process_time()
    assert read(tmp_path / "a.xlsx") == [("7", "A", "5")]
    assert time.process_time() - began < 2


def test_a_formula_is_refused_whatever_its_stored_value(tmp_path):
    path = a_book(tmp_path / "a.xlsx", ["number", "name", "debt"], ["1", "A", "=1+1"], ["2", "B", 5])
    table = read_table(path, columns=COLUMNS)
    assert cells(table) == [("2", "B", "5")]
    assert table.errors.shown() == ["line 2, column debt: is a formula; save the values, not the formulas"]


def test_a_shared_text_is_found_by_its_number_without_how_it_is_spoken(tmp_path):
    path = an_edited_book(tmp_path / "a.xlsx", (ONE, '<c r="A2" t="s"><v>1</v></c>'))
    assert read(path) == [("Иванов", "A", "5")]


def test_a_text_within_its_cell_leaves_out_how_it_is_spoken_too(tmp_path):
    spoken = ONE.replace("</is>", "<rPh sb='0' eb='1'><t>one</t></rPh></is>")
    assert read(an_edited_book(tmp_path / "a.xlsx", (ONE, spoken))) == [("1", "A", "5")]


def test_formatted_runs_of_a_text_are_one_text(tmp_path):
    rich = CellRichText("Ива", TextBlock(InlineFont(b=True), "нов"))
    assert read(a_book(tmp_path / "a.xlsx", ["number", "name", "debt"], ["1", rich, 5])) == [("1", "Иванов", "5")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (ONE, '<c r="A2" t="s"><v>2</v></c>', "line 2, column number: refers to a text that is not in the workbook"),
        ('t="n"><v>5<', 't="e"><v>#REF!<', "line 2, column debt: has the error #REF!; mend it"),
        ('t="n"><v>5<', 't="n"><v>1234567890123456<', "line 2, column debt: is a number of more than 15 digits"),
        ('r="C2"', 'r="XFD2"', "line 2: has a cell beyond column 200; delete it"),
        ('r="C2"', 'r="A2"', "line 2: has two cells in one place"),
        ('r="C2"', 'r="D2"', "line 2: has 4 cells; 3 are wanted"),
    ],
)
def test_a_bad_cell_of_a_sheet_is_reported_where_it_stands(tmp_path, before, after, said):
    (found,) = faults(an_edited_book(tmp_path / "a.xlsx", (before, after)))
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("<worksheet ", '<!DOCTYPE x [<!ENTITY a "b">]><worksheet ', "declares a document type"),
        ('<row r="2"', '<row r="1"', "row 1 of the sheet follows row 1"),
        ("</sheetData>", "", "is broken"),
    ],
)
def test_a_sheet_that_is_hostile_or_broken_is_refused(tmp_path, before, after, said):
    with pytest.raises(BadInput, match=said):
        read(an_edited_book(tmp_path / "a.xlsx", (before, after)))


def test_an_entity_in_another_part_of_the_workbook_is_refused(tmp_path):
    edit = ("<workbook ", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><workbook ')
    with pytest.raises(BadInput, match="workbook is broken"):
        read(an_edited_book(tmp_path / "a.xlsx", edit, member="xl/workbook.xml"))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = a_book(tmp_path / "a.xlsx", ["number", "name", "debt"], ["1", "A" * 900, 5])
    monkeypatch.setattr(xlsx_book, "MOST_SHEET_BYTES", 300)
    with pytest.raises(BadInput, match="unpacks to"):
        read(path)


@pytest.mark.parametrize("content", [b"\xd0\xcf\x11\xe0 an old .xls", b"PK\x05\x06" + bytes(18), b""])
def test_what_is_no_workbook_is_refused(tmp_path, content):
    with pytest.raises(BadInput, match="this is no XLSX"):
        read(a_file(tmp_path / "a.xlsx", content))


def test_a_damaged_workbook_is_refused_and_never_a_crash(tmp_path):
    good = a_book(tmp_path / "a.xlsx", ["number", "name", "debt"], *([str(n), "Иванов", n] for n in range(200)))
    content = good.read_bytes()
    for at in range(0, len(content), 37):
        bad = a_file(tmp_path / "b.xlsx", content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            read_and_count = len(list(read_table(bad, columns=COLUMNS)))
        except BadInput:
            continue
        assert read_and_count <= 200


# --- DBF


def a_dbf(path: Path, page: str = "cp866", *rows: tuple[Any, ...]) -> Path:
    """As the library `dbf` writes it, a witness that shares no code with ours."""
    table = dbf.Table(
        str(path), "number C(12); name C(30); debt N(12,2); since D; active L", codepage=page, dbf_type="db3"
    )
    table.open(dbf.READ_WRITE)
    for row in rows or [("79161234567", "Иванов", 100.5, date(2026, 11, 23), True), ("7", "Ёж", -0.1, None, False)]:
        table.append(row)
    table.close()
    return path


@pytest.mark.parametrize("page", ["cp866", "cp1251"])
def test_a_dbf_is_read_in_the_code_page_of_its_header(tmp_path, page):
    table = read_table(a_dbf(tmp_path / "a.dbf", page), columns=(*COLUMNS, "since", "active"))
    assert [(row.line, *row.cells.values()) for row in table] == [
        (1, "79161234567", "Иванов", "100.50", "2026-11-23", "true"), (2, "7", "Ёж", "-0.10", "", "false"),
    ]  # fmt: skip


def test_a_dbf_without_a_code_page_says_what_to_name_and_is_read_when_it_is(tmp_path):
    path = a_dbf(tmp_path / "a.dbf")
    content = bytearray(path.read_bytes())
    content[29] = 0
    a_file(path, bytes(content))
    assert faults(path, further=True)[0] == ("line 1, column name: is not ASCII; name its encoding: cp866 or cp1251")
    assert read(path, further=True, encoding="cp866")[0][1] == "Иванов"


def test_deleted_records_of_a_dbf_are_passed_over_and_count_as_lines(tmp_path):
    path = a_dbf(tmp_path / "a.dbf")
    content = bytearray(path.read_bytes())
    begins, width = struct.unpack_from("<HH", content, 8)
    content[begins] = 0x2A
    (row,) = read_table(a_file(path, bytes(content)), columns=COLUMNS, further=True)
    assert (row.line, row.cells["name"]) == (2, "Ёж")
    assert width == 1 + 12 + 30 + 12 + 8 + 1


def test_a_dbf_that_breaks_off_or_contradicts_itself_is_refused(tmp_path):
    content = a_dbf(tmp_path / "a.dbf").read_bytes()
    with pytest.raises(BadInput, match="breaks off"):
        read(a_file(tmp_path / "b.dbf", content[:-20]), further=True)
    with pytest.raises(BadInput, match="describes records of"):
        read(a_file(tmp_path / "c.dbf", content[:10] + b"\x05\x00" + content[12:]), further=True)
    with pytest.raises(BadInput, match="no DBF"):
        read(a_file(tmp_path / "d.dbf", b"\x99" + content[1:]), further=True)


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@given(st.one_of(st.binary(max_size=200), st.text("ab;,\t\r\n\"'=", max_size=60).map(str.encode)))
def test_no_bytes_crash_the_reader_of_text(tmp_path_factory, ending, noise):
    path = a_file(tmp_path_factory.getbasetemp() / f"noise.{ending}", b"a\n" + noise)
    with contextlib.suppress(BadInput):
        table = read_table(path, columns=("a",), total="Total:")
        assert sum(1 for _ in table) + table.errors.count == table.count


@given(st.binary(max_size=400))
def test_no_bytes_crash_the_reader_of_a_dbf(tmp_path_factory, noise):
    path = a_file(tmp_path_factory.getbasetemp() / "noise.dbf", b"\x03" + noise)
    with contextlib.suppress(BadInput):
        list(read_table(path, columns=("a",), further=True))


# --- Writing, and the way back


TEXTS = st.text(string.ascii_letters + string.digits + "'\"=+-@;, Ёжик№", max_size=20).map(str.strip)
AMOUNTS = st.integers(-(10**12), 10**12).map(lambda minor: Money(minor, "RUB"))


@pytest.mark.parametrize("format", ["csv", "xlsx", "dbf"])
@given(rows=st.lists(st.tuples(TEXTS.filter(bool), TEXTS, AMOUNTS), max_size=8))
@example(rows=[("=1+1", "'=x", Money(-5, "RUB")), ("+7916", "-", Money(30, "RUB"))])
def test_what_is_written_is_read_again(tmp_path_factory, format: Format, rows):
    path = tmp_path_factory.getbasetemp() / f"round.{format}"
    assert write_table(path, format, COLUMNS, rows) == len(rows)
    found = read(path)
    assert [row[:2] for row in found] == [row[:2] for row in rows]
    assert [Decimal(row[2]) for row in found] == [Decimal(str(row[2])) for row in rows]


@pytest.mark.parametrize("format", ["csv", "xlsx", "dbf"])
def test_a_table_written_in_each_format_is_what_other_readers_see(tmp_path, format: Format):
    path = tmp_path / f"a.{format}"
    write_table(path, format, COLUMNS, [("=cmd()", "Иванов", Money(10_050, "RUB")), ("2", "", Money(7, "RUB"))])
    if format == "csv":
        assert path.read_bytes().decode() == "number;name;debt\r\n'=cmd();Иванов;100.50\r\n2;;0.07\r\n"
    elif format == "xlsx":
        assert [cell.data_type for cell in load_workbook(path).worksheets[0][2]] == ["s", "s", "n"]
        assert calamine(path).get_sheet_by_index(0).to_python()[1:] == [["=cmd()", "Иванов", 100.5], ["2", "", 0.07]]
    else:
        with contextlib.closing(dbf.Table(str(path)).open()) as table:
            assert [[str(cell).strip() for cell in record] for record in table] == [
                ["=cmd()", "Иванов", "100.5"], ["2", "", "0.07"],
            ]  # fmt: skip


def test_nothing_is_written_when_the_rows_end_in_an_error(tmp_path):
    path = a_file(tmp_path / "a.csv", "old")
    with pytest.raises(BadInput, match=r"row 1 of .*: '☃' cannot be written in charmap"):
        write_table(path, "csv", ("a",), [("☃",)], encoding="cp1251")
    assert [path.read_text(), *tmp_path.iterdir()] == ["old", path]


def test_a_dbf_refuses_what_it_cannot_hold(tmp_path):
    for header, row, said in [
        (("a_long_name_1", "a_long_name_2"), ("1", "2"), "different names of ten"),
        (("a",), ("x" * 255,), "column A has a value of 255 bytes"),
        (("a",), ("☃",), "cannot be written"),
    ]:
        with pytest.raises(BadInput, match=said):
            write_table(tmp_path / "a.dbf", "dbf", header, [row])


def test_all_errors_are_counted_the_first_ones_shown(capsys):
    errors = LineErrors("a.csv", most=30)
    errors.refuse("nothing was loaded")
    for line in range(2, 52):
        errors.add(line, "debt", "is not an amount", "write 200.00")
    with pytest.raises(BadInput, match=r"^a.csv has 50 errors: nothing was loaded$"):
        errors.refuse("nothing was loaded")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "line 2, column debt: is not an amount; write 200.00"
    assert (len(said), said[-1], len(errors.kept)) == (21, "and 30 more", 30)
    assert (len(errors.take()), errors.take(), errors.count) == (30, [], 50)


@pytest.mark.parametrize("place", ["", "there"])
def test_a_directory_is_not_written_over_and_is_named(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_table(Path(place), "csv", ("a",), [("1",)])
    assert caught.value.filename == str(Path(place))
    assert list(Path("there").iterdir()) == []


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_table(tmp_path / "none" / "a.csv", "csv", ("a",), [("1",)])
    assert caught.value.filename == str(tmp_path / "none")
