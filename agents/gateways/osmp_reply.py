"""Reading an OSMP reply: XML from a stranger, in one of two charsets, about a payment that must be ours."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

MAX_COMMENT = 200
MAX_PROVIDER_REF = 100

_DECLARED = re.compile(rb"""\A\s*<\?xml\b[^>]{0,100}?\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
# codecs' own names. Charsets in which ASCII is not ASCII (UTF-16, UTF-7) could hide one document in another.
_CHARSETS = frozenset({"utf-8", "cp1251", "ascii", "iso8859-1", "koi8-r", "cp866"})
_RESULT = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_KNOWN = frozenset({"osmp_txn_id", "prv_txn", "sum", "result", "comment"})


class BrokenReply(ValueError):
    """Not a reply one can rely on. The text says what is wrong and holds nothing of the reply."""


@dataclass(frozen=True, slots=True)
class OsmpReply:
    """What the payee answered, as text where only the asker can judge it. sum: major units, or None."""

    txn: str
    result: int
    provider_ref: str
    sum: str | None
    comment: str


def read(body: bytes, http_charset: str = "") -> OsmpReply:
    """The reply in these bytes. http_charset: of the Content-Type, used where the XML declares none; else UTF-8.

    Raises BrokenReply for everything that is not exactly one well-formed reply without a DTD.
    """
    root = _tree(_text(body, http_charset))
    values: dict[str, str] = {}
    for child in root:
        if child.tag not in _KNOWN:
            continue
        if child.tag in values or len(child):
            raise BrokenReply("an element of the reply is there twice or has elements in it")
        values[child.tag] = (child.text or "").strip()
    if _RESULT.fullmatch(values.get("result", "")) is None:
        raise BrokenReply("the reply has no result code")
    return OsmpReply(
        txn=values.get("osmp_txn_id", ""),
        result=int(values["result"]),
        provider_ref=plain(values.get("prv_txn", ""), MAX_PROVIDER_REF),
        sum=values.get("sum") or None,
        comment=plain(values.get("comment", ""), MAX_COMMENT),
    )


def plain(text: str, limit: int) -> str:
    """The text on one line, without control or direction characters, at most `limit` characters."""
    shown = "".join(character if character.isprintable() else " " for character in text[: limit * 4])
    return " ".join(shown.split())[:limit]


def _text(body: bytes, http_charset: str) -> str:
    declared = _DECLARED.search(body.removeprefix(codecs.BOM_UTF8))
    charset = declared[1].decode("ascii") if declared else http_charset or "utf-8"
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        name = ""
    if name not in _CHARSETS:
        raise BrokenReply("the reply is in a charset that is not taken")
    try:
        return body.removeprefix(codecs.BOM_UTF8).decode(name)
    except UnicodeDecodeError:
        raise BrokenReply("the reply is not in the charset it names") from None


def _tree(text: str) -> Element:
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, ValueError):  # ValueError: defusedxml's refusals, and characters no XML may hold
        raise BrokenReply("the reply is not well-formed XML, or has a DTD") from None
    if root.tag != "response":
        raise BrokenReply("the reply is not an OSMP response")
    return root
