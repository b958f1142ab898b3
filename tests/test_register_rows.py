"""A partner's register: what a row orders, which rows cannot be used and why, and totals that must be right."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.errors import BadInput
from console.register_rows import OrderedRow, Register
from console.registers import _Report, _stamp, _unchanged
from console.table_files.writing import write_table
from schemas.envelope import SigningKey
from schemas.money import Money
from schemas.payee import SubscriberField
from schemas.tariff import Fee, Tariff
from schemas.terminal import Terminal
from tests.builders import a_payee

HEADER = "txn_id;date;subscriber;amount\n"
TERMINAL = Terminal(id="partner", agent="S", tree="A", keys=(SigningKey.generate("partner:1", "EdDSA").public(),))
PHONE = SubscriberField(name="phone", title="Phone", pattern="[0-9]{10}")
MOBILE = a_payee(fields=(PHONE,), time_zone="Europe/Moscow")
CARD = a_payee("card", served="vouchers", denominations=(500,))
DOLLARS = a_payee("dollars", fields=(PHONE,), currency="USD")


def read(
    path: Path, content: str = "", *, payee: str | None = "mobile", fee_bps: int = 0
) -> tuple[list[OrderedRow], list[str]]:
    """What can be paid and what is wrong, once the totals were looked at."""
    if content:
        path.write_text(content)
    tariff = Tariff(payee="mobile", fee=Fee(rate_bps=fee_bps))
    on_file = {one.id: one for one in (MOBILE, DOLLARS, CARD)}
    reading = Register(path, TERMINAL, on_file, {"mobile": tariff}, payee).read()
    rows = list(reading)
    reading.check_totals()
    return rows, reading.errors.shown()


def test_a_row_is_an_order_of_cash_that_was_taken_by_the_payees_clock(tmp_path):
    (row,), _ = read(tmp_path / "a.csv", HEADER + "17;23.11.2026 01:30:00;9161234567;95,5\n", fee_bps=500)
    order = row.order
    assert (row.line, order.id, order.agent, order.payee) == (2, "partner.17", "S", "mobile")
    assert (order.subscriber, order.amount, order.fee, order.collected) == ({"phone": "9161234567"}, 9_550, 478, 10_028)
    assert order.made_at == datetime(2026, 11, 22, 22, 30, tzinfo=UTC)


def test_the_same_row_is_the_same_order_in_every_kind_of_file(tmp_path):
    names = ("txn_id", "date", "time", "subscriber", "amount", "fee", "payee")
    row = ("17", "2026-11-23", "10:05:07", "9161234567", Money(9_500, "RUB"), Money(0, "RUB"), "mobile")
    for format in ("csv", "xlsx", "dbf"):
        write_table(tmp_path / f"a.{format}", format, names, [row])  # type: ignore[arg-type]
    (tmp_path / "a.tsv").write_text("17\t23.11.2026 10:05:07\t9161234567\t95.00\nTotal:\t1\t95.00\n")
    digests = {read(tmp_path / f"a.{form}")[0][0].order.digest() for form in ("csv", "xlsx", "dbf", "tsv")}
    assert len(digests) == 1


def test_kassas_own_registry_is_read_as_a_register(tmp_path):
    text = (
        "txn_id;date;time;subscriber;other_fields;amount;fee;currency;payment_id;provider_ref\r\n"
        "1000000000000001;23.11.2026;10:05:07;9161234567;city=Omsk, flat=7;95.00;4.75;RUB;k.1;R1\r\n"
        "Total:;;;1;;95.00;4.75;RUB;;\r\n"
    )
    (row,), _ = read(tmp_path / "a.csv", text)
    assert row.order.subscriber == {"phone": "9161234567", "city": "Omsk", "flat": "7"}
    assert (row.order.number, row.order.fee) == (1_000_000_000_000_001, 475)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x;23.11.2026;9161234567;95", "line 2, column txn_id: 'x' is no number of 1 to 18 digits"),
        ("017;23.11.2026;9161234567;95", "line 2, column txn_id: '017' is no number"),
        (f"{10**18};23.11.2026;9161234567;95", "line 2, column txn_id: '1000000000000000000' is no number"),
        ("17;yesterday;9161234567;95", "line 2, column date: 'yesterday' is no day; write 23.11.2026 10:05:07"),
        ("17;23.11.2026;9161234567;0", "line 2, column amount: is zero"),
        ("17;23.11.2026;9161234567;-5", "line 2, column amount: '-5' is not an amount"),
        ("17;23.11.2026;9161234567;1,000", "line 2, column amount: '1,000' is not an amount in RUB"),
        ("17;23.11.2026;9161234567;95.005", "line 2, column amount: '95.005' is not an amount in RUB"),
        ("17;23.11.2026;9161234567;1e3", "line 2, column amount: '1e3' is not an amount in RUB"),
        ("17;23.11.2026;;95", "line 2: subscriber.phone: string should have at least 1 character"),
        ("17;23.11.2026;9161234567", "line 2: has 3 cells; 4 are wanted"),
        ("=1;23.11.2026;9161234567;95", "line 2, column txn_id: is a formula"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line_and_the_others_stay(tmp_path, row, said):
    rows, faults = read(tmp_path / "a.csv", f"{HEADER}{row}\n18;23.11.2026;9161234567;5\n")
    assert [one.order.number for one in rows] == [18]
    (found,) = faults
    assert found.startswith(said)


def test_a_number_stands_for_one_payment_in_a_file(tmp_path):
    rows, faults = read(tmp_path / "a.csv", HEADER + "17;23.11.2026;9161234567;5\n" * 2)
    assert (len(rows), faults) == (1, ["line 3, column txn_id: 17 stands on line 2 already"])


@pytest.mark.parametrize(
    ("columns", "cell", "said"),
    [
        (";payee", ";nobody", "column payee: there is no payee 'nobody'"),
        (";payee", ";", "column payee: the row names no payee; name one with --payee"),
        (";payee", ";card", "column payee: card sells vouchers, which no register pays for"),
        (";payee;currency", ";mobile;USD", "column currency: is 'USD'; mobile takes RUB"),
        (";payee;other_fields", ";mobile;city", "column other_fields: 'city' is not name=value"),
        (
            ";payee;other_fields",
            ";mobile;city=Omsk, phone=9160000000",
            "column other_fields: 'phone' is given twice: it is the subscriber's number",
        ),
    ],
)
def test_payee_and_currency_are_the_rows_or_the_commands(tmp_path, columns, cell, said):
    content = f"{HEADER.strip()}{columns}\n17;23.11.2026;9161234567;5{cell}\n"
    assert read(tmp_path / "a.csv", content, payee=None)[1] == [f"line 2, {said}"]


def test_a_row_whose_amount_no_fee_fits_says_so(tmp_path):
    text = HEADER + "17;23.11.2026;9161234567;5\n"
    path = tmp_path / "a.csv"
    path.write_text(text)
    steep = Tariff(payee="mobile", fee=Fee(rate_bps=10_000, base="collected"))
    reading = Register(path, TERMINAL, {"mobile": MOBILE}, {"mobile": steep}, "mobile").read()
    assert list(reading) == []
    assert "no fee fits it by the tariff of mobile" in reading.errors.shown()[0]


@pytest.mark.parametrize(
    ("total", "said"),
    [
        ("Total:\t2\t15.00", "the totals say '15.00', the rows come to 10.00 RUB"),
        ("Total:\t3\t10.00", "the totals count '3' rows, there are 2"),
        ("Total:", "the totals count '' rows, there are 2"),
        ("", "has no line 'Total:': it may be cut off"),
    ],
)
def test_a_registry_whose_totals_are_wrong_is_refused_whole(tmp_path, total, said):
    body = "".join(f"{number}\t23.11.2026 10:00:00\t9161234567\t5.00\n" for number in (1, 2))
    with pytest.raises(BadInput) as error:
        read(tmp_path / "a.txt", body + total + ("\n" if total else ""))
    assert said in str(error.value)


def test_totals_count_rows_that_cannot_be_paid_too_and_need_every_amount(tmp_path):
    late = "2\tsome day\t9161234567\t5.00\n"
    rows, faults = read(tmp_path / "a.txt", f"1\t23.11.2026\t9161234567\t5.00\n{late}Total:\t2\t10.00\n")
    assert (len(rows), len(faults)) == (1, 1)
    with pytest.raises(BadInput, match="1 rows have no amount that can be read"):
        read(tmp_path / "a.txt", "1\t23.11.2026\t9161234567\tx\nTotal:\t1\t5.00\n")


def test_totals_over_two_currencies_are_none(tmp_path):
    text = "txn_id;date;subscriber;amount;payee\n1;23.11.2026;9;5;mobile\n2;23.11.2026;9;5;dollars\nTotal:;;2;10;\n"
    with pytest.raises(BadInput, match="adds up RUB and USD"):
        read(tmp_path / "a.csv", text)


def test_another_file_than_the_one_that_was_looked_through_is_not_paid(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "17;23.11.2026;9161234567;5\n")
    before = _stamp(path)
    (tmp_path / "b.csv").write_text(HEADER + "18;23.11.2026;9161234567;9\n")
    (tmp_path / "b.csv").replace(path)
    reading = Register(path, TERMINAL, {"mobile": MOBILE}, {}, "mobile").read()
    with pytest.raises(BadInput, match="was changed while it was uploaded"):
        next(_unchanged(reading, _Report(io.BytesIO()), path, before))
