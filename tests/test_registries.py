"""A payee's day as files: golden to the byte, and cut at the payee's own midnight."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from schemas.ids import instant_ms
from sinks.registries.build import Format, build
from sinks.registries.day import RegistryError, UnknownPayee, bounds_ms, read_day
from sinks.registries.table_csv import plain
from sinks.warehouse import rows
from tests.sink_builders import Bookkeeper, facts
from tests.sink_loading import load_directory, load_entries

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parent / "golden" / "registries"
DAY = date(2026, 3, 12)
MOSCOW = ZoneInfo("Europe/Moscow")


def at(moment: str, zone: str = "Europe/Moscow") -> int:
    """A local time such as "2026-03-12 23:59:59.999" as ms UTC."""
    return instant_ms(datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))


def a_payee(id: str = "mobile", currency: str = "RUB", time_zone: str = "Europe/Moscow") -> tuple[bytes, bytes]:
    record = {
        "id": id,
        "name": "Mobile",
        "gateway": "osmp",
        "currency": currency,
        "fields": [{"name": "phone", "title": "Phone", "pattern": ".+"}],
        "max_amount": 10_000_000,
        "time_zone": time_zone,
    }
    return id.encode(), orjson.dumps(record)


@pytest.fixture(scope="module")
def a_day(shared_client: Client) -> Client:
    """A day with everything a registry can stumble over; loaded in an order of its own."""
    payees = [a_payee(), a_payee("quiet"), a_payee("yen", "JPY", "Asia/Tokyo"), a_payee("two")]
    load_directory(shared_client, "payees", payees)
    book = Bookkeeper()
    book.pay(facts(4, received_at=at("2026-03-12 15:30:00.250"), subscriber={"phone": "+79161234567"}))
    book.pay(facts(1, received_at=at("2026-03-11 23:59:59.999"), subscriber={"phone": "the day before"}))
    book.pay(facts(5, received_at=at("2026-03-12 23:59:59.999"), amount=7, fee=0, subscriber={"phone": "900"}))
    book.pay(facts(2, received_at=at("2026-03-12 00:00:00.000"), subscriber={"phone": "=HYPERLINK(1)"}))
    book.pay(facts(6, received_at=at("2026-03-13 00:00:00.000"), subscriber={"phone": "the day after"}))
    contract = {"contract": 'a;b "c"', "phone": "x\ty\r\nz"}
    book.pay(facts(3, received_at=at("2026-03-12 00:00:00.000"), txn=7, subscriber=contract))
    book.pay(facts(7, received_at=at("2026-03-12 12:00:00"), payee="yen", currency="JPY", amount=500, fee=0))
    book.hold(facts(8, received_at=at("2026-03-12 12:00:00"), subscriber={"phone": "still held"}))
    book.hold(facts(9, received_at=at("2026-03-12 12:00:00"), subscriber={"phone": "voided"}))
    book.void(facts(9, received_at=at("2026-03-12 12:00:00"), subscriber={"phone": "voided"}))
    book.pay(facts(10, received_at=at("2026-03-12 10:00:00"), payee="two"))
    book.pay(facts(11, received_at=at("2026-03-12 10:00:00"), payee="two", currency="KZT"))
    load_entries(shared_client, book.entries)
    return shared_client


def test_a_reversal_is_a_line_of_its_own_day_and_the_registry_of_the_payment_is_unchanged(
    client: Client, tmp_path: Path
) -> None:
    """Whoever builds the old day again gets the same bytes, and the totals of both days add up to what is owed."""
    load_directory(client, "payees", [a_payee()])
    book = Bookkeeper()
    sold = [facts(number, received_at=at("2026-03-12 10:00:00")) for number in (1, 2, 3)]
    for one in sold:
        book.pay(one)
    book.reverse(sold[2], at("2026-03-12 11:00:00"))
    load_entries(client, book.entries)
    before = build(client, "mobile", DAY, "csv", tmp_path).read_bytes()
    load_entries(client, book.reverse(sold[0], at("2026-03-13 09:30:00")), first_offset=100)
    assert build(client, "mobile", DAY, "csv", tmp_path).read_bytes() == before
    assert before.splitlines()[-1] == b"Total:;;;4;;1900.00;100.00;RUB;;"
    lines = build(client, "mobile", date(2026, 3, 13), "tsv", tmp_path).read_text().splitlines()
    assert lines == [
        "1000001\t13.03.2026 09:30:00\t9161234567\t-950.00",
        "Total:\t1\t-950.00",
    ]


@pytest.mark.parametrize("payee", ["mobile", "quiet", "yen"])
@pytest.mark.parametrize("format", ["tsv", "csv"])
def test_a_days_file_is_golden(a_day: Client, payee: str, format: Format, tmp_path: Path) -> None:
    path = build(a_day, payee, DAY, format, tmp_path / "out")
    assert path == tmp_path / "out" / f"{payee}_2026-03-12.{format}"
    golden = GOLDEN / path.name
    if os.environ.get("KASSA_WRITE_GOLDEN"):
        golden.write_bytes(path.read_bytes())
    assert path.read_bytes() == golden.read_bytes()


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(a_day: Client, tmp_path: Path) -> None:
    path = tmp_path / "mobile_2026-03-12.tsv"
    path.write_text("yesterday's attempt")
    assert build(a_day, "mobile", DAY, "tsv", tmp_path) == path
    assert path.read_bytes() == (GOLDEN / path.name).read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(a_day: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mobile_2026-03-12.tsv"
    path.write_text("whole")

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        build(a_day, "mobile", DAY, "tsv", tmp_path)
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("payee", ["nobody", "", "../mobile", "mobile'; --"])
def test_an_unknown_payee_is_said_to_be_unknown(a_day: Client, payee: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownPayee, match="there is no payee"):
        build(a_day, payee, DAY, "tsv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_currencies_in_one_day_have_no_total(a_day: Client) -> None:
    with pytest.raises(RegistryError, match="was paid in KZT, RUB on 2026-03-12"):
        read_day(a_day, "two", DAY)


def test_totals_are_those_of_the_rows(a_day: Client) -> None:
    registry = read_day(a_day, "mobile", DAY)
    assert str(registry.amount) == "2850.07"
    assert registry.amount.minor == sum(row.amount.minor for row in registry.rows)
    assert registry.fee.minor == sum(row.fee.minor for row in registry.rows)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+7916", "'+7916"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("9161234567", "9161234567"),
        ("", ""),
        ("a=1", "a=1"),
    ],
)
def test_no_cell_is_a_formula(text: str, cell: str) -> None:
    assert plain(text) == cell


# --- midnights


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 12), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Beirut", date(2026, 3, 29), 23),  # there is no midnight: 00:00 is already 01:00
        ("America/Havana", date(2026, 11, 1), 25),  # 00:00 to 01:00 comes twice
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Asia/Kathmandu", date(2026, 3, 12), 24),
    ],
)
def test_a_day_is_from_one_midnight_to_the_next(zone: str, day: date, hours: float) -> None:
    from_ms, till_ms = bounds_ms(day, ZoneInfo(zone))
    assert till_ms - from_ms == hours * 3_600_000
    assert bounds_ms(day + timedelta(days=1), ZoneInfo(zone))[0] == till_ms


def test_registry_and_warehouse_agree_on_which_day_a_moment_is(client: Client) -> None:
    """Python's zones cut registries, ClickHouse's cut the view payee_day: around every odd midnight they agree."""
    zones = [
        ("Europe/Berlin", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 10, 25)),
        ("Asia/Beirut", date(2026, 3, 29)),
        ("America/Havana", date(2026, 11, 1)),
        ("Australia/Lord_Howe", date(2026, 4, 5)),
        ("Europe/Moscow", DAY),
    ]
    load_directory(client, "payees", [a_payee(f"p{n}", time_zone=zone) for n, (zone, _) in enumerate(zones)])
    moments = []
    for n, (zone, day) in enumerate(zones):
        from_ms, till_ms = bounds_ms(day, ZoneInfo(zone))
        moments += [(n, moment) for moment in (from_ms - 1, from_ms, till_ms - 1, till_ms)]
    book = Bookkeeper()
    for number, (n, moment) in enumerate(moments, 1):
        book.pay(facts(number, payee=f"p{n}", received_at=moment))
    load_entries(client, book.entries)
    found = rows(client, "SELECT payee, business_day, payments_count FROM payee_day ORDER BY payee, business_day")
    assert found == [
        (f"p{n}", day + timedelta(days=shift), count)
        for n, (_, day) in enumerate(zones)
        for shift, count in ((-1, 1), (0, 2), (1, 1))
    ]
