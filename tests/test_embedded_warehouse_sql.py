"""What of a request's text is the statement, what its rows; and how bodies are packed."""

from __future__ import annotations

import gzip
import zlib

import lz4.frame
import pytest
from backports import zstd

from sinks.embedded_codings import choose, packer, unpack
from sinks.embedded_errors import EngineError, http_status
from sinks.embedded_sql import split


@pytest.mark.parametrize(
    ("text", "head", "format_name", "rows"),
    [
        (b"INSERT INTO t VALUES (1);x", b"INSERT INTO t ", "Values", b" (1);x"),
        (b"insert into t (a, format) format CSV\n1,2\n\n3,4", b"insert into t (a, format) ", "CSV", b"1,2\n\n3,4"),
        (b"INSERT INTO t FORMAT Native\n\t\x00;\n", b"INSERT INTO t ", "Native", b"\t\x00;\n"),
        (b"INSERT INTO t FORMAT Native\n\n\x00", b"INSERT INTO t ", "Native", b"\n\x00"),
        (b"INSERT INTO t FORMAT Native\n\r\x00", b"INSERT INTO t ", "Native", b"\r\x00"),
        (b"INSERT INTO t FORMAT TSV ; \r\nx", b"INSERT INTO t ", "TSV", b"x"),
        (b"INSERT INTO db.values FORMAT `CSV` 1", b"INSERT INTO db.values ", "CSV", b"1"),
        (b"INSERT INTO t SETTINGS a='FORMAT b' FORMAT TSV\nx", b"INSERT INTO t SETTINGS a='FORMAT b' ", "TSV", b"x"),
        (
            b"INSERT INTO FUNCTION null('x FORMAT') FORMAT CSV\n1",
            b"INSERT INTO FUNCTION null('x FORMAT') ",
            "CSV",
            b"1",
        ),
        (
            b"/* VALUES */ INSERT INTO {t:Identifier} VALUES (1)",
            b"/* VALUES */ INSERT INTO {t:Identifier} ",
            "Values",
            b" (1)",
        ),
    ],
)
def test_an_insert_is_cut_where_its_rows_begin(text: bytes, head: bytes, format_name: str, rows: bytes) -> None:
    statement = split(text)
    assert (statement.sql, statement.format, statement.rows) == (head, format_name, rows)


@pytest.mark.parametrize(
    ("text", "verb", "format_name"),
    [
        (b"SELECT 1", "SELECT", None),
        (b"select ';' ; -- the end", "SELECT", None),
        (b"-- first\n/* and */ (SELECT 1) FORMAT CSV;", "SELECT", "CSV"),
        (b"SELECT 1 FORMAT `JSON` SETTINGS max_threads = 1", "SELECT", "JSON"),
        (b"SELECT format FROM t", "SELECT", None),
        (b"SELECT * FROM t ORDER BY format DESC", "SELECT", None),
        (b"SELECT * FROM (SELECT 1 FORMAT JSON)", "SELECT", None),
        (b"SELECT 'x FORMAT y', $$;FORMAT z$$", "SELECT", None),
        (b"WITH 1 AS x INSERT INTO t SELECT x", "INSERT", None),
        (b"INSERT INTO t SELECT * FROM s", "INSERT", None),
        (b"COMMIT", "COMMIT", None),
    ],
)
def test_a_query_is_known_by_its_verb_and_the_format_it_ends_with(
    text: bytes, verb: str, format_name: str | None
) -> None:
    statement = split(text)
    assert (statement.verb, statement.format, statement.rows, statement.sql) == (verb, format_name, None, text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", 62),
        (b" ; -- nothing", 62),
        (b"SELECT 1; SELECT 2", 62),
        (b"INSERT INTO t SELECT 1; DROP TABLE t", 62),
        (b"exit", 62),
        (b"\\l", 62),
        (b"SELECT 1 INTO OUTFILE 'x'", 358),
        (b"INSERT INTO t FROM INFILE 'x' FORMAT CSV", 78),
        (b"INSERT INTO t SELECT * FROM input('a Int8') FORMAT CSV\n1", 48),
    ],
)
def test_what_a_server_does_not_take_is_refused(text: bytes, code: int) -> None:
    with pytest.raises(EngineError) as refused:
        split(text)
    assert refused.value.code == code


def test_another_format_takes_the_place_of_the_one_named() -> None:
    assert split(b"SELECT 1 FORMAT Native SETTINGS a=1").with_format("CSV") == b"SELECT 1 FORMAT CSV SETTINGS a=1"


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress), ("lz4", lz4.frame.compress)],
)
def test_bodies_of_many_frames_are_unpacked_whole(coding: str, compress) -> None:
    frames = [bytes([n]) * 70_000 for n in range(3)]
    body = b"".join(map(compress, frames))
    assert unpack(body, coding) == b"".join(frames)
    with pytest.raises(EngineError, match="CANNOT_DECOMPRESS"):
        unpack(body[:-9], coding)


@pytest.mark.parametrize("coding", ["lz4", "zstd", "gzip", "deflate"])
def test_an_answer_is_packed_into_one_frame(coding: str) -> None:
    pack = packer(coding)
    body = b"".join([pack.compress(b"a" * 100_000), pack.compress(b"b"), pack.flush()])
    assert unpack(body, coding) == b"a" * 100_000 + b"b"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("", None), ("br", None), ("identity", None), ("gzip, zstd", "zstd"), ("lz4,zstd", "lz4"), ("gzip;q=0", None)],
)
def test_the_quickest_coding_a_client_takes_is_chosen(accepted: str, coding: str | None) -> None:
    assert choose(accepted) == coding


@pytest.mark.parametrize(("code", "status"), [(60, 404), (62, 400), (516, 403), (164, 500), (48, 501), (241, 500)])
def test_errors_have_the_status_a_server_gives_them(code: int, status: int) -> None:
    assert http_status(code) == status
