"""From an HTTP request to a `Query`: URL parameters, headers, and what is in the body."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from sinks.embedded_codings import unpack
from sinks.embedded_engine import ExternalTable, Query
from sinks.embedded_errors import EngineError, ErrorCode
from sinks.embedded_session import SessionTerms
from sinks.embedded_sql import split

MAX_SESSION_TIMEOUT_S = 3_600

# What the HTTP interface itself understands. Everything else in a URL is a setting of the engine.
_INTERFACE_PARAMETERS = """
    query database default_format query_id wait_end_of_query buffer_size client_protocol_version stacktrace
    user password quota_key role session_id session_timeout session_check close_session
    compress decompress enable_http_compression http_zlib_compression_level add_http_cors_header readonly
    send_progress_in_http_headers http_headers_progress_interval_ms cancel_http_readonly_queries_on_client_close
"""
_RESERVED = frozenset(_INTERFACE_PARAMETERS.split())
_QUERY_ID = re.compile(r"[ -~]{1,256}")
_TABLE_SUFFIXES = ("_format", "_types", "_structure")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came. `headers` have lower-case names; `body` is still packed."""

    method: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


def read(request: HttpRequest) -> Query:
    """Errors: `EngineError` for a wrong password, and for what cannot be read as a query."""
    authenticate(request.headers, request.params)
    _refuse_native_compression(request.params)
    body = unpack(request.body, request.headers.get("content-encoding", ""))
    params = request.params
    tables: tuple[ExternalTable, ...] = ()
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        params, tables = _read_form(content_type, body, params)
        body = b""
    readonly = request.method != "POST" or params.get("readonly", "0") != "0"
    return Query(
        id=_query_id(params.get("query_id") or request.headers.get("x-clickhouse-query-id")),
        statement=split(_text(params.get("query", ""), body)),
        database=request.headers.get("x-clickhouse-database") or params.get("database", ""),
        default_format=request.headers.get("x-clickhouse-format") or params.get("default_format") or "TabSeparated",
        settings=_settings(params, with_tables=bool(tables)),
        params=_query_params(params),
        tables=tables,
        session=_session(params),
        readonly=readonly,
        streams=params.get("wait_end_of_query", "0") in {"", "0"},
    )


def authenticate(headers: Mapping[str, str], params: Mapping[str, str]) -> None:
    """There is one user, `default`, without a password. Errors: `EngineError` 516 for any other."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        user, password = headers.get("x-clickhouse-user", ""), headers.get("x-clickhouse-key", "")
    elif scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(credentials).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, password = "", credentials
    elif scheme:
        user, password = scheme, credentials
    else:
        user, password = params.get("user", ""), params.get("password", "")
    if user not in {"", "default"} or password:
        raise EngineError.raised(
            ErrorCode.AUTHENTICATION_FAILED,
            f"{user}: Authentication failed: password is incorrect, or there is no user with such name",
        )


def _refuse_native_compression(params: Mapping[str, str]) -> None:
    for name in ("compress", "decompress"):
        if params.get(name, "0") not in {"", "0", "false"}:
            raise EngineError.raised(
                ErrorCode.NOT_IMPLEMENTED,
                f"The embedded warehouse does not speak {name}=1; use Accept-Encoding and Content-Encoding",
            )


def _settings(params: Mapping[str, str], *, with_tables: bool) -> Mapping[str, str]:
    return {
        name: value
        for name, value in params.items()
        if name
        and name not in _RESERVED
        and not name.startswith("param_")
        and not (with_tables and name.endswith(_TABLE_SUFFIXES))
    }


def _query_params(params: Mapping[str, str]) -> Mapping[str, str]:
    given = {name[6:]: value for name, value in params.items() if name.startswith("param_")}
    for name, value in given.items():
        if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            raise EngineError.raised(ErrorCode.BAD_REQUEST_PARAMETER, f"Parameter {name} is not UTF-8")
    return given


def _session(params: Mapping[str, str]) -> SessionTerms | None:
    session_id = params.get("session_id")
    if not session_id:
        return None
    timeout = params.get("session_timeout", "60")
    if not timeout.isdecimal() or int(timeout) > MAX_SESSION_TIMEOUT_S:
        raise EngineError.raised(
            ErrorCode.INVALID_SESSION_TIMEOUT,
            f"Invalid session timeout: '{timeout}', at most {MAX_SESSION_TIMEOUT_S} seconds",
        )
    return SessionTerms(
        id=session_id,
        timeout_s=int(timeout),
        must_exist=params.get("session_check") == "1",
        close_after=params.get("close_session") == "1",
    )


def _text(in_url: str, body: bytes) -> bytes:
    """A query may begin in the URL and go on in the body."""
    head = in_url.encode("utf-8", "surrogateescape")
    return head + b"\n" + body if head and body else head or body


def _query_id(given: str | None) -> str:
    if given and not _QUERY_ID.fullmatch(given):
        raise EngineError.raised(ErrorCode.BAD_REQUEST_PARAMETER, "A query id has up to 256 printable characters")
    return given or str(uuid.uuid4())


def _read_form(
    content_type: str, body: bytes, params: Mapping[str, str]
) -> tuple[dict[str, str], tuple[ExternalTable, ...]]:
    """(the URL's parameters and the form's fields, its tables): a part with a file name is a table's rows."""
    fields, tables = dict(params), []
    for head, content in _parts(content_type, body):
        name = str(head.get_param("name", "", "content-disposition"))
        if head.get_filename() is None:
            fields[name] = content.decode("utf-8", "surrogateescape")
        else:
            tables.append(_table(name, content, params))
    return fields, tuple(tables)


def _parts(content_type: str, body: bytes) -> list[tuple[Message, bytes]]:
    outer = Message()
    outer["content-type"] = content_type
    boundary = outer.get_boundary()
    if not boundary:
        raise EngineError.raised(ErrorCode.BAD_REQUEST_PARAMETER, "A multipart form without a boundary")
    found = []
    for part in re.split(rb"(?:^|\r\n)--" + re.escape(boundary.encode()), body)[1:]:
        if part.startswith(b"--"):
            break
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        found.append((HeaderParser().parsestr(head.decode("utf-8", "replace")), content))
    return found


def _table(name: str, rows: bytes, params: Mapping[str, str]) -> ExternalTable:
    types = _top_level(params.get(f"{name}_types", ""))
    structure = params.get(f"{name}_structure") or ", ".join(f"_{i} {type_}" for i, type_ in enumerate(types, 1))
    if not structure:
        raise EngineError.raised(
            ErrorCode.BAD_REQUEST_PARAMETER, f"Neither structure nor types have been provided for table {name}"
        )
    return ExternalTable(name, structure, params.get(f"{name}_format", "TabSeparated"), rows)


def _top_level(types: str) -> list[str]:
    """`UInt8, Decimal(18, 2)` cut at the commas that stand in no brackets."""
    found, depth = [""], 0
    for sign in types:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            found.append("")
        else:
            found[-1] += sign
    return [type_.strip() for type_ in found if type_.strip()]
