"""One request's text told apart: the statement, the rows that follow it, the format it asks for.

A ClickHouse server parses a statement and leaves the rest of the body to the input format. chDB looks for the
next statement in that rest instead, and cuts binary rows in two at a stray `;` or blank line. So the split is made
here: only the statement's words are read, never the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sinks.embedded_errors import EngineError, ErrorCode

_TOKEN = re.compile(
    rb"""(?P<space> \s++ | --[^\n]*+ | \#[ !][^\n]*+ | /\*.*?\*/ )
       | (?P<quoted> '(?:[^'\\]++|\\.|'')*+' | "(?:[^"\\]++|\\.|"")*+" | `(?:[^`\\]++|\\.|``)*+` )
       | (?P<heredoc> \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
       | (?P<word> \w++ )
       | (?P<sign> . )""",
    re.VERBOSE | re.DOTALL,
)
# What a server skips between the format's name and the rows: a ninth column's count is a tab, so no more than this.
_BEFORE_ROWS = re.compile(rb"[ \t\f]*;?[ \t\f]*\r?\n?")

READING = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"})
_ONE_WORD = frozenset({"COMMIT", "ROLLBACK"})
_OPENING, _CLOSING = frozenset({b"(", b"[", b"{"}), frozenset({b")", b"]", b"}"})
_NO_CLAUSE_AFTER = frozenset({".", ",", "AS", "BY", "SELECT", "DISTINCT", "WHERE", "AND", "OR", "NOT", "ON"})
_NO_FORMAT = frozenset({"SETTINGS", "INTO", "ASC", "DESC"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word, quoted text or sign that stands in no brackets, in capitals, and its place in the text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` is what the engine runs; `rows` are the bytes of an INSERT that carries its data, in `format`.

    For a statement that answers, `format` is the one it names itself, `format_at` its place in `sql`.
    """

    verb: str
    sql: bytes
    format: str | None = None
    format_at: slice | None = None
    rows: bytes | None = None

    @property
    def reads(self) -> bool:
        return self.verb in READING

    @property
    def streams(self) -> bool:
        """Can the engine hand its result over block by block?"""
        return self.verb in {"SELECT", "WITH", "FROM"}

    def with_format(self, name: str) -> bytes:
        """The same statement answering in another format than it names."""
        if self.format_at is None:
            return self.sql
        return self.sql[: self.format_at.start] + name.encode() + self.sql[self.format_at.stop :]


def split(text: bytes) -> Statement:
    """The one statement in a request's text, and its rows.

    Errors: `EngineError` for no statement, for more than one, and for what a server does not do over HTTP.
    """
    verb = _verb(text)
    tokens = _tokens(text)
    return _insert(text, tokens) if verb == "INSERT" else _query(text, verb, tokens)


def _verb(text: bytes) -> str:
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "word":
            return match[0].decode().upper()
        if match.lastgroup != "space" and match[0] not in {b"(", b";"}:
            break
    raise EngineError.raised(ErrorCode.SYNTAX_ERROR, "Syntax error: Empty query, or one that starts with no word")


def _tokens(text: bytes) -> Iterator[Token]:
    depth = 0
    for match in _TOKEN.finditer(text):
        sign = match[0] if match.lastgroup == "sign" else b""
        depth -= sign in _CLOSING
        if depth <= 0 and match.lastgroup != "space":
            yield Token(match[0].decode("utf-8", "replace").upper(), match.start(), match.end())
        depth += sign in _OPENING


def _insert(text: bytes, tokens: Iterator[Token]) -> Statement:
    """INSERT [INTO] [TABLE] [FUNCTION] target [(columns)] [SETTINGS …] and then VALUES, FORMAT or a query."""
    named = False
    before = ""
    for token in tokens:
        word = token.text
        if not named:
            named = word not in {"INSERT", "INTO", "TABLE", "FUNCTION"}
        elif before == ".":
            pass
        elif word == "VALUES":
            return Statement("INSERT", text[: token.start], "Values", rows=text[token.end :])
        elif word == "FORMAT":
            return _insert_format(text, token, next(tokens, None))
        elif word == "INFILE" and before == "FROM":
            raise EngineError.raised(ErrorCode.UNKNOWN_TYPE_OF_QUERY, "Rows FROM INFILE are not read by a server")
        elif word in {"SELECT", "WITH"}:
            return _query(text, "INSERT", tokens)
        elif word == ";":
            _nothing_after(tokens)
        before = word
    return Statement("INSERT", text)


def _insert_format(text: bytes, clause: Token, name: Token | None) -> Statement:
    if name is None:
        raise EngineError.raised(ErrorCode.SYNTAX_ERROR, "Syntax error: FORMAT without a name")
    between = _BEFORE_ROWS.match(text, name.end)
    start = between.end() if between else name.end
    return Statement("INSERT", text[: clause.start], _written(text, name), rows=text[start:])


def _query(text: bytes, verb: str, tokens: Iterator[Token]) -> Statement:
    """Any statement without rows."""
    name: Token | None = None
    last = ("", "", "")  # the three tokens before this one
    for token in tokens:
        word = token.text
        if word == ";":
            _nothing_after(tokens)
            break
        _allow(verb, last[2], word)
        if verb == "WITH" and word == "INSERT":
            verb = word
        if last[2] == "FORMAT" and last[1] not in _NO_CLAUSE_AFTER and word not in _NO_FORMAT:
            name = token
        elif last[1] == "FORMAT" and word not in {"SETTINGS", "INTO"}:
            name = None  # `format` was a column: its clause ends a statement, or has only SETTINGS after it
        last = (last[1], last[2], word)
    if last == ("", "", verb) and verb not in _ONE_WORD:
        # chDB takes a lone `exit` or `quit` as a wish of its terminal client, and says nothing.
        raise EngineError.raised(ErrorCode.SYNTAX_ERROR, f"Syntax error: {verb} alone is no query")
    if name is None:
        return Statement(verb, text)
    return Statement(verb, text, _written(text, name), slice(name.start, name.end))


def _allow(verb: str, before: str, word: str) -> None:
    if before == "INTO" and word == "OUTFILE":
        raise EngineError.raised(ErrorCode.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    if verb == "INSERT" and before == "INPUT" and word == "(":
        raise EngineError.raised(ErrorCode.NOT_IMPLEMENTED, "The embedded warehouse has no INSERT SELECT from input()")


def _nothing_after(tokens: Iterator[Token]) -> None:
    if any(token.text != ";" for token in tokens):
        raise EngineError.raised(ErrorCode.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")


def _written(text: bytes, name: Token) -> str:
    """A format's name as the statement has it, without quotes."""
    return text[name.start : name.end].decode("utf-8", "replace").strip('`"')
