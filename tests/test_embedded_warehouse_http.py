"""The embedded warehouse as curl and other tools without a driver see it."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import lz4.frame
import pytest

from sinks.embedded import EmbeddedWarehouse
from sinks.embedded_http import READERS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWarehouse]:
    with EmbeddedWarehouse.start(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


@pytest.fixture
def http(warehouse: EmbeddedWarehouse) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=warehouse.url, timeout=30, headers={"Accept-Encoding": "identity"}) as client:
        yield client


def ask(http: httpx.Client, query: str, **params: str) -> httpx.Response:
    return http.get("/", params={"query": query, **params})


def tell(http: httpx.Client, body: str | bytes, **params: str) -> httpx.Response:
    answer = http.post("/", params=params, content=body)
    assert answer.status_code == 200, answer.text
    return answer


def await_true(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not come true in time"
        threading.Event().wait(0.01)


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_it_says_it_is_well(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.text) == (200, "Ok.\n")


@pytest.mark.parametrize(
    ("query", "params", "headers", "body", "content_type"),
    [
        ("SELECT 1, 'a'", {}, {}, "1\ta\n", "text/tab-separated-values; charset=UTF-8"),
        ("SELECT 1, 'a' FORMAT CSV", {}, {}, '1,"a"\n', "text/csv; charset=UTF-8; header=absent"),
        ("SELECT 1, 'a'", {"default_format": "CSV"}, {}, '1,"a"\n', "text/csv; charset=UTF-8; header=absent"),
        ("SELECT 1, 'a'", {}, {"X-ClickHouse-Format": "CSV"}, '1,"a"\n', "text/csv; charset=UTF-8; header=absent"),
        ("SELECT 1 AS x FORMAT JSONEachRow;", {}, {}, '{"x":1}\n', "application/x-ndjson; charset=UTF-8"),
        ("SELECT 1 AS x FORMAT TSVWithNames", {}, {}, "x\n1\n", "text/tab-separated-values; charset=UTF-8"),
        ("SELECT 1 AS x WHERE 0 FORMAT CSVWithNames", {}, {}, '"x"\n', "text/csv; charset=UTF-8; header=present"),
        ("SELECT 1 WHERE 0", {}, {}, "", "text/tab-separated-values; charset=UTF-8"),
    ],
)
def test_a_result_has_the_format_asked_for(
    http: httpx.Client, query: str, params: dict, headers: dict, body: str, content_type: str
) -> None:
    answer = http.get("/", params={"query": query, **params}, headers=headers)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, body, content_type)


def test_an_answer_has_the_headers_clients_look_for(http: httpx.Client) -> None:
    answer = ask(http, "SELECT number FROM numbers(3) FORMAT JSON", query_id="mine")
    assert json.loads(ask(http, "SELECT number FROM numbers(3)").headers["X-ClickHouse-Summary"])["read_rows"] == "3"
    assert answer.json()["data"] == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Format"] == "JSON"
    assert answer.headers["X-ClickHouse-Timezone"]
    assert answer.headers["X-ClickHouse-Server-Display-Name"]
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["read_rows"] == "3"


def test_a_query_may_be_in_the_url_in_the_body_or_in_both(http: httpx.Client) -> None:
    assert ask(http, "SELECT 1").text == "1\n"
    assert tell(http, "SELECT 2").text == "2\n"
    assert tell(http, "+ 2", query="SELECT 1").text == "3\n"
    assert http.request("GET", "/", content="SELECT 4", params={"database": "default"}).text == "4\n"


def test_parameters_and_settings_come_in_the_url(http: httpx.Client) -> None:
    answer = ask(
        http, "SELECT {a:UInt8} + 1, {b:String}, {c:Array(String)}", param_a="41", param_b=r"x\ty", param_c="['p','q']"
    )
    assert answer.text == "42\tx\\ty\t['p','q']\n"
    assert ask(http, "SELECT getSetting('max_block_size')", max_block_size="123").text == "123\n"
    assert (
        ask(http, "SELECT count() FROM numbers(9)", max_rows_to_read="5").headers["X-ClickHouse-Exception-Code"]
        == "158"
    )
    assert ask(http, "SELECT {a:UInt8}").headers["X-ClickHouse-Exception-Code"] == "456"
    assert http.get("/?query=SELECT+{a:String}&param_a=%FF").headers["X-ClickHouse-Exception-Code"] == "408"
    assert http.get("/?query=SELECT+hex('%FF')").text == "FF\n"


def test_a_request_without_a_session_leaves_nothing_behind(http: httpx.Client) -> None:
    before = ask(http, "SELECT getSetting('max_block_size'), currentDatabase()").text
    tell(http, "SET max_block_size = 77")
    tell(http, "USE system", max_block_size="78")
    tell(http, "CREATE TEMPORARY TABLE passing (a UInt8)")
    assert ask(http, "SELECT getSetting('max_block_size'), currentDatabase()").text == before
    assert ask(http, "SELECT * FROM passing").status_code == 404
    failing = "SELECT throwIf(number = 150000) FROM numbers(200000)"
    assert ask(http, failing, wait_end_of_query="1").status_code == 500
    assert ask(http, "SELECT 1", wait_end_of_query="1").text == "1\n"


def test_the_database_may_be_named(http: httpx.Client) -> None:
    assert ask(http, "SELECT name FROM one_table LIMIT 1", database="system").status_code == 404
    assert ask(http, "SELECT count() FROM one", database="system").text == "1\n"
    assert http.get("/?query=SELECT+count()+FROM+one", headers={"X-ClickHouse-Database": "system"}).text == "1\n"


def test_rows_come_in_the_body(http: httpx.Client) -> None:
    tell(http, "CREATE TABLE rows (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
    tell(http, b"1\tx;\n2\ty\n", query="INSERT INTO rows FORMAT TSV")
    tell(http, b'INSERT INTO rows FORMAT JSONEachRow {"a": 3, "b": "z\\u0000"}\n\n{"a": 4, "b": "; DROP TABLE rows"}')
    tell(http, "(5, 'v'), (6, 'w')", query="INSERT INTO rows VALUES")
    for coding, packed in (("gzip", gzip.compress(b"7,p\n")), ("lz4", lz4.frame.compress(b"8,q\n"))):
        answer = http.post(
            "/", params={"query": "INSERT INTO rows FORMAT CSV"}, content=packed, headers={"Content-Encoding": coding}
        )
        assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "1"
    assert ask(http, "SELECT groupArray(a), any(length(b)) FROM (SELECT * FROM rows ORDER BY a)").text.startswith(
        "[1,2,3,4,5,6,7,8]\t"
    )
    assert ask(http, "SELECT hex(b) FROM rows WHERE a = 3").text == "7A00\n"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("SELECT * FROM no_such_table", 404, "60"),
        ("SELEC 1", 400, "62"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("SELECT 1 FORMAT NoSuchFormat", 404, "73"),
        ("SELECT throwIf(number = 3) FROM numbers(9)", 500, "395"),
        ("SELECT 1 INTO OUTFILE 'x'", 500, "358"),
        ("", 400, "62"),
    ],
)
def test_an_error_has_the_servers_status_code_and_text(http: httpx.Client, query: str, status: int, code: str) -> None:
    answer = http.post("/", content=query)
    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert answer.text.endswith("(version 26.9.2.1)\n")


def test_an_unknown_setting_is_an_error(http: httpx.Client) -> None:
    for name in ("no_such_setting", "max_threads = 1, readonly"):
        answer = ask(http, "SELECT 1", **{name: "1"})
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (404, "115")


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE x (a UInt8) ENGINE = Memory", "INSERT INTO gets VALUES (1)", "DROP TABLE gets"]
)
@pytest.mark.parametrize("session", [{}, {"session_id": "reader"}])
def test_a_get_changes_nothing(http: httpx.Client, statement: str, session: dict[str, str]) -> None:
    tell(http, "CREATE TABLE IF NOT EXISTS gets (a UInt8) ENGINE = MergeTree ORDER BY a")
    answer = ask(http, statement, **session)
    assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (500, "164")
    assert "You should use method POST for modifying queries" in answer.text
    assert ask(http, "SELECT count() FROM gets").text == "0\n"


@pytest.mark.parametrize(
    ("params", "headers", "status"),
    [
        ({"user": "default", "password": ""}, {}, 200),
        ({}, {"X-ClickHouse-User": "default", "X-ClickHouse-Key": ""}, 200),
        ({}, {"Authorization": "Basic ZGVmYXVsdDo="}, 200),
        ({"user": "default", "password": "x"}, {}, 403),
        ({"user": "admin"}, {}, 403),
        ({}, {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "x"}, 403),
        ({}, {"Authorization": "Basic ZGVmYXVsdDp4"}, 403),
        ({}, {"Authorization": "Bearer x"}, 403),
    ],
)
def test_there_is_one_user_without_a_password(http: httpx.Client, params: dict, headers: dict, status: int) -> None:
    answer = http.get("/", params={"query": "SELECT 1", **params}, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["X-ClickHouse-Exception-Code"] == "516"
        assert "AUTHENTICATION_FAILED" in answer.text


@pytest.mark.parametrize("rows", [1, 1_000_000])
@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_answers_are_packed_when_the_client_asks(http: httpx.Client, rows: int, coding: str) -> None:
    query = f"SELECT number FROM numbers({rows})"
    answer = http.get("/", params={"query": query}, headers={"Accept-Encoding": coding})
    assert answer.headers["Content-Encoding"] == coding
    assert answer.text.splitlines()[-1] == str(rows - 1)
    plain = http.get("/", params={"query": query, "enable_http_compression": "0"}, headers={"Accept-Encoding": coding})
    assert "Content-Encoding" not in plain.headers
    assert plain.content == answer.content


def test_a_large_answer_is_sent_while_it_is_made(http: httpx.Client) -> None:
    with http.stream("GET", "/", params={"query": "SELECT number FROM numbers(100000000000)"}) as answer:
        assert next(answer.iter_lines()) == "0"
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT number FROM numbers(1000%'"
    await_true(lambda: ask(http, running).text == "0\n")


def test_a_failure_halfway_is_marked_in_the_answer(http: httpx.Client) -> None:
    answer = ask(http, "SELECT throwIf(number = 900000) FROM numbers(1000000)")
    tag = answer.headers["X-ClickHouse-Exception-Tag"]
    assert answer.status_code == 200
    assert answer.text.endswith(f" {tag}\r\n__exception__\r\n")
    assert f"\r\n__exception__\r\n{tag}\r\nCode: 395. DB::Exception: " in answer.text
    early = ask(http, "SELECT throwIf(number = 150000) FROM numbers(200000)")
    assert (early.status_code, early.headers["X-ClickHouse-Exception-Code"]) == (500, "395")
    whole = ask(http, "SELECT throwIf(number = 900000) FROM numbers(1000000)", wait_end_of_query="1")
    assert (whole.status_code, whole.headers["X-ClickHouse-Exception-Code"]) == (500, "395")


def test_a_query_nobody_waits_for_is_ended(http: httpx.Client, warehouse: EmbeddedWarehouse) -> None:
    """More of them than there are threads to read with: the next reader does not wait for them."""
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT max(%'"
    for _ in range(READERS + 1):
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(
                warehouse.url,
                params={"query": "SELECT max(sipHash64(number)) FROM numbers(1000000000000)"},
                timeout=0.1,
            )
    await_true(lambda: ask(http, running).text == "0\n")


def test_a_session_serves_one_query_at_a_time_and_ends(http: httpx.Client, warehouse: EmbeddedWarehouse) -> None:
    tell(http, "CREATE TEMPORARY TABLE mine (a UInt8)", session_id="s")
    assert ask(http, "SELECT count() FROM mine", session_id="s", session_check="1").text == "0\n"
    query = {"query": "SELECT number FROM numbers(100000000000)", "session_id": "s"}
    with http.stream("GET", "/", params=query) as slow:
        lines = slow.iter_lines()
        assert next(lines) == "0"
        busy = httpx.get(warehouse.url, params={"query": "SELECT 1", "session_id": "s"})
        assert busy.headers["X-ClickHouse-Exception-Code"] == "373"
        lines.close()
    await_true(lambda: ask(http, "SELECT 1", session_id="s").text == "1\n")
    assert ask(http, "SELECT count() FROM mine", session_id="s", close_session="1").text == "0\n"
    assert ask(http, "SELECT 1", session_id="s", session_check="1").headers["X-ClickHouse-Exception-Code"] == "372"


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_the_native_compression_is_refused_in_words(http: httpx.Client, name: str) -> None:
    answer = ask(http, "SELECT 1", **{name: "1"})
    assert answer.status_code == 501
    assert "Accept-Encoding" in answer.text
