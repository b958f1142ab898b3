"""The embedded warehouse through an unmodified clickhouse-connect."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

from sinks.embedded import EmbeddedWarehouse

pytestmark = pytest.mark.integration

BYTES = {"String": "bytes"}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWarehouse]:
    with EmbeddedWarehouse.start(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


@pytest.fixture
def client(warehouse: EmbeddedWarehouse) -> Iterator[Client]:
    with a_client(warehouse) as connected:
        yield connected


@pytest.fixture
def table(client: Client, request: pytest.FixtureRequest) -> str:
    """A fresh table of (a UInt64, b String) that drops inserts it has had already."""
    name = f"t_{abs(hash(request.node.nodeid))}"
    create(client, name)
    return name


def a_client(warehouse: EmbeddedWarehouse, **options: object) -> Client:
    return clickhouse_connect.get_client(host=warehouse.host, port=warehouse.port, **options)


def await_true(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not come true in time"
        threading.Event().wait(0.01)


def create(client: Client, name: str) -> None:
    client.command(
        f"CREATE TABLE {name} (a UInt64, b String) ENGINE = MergeTree ORDER BY a "
        "SETTINGS non_replicated_deduplication_window = 100"
    )


def count(client: Client, table: str) -> int:
    return client.query(f"SELECT count() FROM {table}").result_rows[0][0]


# --- reading -------------------------------------------------------------------------------------------------


def test_a_client_finds_the_engine_its_version_and_settings(client: Client) -> None:
    assert client.server_version.startswith("26.")
    assert client.ping()
    assert client.command("SELECT 1 + 1") == 2
    assert "max_block_size" in client.server_settings


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("String", "quote ' backslash \\ tab \t newline \n zero \0 и кириллица"),
        ("Array(String)", ["a'b", "c\\d", "e\tf"]),
        ("Int64", -(2**63)),
        ("Decimal(38, 4)", Decimal("-12345678901234567890.1234")),
        ("DateTime64(6, 'UTC')", datetime(2026, 11, 23, 8, 45, 0, 123456, tzinfo=UTC)),
        ("Nullable(String)", None),
        ("Tuple(String, UInt8)", ("x", 7)),
    ],
)
def test_query_parameters_arrive_as_they_were_given(client: Client, type_name: str, value: object) -> None:
    answer = client.query(f"SELECT {{x:{type_name}}}", parameters={"x": value}, tz_mode="aware")
    assert answer.result_rows[0][0] == value


def test_parameters_too_long_for_a_url_travel_in_a_form(client: Client) -> None:
    text = "я" * 40_000
    assert client.query("SELECT length({x:String})", parameters={"x": text}).result_rows == [(80_000,)]


def test_an_empty_result_still_has_its_columns(client: Client) -> None:
    answer = client.query("SELECT 1 AS one, toLowCardinality('x') AS x, [1] AS list WHERE 0")
    assert answer.column_names == ("one", "x", "list")
    assert [column.name for column in answer.column_types] == ["UInt8", "LowCardinality(String)", "Array(UInt8)"]
    assert answer.result_rows == []


def test_external_data_is_a_table_for_one_query(client: Client) -> None:
    given = ExternalData(file_name="given", data=b"1\tone\n2\ttwo\n", fmt="TSV", structure=["a UInt8", "b String"])
    answer = client.query("SELECT a, b FROM given ORDER BY a DESC", external_data=given)
    assert answer.result_rows == [(2, "two"), (1, "one")]
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM given")


def test_a_million_rows_come_in_blocks(client: Client) -> None:
    blocks = total = rows = 0
    with client.query_column_block_stream("SELECT number, toString(number) FROM numbers(1000000)") as stream:
        for numbers, texts in stream:
            blocks, rows, total = blocks + 1, rows + len(texts), total + sum(numbers)
    assert (rows, total) == (1_000_000, 499_999_500_000)
    assert blocks > 10


def test_a_failure_halfway_through_a_stream_is_no_short_result(client: Client) -> None:
    with (
        pytest.raises(StreamFailureError, match="FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        client.query_row_block_stream("SELECT number, throwIf(number = 900000) FROM numbers(1000000)") as stream,
    ):
        for _ in stream:
            pass
    assert client.command("SELECT 7") == 7


def test_errors_carry_the_engines_code_and_leave_nothing_behind(client: Client) -> None:
    with pytest.raises(DatabaseError) as failed:
        client.query("SELECT * FROM no_such_table")
    assert (failed.value.code, failed.value.name) == (60, "UNKNOWN_TABLE")
    with pytest.raises(DatabaseError) as failed:
        client.query("SELECT throwIf(number = 150000) FROM numbers(200000)")
    assert failed.value.code == 395
    assert client.query("SELECT 1").result_rows == [(1,)]


async def test_the_asynchronous_client_works_too(warehouse: EmbeddedWarehouse) -> None:
    async with await clickhouse_connect.get_async_client(host=warehouse.host, port=warehouse.port) as client:
        await client.command("CREATE TABLE asynchronous (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        await client.insert("asynchronous", [[1, "x"], [2, "y"]], column_names=["a", "b"])
        answer = await client.query("SELECT * FROM asynchronous WHERE a > {a:UInt64}", parameters={"a": 1})
        assert answer.result_rows == [(2, "y")]


# --- writing -------------------------------------------------------------------------------------------------


def test_rows_of_every_kind_come_back_as_they_went(client: Client) -> None:
    client.command(
        "CREATE TABLE kinds (id UInt32, raw String, amount Decimal(38, 2), at DateTime64(6, 'UTC'), tags Array(String),"
        " legs Nested(account String, minor Int64), note Nullable(String), kind LowCardinality(String), day Date32,"
        " ref UUID) ENGINE = MergeTree ORDER BY id"
    )
    columns = ["id", "raw", "amount", "at", "tags", "legs.account", "legs.minor", "note", "kind"]
    at = datetime(2026, 11, 23, 8, 45, 0, 1, tzinfo=UTC)
    rows = [
        (1, bytes(range(256)), Decimal("-0.01"), at, [b"a", b";\n\n"], [b"cash", b"fee"], [-5, 5], None, b"x"),
        (2, b"", Decimal("9" * 36 + ".99"), at, [], [], [], b"\0", b""),
    ]
    client.insert("kinds", rows, column_names=columns)
    answer = client.query(f"SELECT {', '.join(columns)} FROM kinds ORDER BY id", query_formats=BYTES, tz_mode="aware")
    returned = [tuple(row) for row in answer.result_rows]
    assert [row[:8] for row in returned] == [row[:8] for row in rows]


@pytest.mark.parametrize("columns", [9, 10, 12, 13, 32, 59])
def test_a_native_block_may_begin_like_white_space(client: Client, columns: int) -> None:
    """Its first byte is the count of columns: a tab, a line end, a space, a semicolon."""
    names = [f"c{n}" for n in range(columns)]
    client.command(f"CREATE TABLE wide{columns} ({', '.join(f'{n} UInt8' for n in names)}) ENGINE = Memory")
    client.insert(f"wide{columns}", [range(columns)] * 3, column_names=names)
    assert client.query(f"SELECT * FROM wide{columns}").result_rows == [tuple(range(columns))] * 3


@pytest.mark.parametrize(
    ("format_name", "block"),
    [
        ("JSONEachRow", b'{"a": 1, "b": "x;"}\n\n{"a": 2, "b": "SELECT 1"}\n'),
        ("CSV", b'1,"x;"\n2,"SELECT 1"\n'),
        ("TSV", b"1\tx;\n2\tSELECT 1"),
        ("Values", b"(1, 'x;'), (1 + 1, 'SELECT 1')"),
    ],
)
@pytest.mark.parametrize("compression", [None, "zstd", "lz4", "gzip"])
def test_text_formats_are_inserted_raw(
    client: Client, table: str, format_name: str, block: bytes, compression: str | None
) -> None:
    packed = block if compression is None else pack(block, compression)
    client.raw_insert(table, ["a", "b"], packed, fmt=format_name, compression=compression)
    assert client.query(f"SELECT a, b FROM {table} ORDER BY a").result_rows == [(1, "x;"), (2, "SELECT 1")]


def pack(block: bytes, coding: str) -> bytes:
    from clickhouse_connect.driver.compression import get_compressor

    compressor = get_compressor(coding)
    return bytes(compressor.compress_block(block)) + (compressor.flush() or b"")


def test_an_insert_with_values_in_its_text(client: Client, table: str) -> None:
    client.command(f"INSERT INTO {table} VALUES (1, 'a; b'), (2, {{x:String}})", parameters={"x": "given ' \\"})
    client.command(f"INSERT INTO {table} SELECT 3, 'c'")
    expected = [(1, "a; b"), (2, "given ' \\"), (3, "c")]
    assert client.query(f"SELECT a, b FROM {table} ORDER BY a").result_rows == expected


def test_a_repeated_token_inserts_once(client: Client, table: str) -> None:
    rows = [[n, str(n)] for n in range(5_000)]
    for token in ("partition-3:100", "partition-3:100", "partition-3:200"):
        client.insert(table, rows, column_names=["a", "b"], settings={"insert_deduplication_token": token})
    assert count(client, table) == 10_000


def test_a_batch_is_one_part_whole_or_not_at_all(client: Client, table: str) -> None:
    client.insert(table, [[n, "x" * 100] for n in range(50_000)], column_names=["a", "b"])
    parts = client.query(f"SELECT count(), sum(rows) FROM system.parts WHERE table = '{table}' AND active")
    assert parts.result_rows == [(1, 50_000)]
    with pytest.raises(DatabaseError) as failed:
        client.raw_insert(table, ["a", "b"], b"1\tx\n" * 10_000 + b"not a number\ty\n", fmt="TSV")
    assert failed.value.code == 27
    assert count(client, table) == 50_000


def test_a_materialized_view_is_fed_once_per_token(client: Client, table: str) -> None:
    client.command(f"CREATE TABLE sums_{table} (k UInt64, n UInt64) ENGINE = SummingMergeTree ORDER BY k "
                   "SETTINGS non_replicated_deduplication_window = 100")  # fmt: skip
    client.command(f"CREATE MATERIALIZED VIEW mv_{table} TO sums_{table} AS "
                   f"SELECT a % 3 AS k, count() AS n FROM {table} GROUP BY k")  # fmt: skip
    for token in ("one", "one", "two"):
        client.insert(table, [[n, ""] for n in range(9)], column_names=["a", "b"],
                      settings={"insert_deduplication_token": token})  # fmt: skip
    assert client.query(f"SELECT k, sum(n) FROM sums_{table} GROUP BY k ORDER BY k").result_rows == [
        (0, 6),
        (1, 6),
        (2, 6),
    ]


# --- sessions, users, many at once ---------------------------------------------------------------------------


def test_a_session_keeps_its_own_things_and_not_what_a_query_brought(warehouse: EmbeddedWarehouse) -> None:
    with a_client(warehouse) as one, a_client(warehouse) as other:
        one.command("CREATE TEMPORARY TABLE mine (a UInt8)")
        one.command("SET max_block_size = 1234")
        assert one.query("SELECT count() FROM mine").result_rows == [(0,)]
        assert one.command("SELECT getSetting('max_threads')", settings={"max_threads": 7}) == 7
        assert one.command("SELECT getSetting('max_threads')") != 7
        assert one.command("SELECT getSetting('max_block_size')") == 1234
        assert other.command("SELECT getSetting('max_block_size')") != 1234
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
            other.query("SELECT * FROM mine")


def test_a_client_may_name_its_database(warehouse: EmbeddedWarehouse, client: Client) -> None:
    client.command("CREATE DATABASE elsewhere")
    with a_client(warehouse, database="elsewhere") as other:
        create(other, "here")
        other.insert("here", [[1, "x"]], column_names=["a", "b"])
    assert count(client, "elsewhere.here") == 1
    assert client.command("SELECT currentDatabase()") == "default"


def test_a_wrong_password_is_refused(warehouse: EmbeddedWarehouse) -> None:
    for credentials in ({"password": "guess"}, {"username": "admin"}):
        with pytest.raises(DatabaseError) as refused:
            a_client(warehouse, **credentials)
        assert refused.value.code == 516


def test_many_clients_read_and_write_at_once(warehouse: EmbeddedWarehouse, client: Client, table: str) -> None:
    def work(worker: int) -> int:
        with a_client(warehouse) as mine:
            for batch in range(5):
                first = worker * 1_000 + batch * 100
                mine.insert(table, [[first + n, f"w{worker}"] for n in range(100)], column_names=["a", "b"])
                counted = mine.query(f"SELECT count() FROM {table} WHERE b = {{w:String}}",
                                     parameters={"w": f"w{worker}"})  # fmt: skip
                assert counted.result_rows == [((batch + 1) * 100,)]
        return worker

    with ThreadPoolExecutor(8) as workers:
        assert sorted(workers.map(work, range(8))) == list(range(8))
    assert client.query(f"SELECT count(), uniqExact(a) FROM {table}").result_rows == [(4_000, 4_000)]


def test_a_slow_query_holds_up_no_insert(warehouse: EmbeddedWarehouse, client: Client, table: str) -> None:
    forever = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
    ended: list[DatabaseError] = []

    def run_forever() -> None:
        with a_client(warehouse) as slow, pytest.raises(DatabaseError) as stopped:
            slow.command(forever)
        ended.append(stopped.value)

    slow = threading.Thread(target=run_forever)
    slow.start()
    running = f"SELECT count() FROM system.processes WHERE query LIKE '{forever}%'"
    await_true(lambda: client.command(running) == 1)
    for n in range(5):
        client.insert(table, [[n, "x"]], column_names=["a", "b"])
    assert count(client, table) == 5
    assert client.command(running) == 1
    client.command(f"KILL QUERY WHERE query LIKE '{forever}%' SYNC")
    slow.join(10)
    assert [error.code for error in ended] == [394]
