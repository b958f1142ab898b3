"""Reading an OSMP reply: XML from a stranger, in one of two charsets, about a payment that must be ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from xml.etree.ElementTree import Element

from agents.gateways.xml_reply import MAX_COMMENT, MAX_PROVIDER_REF, BrokenReply, document, plain

MAX_FIELDS = 100

_RESULT = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_KNOWN = frozenset({"osmp_txn_id", "prv_txn", "sum", "result", "comment"})


@dataclass(frozen=True, slots=True)
class OsmpReply:
    """What the payee answered, as text where only the asker can judge it. sum: major units, or None.

    fields: name and text of what is to be shown or printed, as they came.
    """

    txn: str
    result: int
    provider_ref: str
    sum: str | None
    comment: str
    fields: tuple[tuple[str, str], ...] = ()


def read(body: bytes, http_charset: str = "") -> OsmpReply:
    """The reply in these bytes. http_charset: of the Content-Type, used where the XML declares none; else UTF-8.

    Raises BrokenReply for everything that is not exactly one well-formed reply without a DTD.
    """
    root = document(body, http_charset, "response")
    values: dict[str, str] = {}
    fields: tuple[tuple[str, str], ...] = ()
    for child in root:
        if child.tag == "fields":
            fields = fields or _fields(child)
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
        fields=fields,
    )


def _fields(parent: Element) -> tuple[tuple[str, str], ...]:
    """`<field1 name="debt" type="disp">-15.20</field1>` …; what has elements in it, or no name, is passed by."""
    named = ((field.get("name") or "", field.text or "") for field in islice(parent, MAX_FIELDS) if not len(field))
    return tuple((name, text) for name, text in named if name)
