"""An XML document from a stranger: one of a few charsets, no DTD, hence no entities; and its texts made fit to show."""

from __future__ import annotations

import codecs
import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

MAX_COMMENT = 200
MAX_PROVIDER_REF = 100

_DECLARED = re.compile(rb"""\A\s*<\?xml\b[^>]{0,100}?\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
# codecs' own names. Charsets in which ASCII is not ASCII (UTF-16, UTF-7) could hide one document in another.
_CHARSETS = frozenset({"utf-8", "cp1251", "ascii", "iso8859-1", "koi8-r", "cp866"})


class BrokenReply(ValueError):
    """Not a reply one can rely on. The text says what is wrong and holds nothing of the reply."""


def document(body: bytes, http_charset: str, root: str) -> Element:
    """The well-formed document in these bytes, which must have this root element.

    http_charset: of the Content-Type, used where the XML declares none; else UTF-8. Raises BrokenReply for everything
    else, a DTD included.
    """
    try:
        tree: Element = fromstring(_text(body, http_charset), forbid_dtd=True)
    except BrokenReply:
        raise
    except (ParseError, ValueError):  # ValueError: defusedxml's refusals, and characters no XML may hold
        raise BrokenReply("the reply is not well-formed XML, or has a DTD") from None
    if tree.tag != root:
        raise BrokenReply(f"the reply is not a {root!r} of the protocol")
    return tree


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
