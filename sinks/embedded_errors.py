"""What the embedded warehouse answers when it cannot do what it was asked: ClickHouse's own codes."""

from __future__ import annotations

import re
from enum import IntEnum

_ENGINE_TEXT = re.compile(r"Code: (\d+)\. ")
_VERSION = re.compile(r"\(version [^)]*\)\s*$")


class ErrorCode(IntEnum):
    """The codes raised here rather than by the engine, with the engine's names and numbers."""

    NOT_IMPLEMENTED = 48
    SYNTAX_ERROR = 62
    UNKNOWN_TYPE_OF_QUERY = 78
    UNKNOWN_COMPRESSION_METHOD = 89
    READONLY = 164
    TOO_MANY_SIMULTANEOUS_QUERIES = 202
    QUERY_IS_TOO_LARGE = 229
    CANNOT_DECOMPRESS = 271
    INTO_OUTFILE_NOT_ALLOWED = 358
    SESSION_NOT_FOUND = 372
    SESSION_IS_LOCKED = 373
    INVALID_SESSION_TIMEOUT = 374
    QUERY_WAS_CANCELLED = 394
    BAD_REQUEST_PARAMETER = 408
    AUTHENTICATION_FAILED = 516
    UNKNOWN_EXCEPTION = 1002


class EngineError(Exception):
    """A refused or failed query. `str()` is the text a ClickHouse server would send, without its line end."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @classmethod
    def raised(cls, code: ErrorCode, explanation: str) -> EngineError:
        return cls(code, f"Code: {code}. DB::Exception: {explanation}. ({code.name})")

    @classmethod
    def from_engine(cls, raised: BaseException) -> EngineError:
        """The engine's exception; chDB puts words of its own before the engine's text, which are dropped."""
        text = str(raised).strip()
        found = _ENGINE_TEXT.search(text)
        if found is None:
            return cls.raised(ErrorCode.UNKNOWN_EXCEPTION, text or type(raised).__name__)
        return cls(int(found[1]), text[found.start() :])

    def body(self, version: str) -> str:
        """The body of the HTTP answer: the text with the version a server adds, and a line end."""
        text = str(self)
        return f"{text}\n" if _VERSION.search(text) else f"{text} (version {version})\n"


# As the server maps them; what is not named here is a 500.
_BAD_REQUEST = {
    6,
    8,
    15,
    25,
    26,
    27,
    36,
    37,
    38,
    41,
    44,
    53,
    62,
    72,
    117,
    123,
    167,
    168,
    223,
    321,
    376,
    427,
    441,
    675,
    676,
}
_NOT_FOUND = {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511}
_FORBIDDEN = {192, 193, 497, 512, 516}
_STATUS = {
    **dict.fromkeys(_BAD_REQUEST, 400),
    **dict.fromkeys(_NOT_FOUND, 404),
    **dict.fromkeys(_FORBIDDEN, 403),
    **dict.fromkeys((76, 209, 439), 503),
    48: 501,
    159: 408,
    194: 401,
    229: 413,
    381: 411,
    779: 415,
}


def http_status(code: int) -> int:
    """The HTTP status a ClickHouse server gives with this error code."""
    return _STATUS.get(code, 500)
