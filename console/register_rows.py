"""A partner's register of payments, a row a payment: what each row orders, and whether the file's totals are right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from console.amounts import minor_units, named_values, subscriber_fields
from console.errors import BadInput
from console.explain import fields
from console.fees import fee_on_top
from console.table_files.lines import LineErrors, Row, quoted
from console.table_files.reading import Table, read_table
from schemas.ids import instant_ms
from schemas.money import Money, MoneyError
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from schemas.tariff import Tariff
from schemas.terminal import Terminal
from streams.ledger.tariff_choice import agent_path

# The columns of the registry that Kassa writes; those behind them are of no use here.
COLUMNS = ("txn_id", "date", "subscriber", "amount")
OPTIONAL = ("time", "fee", "currency", "payee", "other_fields", "payment_id", "provider_ref")
# The TAB registry of this field has no header.
TAB_COLUMNS = ("txn_id", "date", "subscriber", "amount")
TOTAL = "Total:"

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_COMMA = re.compile(r"(\d+),(\d{1,2})", re.ASCII)
_DAYS = ("%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M", "%d.%m.%Y", "%Y-%m-%d")


class OrderedRow(NamedTuple):
    """A row that can be paid."""

    line: int
    order: PaymentOrder


class BadValue(BadInput):
    """Why a cell cannot be used: the column, what is wrong, what to do."""

    def __init__(self, column: str, wrong: str, todo: str = "") -> None:
        super().__init__(f"{column}: {wrong}")
        self.column, self.wrong, self.todo = column, wrong, todo


@dataclass(frozen=True, slots=True)
class Register:
    """A file and what its rows are read with. payee: of rows that name none. tariffs: the fee where none is named."""

    path: Path
    terminal: Terminal
    payees: Mapping[str, Payee]
    tariffs: Mapping[str, Tariff]
    payee: str | None = None
    encoding: str | None = None

    def read(self) -> Reading:
        """From its first row on; the file can be read again. Raises BadInput."""
        is_tab = self.path.suffix.lower() in (".tsv", ".txt")
        return Reading(
            self,
            read_table(
                self.path,
                columns=TAB_COLUMNS if is_tab else COLUMNS,
                optional=() if is_tab else OPTIONAL,
                header=not is_tab,
                total=TOTAL,
                encoding=self.encoding,
            ),
            is_tab,
        )


@dataclass(slots=True)
class Reading:
    """One pass over a register. What cannot be paid is in `errors`, by its line.

    amounts: of all rows, minor units by currency, good or bad; payable: of the good ones. unread: rows of which not
    even the amount is known.
    """

    register: Register
    table: Table
    is_tab: bool
    amounts: Counter[str] = field(default_factory=Counter)
    payable: Counter[str] = field(default_factory=Counter)
    good: int = 0
    _lines: dict[int, int] = field(default_factory=dict)
    _read: int = 0

    @property
    def errors(self) -> LineErrors:
        return self.table.errors

    @property
    def unread(self) -> int:
        return self.table.count - self._read

    def __iter__(self) -> Iterator[OrderedRow]:
        """Raises BadInput when the file as a whole cannot be used after all."""
        for row in self.table:
            try:
                order = self._order(row)
            except BadValue as bad:
                self.errors.add(row.line, bad.column, bad.wrong, bad.todo)
                continue
            self.good += 1
            self.payable[order.currency] += order.amount
            yield OrderedRow(row.line, order)

    def check_totals(self) -> None:
        """After all rows are read. Raises BadInput when the line of totals is not what the rows come to.

        A TAB registry must have one; any other file may.
        """
        total = self.table.total
        if total is None:
            if self.is_tab:
                raise BadInput(f"{self.register.path} has no line {TOTAL!r}: it may be cut off")
            return
        count, amount = (*total[1:3], "", "")[:2] if self.is_tab else self._total_cells(total)
        if count != str(self.table.count):
            raise BadInput(f"{self.register.path}: the totals count {quoted(count)} rows, there are {self.table.count}")
        if self.unread:
            raise BadInput(
                f"{self.register.path}: {self.unread} rows have no amount that can be read: no total is right"
            )
        if len(self.amounts) > 1:
            raise BadInput(f"{self.register.path} adds up {' and '.join(sorted(self.amounts))}: a file a currency")
        for currency, minor in self.amounts.items():
            if _major(amount) != str(Money(minor, currency)):
                told, found = quoted(amount), Money(minor, currency)
                raise BadInput(f"{self.register.path}: the totals say {told}, the rows come to {found} {currency}")

    def _total_cells(self, total: list[str]) -> tuple[str, str]:
        """Under which columns a table with a header has its totals: the count under the subscriber's."""
        places = self.table.places
        cells = [total[places[name]] if places[name] < len(total) else "" for name in ("subscriber", "amount")]
        return cells[0], cells[1]

    def _order(self, row: Row) -> PaymentOrder:
        """Raises BadValue."""
        cells, register = row.cells, self.register
        payee = self._payee(cells)
        amount = _amount("amount", cells["amount"], payee.currency)
        self.amounts[payee.currency] += amount
        self._read += 1
        if (currency := cells.get("currency")) and currency != payee.currency:
            raise BadValue("currency", f"is {quoted(currency)}; {payee.id} takes {payee.currency}")
        number = self._number(row)
        made_at = _moment(cells, payee.time_zone)
        fee = self._fee(cells, payee, amount, made_at)
        try:
            return PaymentOrder(
                id=f"{register.terminal.id}.{number}",
                terminal=register.terminal.id,
                number=number,
                agent=register.terminal.agent,
                payee=payee.id,
                subscriber=_subscriber(payee, cells),
                amount=amount,
                fee=fee,
                collected=amount + fee,
                currency=payee.currency,
                made_at=made_at,
            )
        except ValidationError as error:
            raise BadValue("", fields(error)) from None

    def _payee(self, cells: Mapping[str, str]) -> Payee:
        name = cells.get("payee") or self.register.payee
        if not name:
            raise BadValue("payee", "the row names no payee", "name one with --payee")
        payee = self.register.payees.get(name)
        if payee is None:
            raise BadValue("payee", f"there is no payee {quoted(name)}")
        if payee.served == "vouchers":  # a PIN is sealed to the terminal, and no report has one
            raise BadValue("payee", f"{name} sells vouchers, which no register pays for")
        return payee

    def _number(self, row: Row) -> int:
        text = row.cells["txn_id"]
        if not _NUMBER.fullmatch(text):
            raise BadValue("txn_id", f"{quoted(text)} is no number of 1 to 18 digits without zeros in front")
        number = int(text)
        if (first := self._lines.setdefault(number, row.line)) != row.line:
            raise BadValue("txn_id", f"{number} stands on line {first} already")
        return number

    def _fee(self, cells: Mapping[str, str], payee: Payee, amount: int, made_at: datetime) -> int:
        if told := cells.get("fee"):
            return _amount("fee", told, payee.currency, least=0)
        path = agent_path(self.register.terminal.tree, self.register.terminal.agent)
        fee = fee_on_top(self.register.tariffs.get(payee.id), amount, path, instant_ms(made_at))
        if fee is None:
            raise BadValue("amount", f"no fee fits it by the tariff of {payee.id}", "name the fee in column fee")
        return fee


def _amount(column: str, text: str, currency: str, *, least: int = 1) -> int:
    """Minor units. Raises BadValue."""
    try:
        minor = minor_units(_major(text), currency)
    except MoneyError as error:
        raise BadValue(column, str(error), "write it as 200.00") from None
    if minor < least:
        raise BadValue(column, "is zero")
    return minor


def _major(text: str) -> str:
    """With a dot: "100,50", as spreadsheets here write it, is 100.50; what could be thousands stays as it is."""
    match = _COMMA.fullmatch(text)
    return f"{match[1]}.{match[2]}" if match else text


def _moment(cells: Mapping[str, str], zone: str) -> datetime:
    """When it was paid, by the payee's clock; a day alone is its first second. Raises BadValue."""
    text = f"{cells['date']} {cells.get('time', '')}".strip()
    for form in _DAYS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise BadValue("date", f"{quoted(text)} is no day", "write 23.11.2026 10:05:07 or 2026-11-23 10:05:07")


def _subscriber(payee: Payee, cells: Mapping[str, str]) -> dict[str, str]:
    """Further fields of the payee are as a registry has them: "name=value, name=value". Raises BadValue."""
    text = cells.get("other_fields", "")
    try:
        others = named_values(text.split(", ")) if text else {}
        return subscriber_fields(payee.fields[0].name, cells["subscriber"], others)
    except BadInput as error:
        raise BadValue("other_fields", str(error)) from None
