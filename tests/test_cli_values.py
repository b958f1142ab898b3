"""Numbers as people type them, running numbers, ids and orders given twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.amounts import basis_points, calendar_day, minor_units, named_values, percentage
from console.errors import BadInput
from console.fees import fee_on_top
from console.numbers import fresh_id, number_file, numbers_used, reserve_numbers
from console.repeats import remembered
from schemas.money import MoneyError
from schemas.tariff import Fee, Tariff
from streams.keyring import ensure_terminal_key
from streams.settings import Settings
from tests.builders import AT, a_tariff, an_order, set_tariff


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("950.00", "RUB", 95_000), ("950", "RUB", 95_000), ("0.5", "RUB", 50), ("7", "JPY", 7), ("1.234", "KWD", 1_234)],
)
def test_amounts_are_read_exactly(text: str, currency: str, minor: int) -> None:
    assert minor_units(text, currency) == minor


@pytest.mark.parametrize("text", ["", "-1", "+1", "1,5", "1e3", "0x10", "٣", " 1", "1.234", "NaN", "9" * 21])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        minor_units(text, "RUB")


@pytest.mark.parametrize(
    ("text", "bps"), [("5%", 500), ("0.5%", 50), ("0.05 %", 5), ("100%", 10_000), ("0%", 0), ("12.34%", 1_234)]
)
def test_percentages_are_read_exactly(text: str, bps: int) -> None:
    assert basis_points(text) == bps
    assert basis_points(percentage(bps)) == bps


@pytest.mark.parametrize("text", ["5", "5.%", "-5%", "0.005%", "101%", "5%%", "٥%", "", "1e1%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        basis_points(text)


@pytest.mark.parametrize("text", ["", "today", "2026-02-30", "26-1-1", "2026-11-23T10:00"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        calendar_day(text)


@pytest.mark.parametrize("texts", [["a"], ["=1"], ["a=1", "a=2"]])
def test_named_values_need_a_name_each(texts: list[str]) -> None:
    with pytest.raises(BadInput):
        named_values(texts)


@pytest.mark.parametrize(
    "fee",
    [
        Fee(),
        Fee(rate_bps=500),
        Fee(rate_bps=500, base="collected"),
        Fee(rate_bps=33, min_minor=100),
        Fee(rate_bps=777, max_minor=2_000, base="collected"),
        Fee(min_minor=1_000),
        Fee(rate_bps=9_999),
    ],
)
def test_a_fee_put_on_top_is_the_one_the_tariff_finds_in_the_total(fee: Fee) -> None:
    tariff = Tariff(payee="mobile", fee=fee)
    for amount in (1, 2, 99, 100, 95_000, 95_001, 10**9 + 7):
        found = fee_on_top(tariff, amount, "A/S", AT)
        assert found is not None
        assert fee.within(amount + found) == found


def test_no_fee_fits_where_everything_put_in_is_the_fee() -> None:
    assert fee_on_top(Tariff(payee="mobile", fee=Fee(rate_bps=10_000, base="collected")), 100, "A/S", AT) is None


def test_running_numbers_go_on_where_they_ended(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path)
    ensure_terminal_key(settings, "kiosk-7")
    assert [reserve_numbers(settings, "kiosk-7"), reserve_numbers(settings, "kiosk-7", 10)] == [1, 2]
    assert reserve_numbers(settings, "kiosk-7") == 12
    for last in (20, 5):  # what others used is not given out, and what was given out is not taken back
        numbers_used(settings, "kiosk-7", last)
    assert reserve_numbers(settings, "kiosk-7") == 21
    number_file(settings, "kiosk-7").write_text("twelve")
    with pytest.raises(BadInput, match="does not hold a number"):
        reserve_numbers(settings, "kiosk-7")


def test_command_ids_sort_by_time_and_differ() -> None:
    ids = [fresh_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert {len(one) for one in ids} == {26}
    assert ids[0][:6] == ids[-1][:6]


def test_an_order_repeated_under_its_id_is_the_same_to_the_last_byte(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path)
    first = an_order()
    later = first.model_copy(update={"made_at": first.made_at.replace(year=2027)})
    other = later.model_copy(update={"amount": 1})
    assert [remembered(settings, one, "made_at") for one in (first, later, other)] == [first, first, other]
    command = set_tariff(a_tariff()).command
    again = command.model_copy(update={"issued_at": command.issued_at.replace(year=2027)})
    assert remembered(settings, command, "issued_at") == command
    assert remembered(settings, again, "issued_at") == command
