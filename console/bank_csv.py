"""A bank statement as CSV: a header, then a row a movement."""

from __future__ import annotations

import csv
import io

from console.amounts import calendar_day, minor_units
from console.bank_line import Credit, Fault, Statement
from console.errors import BadInput
from schemas.money import MoneyError

COLUMNS = ("account", "reference", "booked", "amount", "currency", "text")


def read_csv(content: bytes) -> Statement:
    """UTF-8; separated by the header's semicolon, comma or tab. Raises BadInput when it is no such file.

    Amounts are major units with a dot; one below zero is a debit and passed over. Further columns are not looked at.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"the file is not UTF-8 at byte {error.start}") from None
    header = text.partition("\n")[0]
    delimiter = max(";,\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in COLUMNS if name not in names]:
            raise BadInput(f"the header must name {', '.join(COLUMNS)}; {', '.join(missing)} is missing")
        if twice := [name for name in COLUMNS if names.count(name) > 1]:
            raise BadInput(f"the header names {', '.join(twice)} more than once: which of them counts is not clear")
        statement, line = Statement(), reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _row(statement, line, names, cells)
            line = reader.line_num + 1  # of the next row: a quoted text may take several lines
        return statement
    except csv.Error as error:
        raise BadInput(f"line {reader.line_num}: {error}") from None


def _row(statement: Statement, line: int, names: list[str], cells: list[str]) -> None:
    if len(cells) != len(names):
        statement.faults.append(Fault(line, f"has {len(cells)} cells, the header {len(names)}"))
        return
    row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
    if row["amount"].startswith("-"):
        statement.passed_over += 1
        return
    try:
        amount = minor_units(row["amount"], row["currency"])
        booked = calendar_day(row["booked"])
    except (MoneyError, BadInput) as error:
        statement.faults.append(Fault(line, str(error)))
        return
    if not amount:
        statement.faults.append(Fault(line, "the amount is zero"))
        return
    if len(row["account"].split()) > 1:
        why = "the bank account has spaces in it: write it without, as camt.053 has it, or a credit could count twice"
        statement.faults.append(Fault(line, why))
        return
    statement.credits.append(
        Credit(line, row["account"], row["reference"], booked, amount, row["currency"], row["text"])
    )  # fmt: skip
