"""A bank statement as ISO 20022 camt.053.001.08 (Bank to Customer Statement)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from console.amounts import calendar_day, minor_units
from console.bank_line import CUT, Credit, Fault, Statement
from console.errors import BadInput
from schemas.money import MoneyError

_SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_NS = {"c": _SPACE}


class _Numbered(XMLParser):  # type: ignore[misc]  # defusedxml ships no types
    """Elements know the line they begin on."""

    def _start(self, *args: Any) -> Element:
        element: Any = super()._start(*args)
        element.line = self.parser.CurrentLineNumber
        return element  # type: ignore[no-any-return]


def read_camt(content: bytes) -> Statement:
    """Each booked credit entry; of one that is a batch, each of its details. Raises BadInput when it is no camt.053."""
    parser = _Numbered(forbid_dtd=True)
    try:
        parser.feed(content)
        root: Element = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:  # the last: an encoding not known
        raise BadInput(f"the file is not sound XML: {error}") from None
    if root.tag != f"{{{_SPACE}}}Document":
        raise BadInput(f"the file is {root.tag.strip('{').partition('}')[0]}; what is read is {_SPACE}")
    statement = Statement()
    for one in root.iterfind("c:BkToCstmrStmt/c:Stmt", _NS):
        account = _text(one, "c:Acct/c:Id/c:IBAN") or _text(one, "c:Acct/c:Id/c:Othr/c:Id")
        for entry in one.iterfind("c:Ntry", _NS):
            _entry(statement, account, entry)
    return statement


def _entry(statement: Statement, account: str, entry: Element) -> None:
    is_reversal, is_credit = _text(entry, "c:RvslInd") in ("true", "1"), _text(entry, "c:CdtDbtInd") == "CRDT"
    is_booked = _text(entry, "c:Sts/c:Cd") == "BOOK"
    if not is_credit or not is_booked or is_reversal:
        statement.passed_over += 1
        statement.taken_back += is_reversal and is_booked and not is_credit
        return
    try:
        found = list(_credits(account, entry))
    except (MoneyError, BadInput) as error:
        statement.faults.append(Fault(_line(entry), str(error)))
        return
    statement.credits += found


def _credits(account: str, entry: Element) -> Iterator[Credit]:
    """Raises MoneyError, BadInput."""
    amount, currency = _amount(entry)
    booked = _day(entry)
    details = entry.findall("c:NtryDtls/c:TxDtls", _NS)
    _check_whole(entry)
    reference = _text(entry, "c:AcctSvcrRef")
    if len(details) < 2:
        own = _text(details[0], "c:Refs/c:AcctSvcrRef") if details else ""
        yield Credit(_line(entry), account, own or reference, booked, amount, currency, _words(entry))
        return
    parts = [_amount(one) for one in details]
    if {coin for _, coin in parts} != {currency} or sum(part for part, _ in parts) != amount:
        raise BadInput("the details of the entry do not add up to it")
    for one, (part, coin) in zip(details, parts, strict=True):
        own = _text(one, "c:Refs/c:AcctSvcrRef") or _text(one, "c:Refs/c:TxId")
        yield Credit(_line(one), account, own, booked, part, coin, _words(one))


def _check_whole(entry: Element) -> None:
    """Of a batch told in part nobody knows whose the rest is. Raises BadInput."""
    for one in entry.iterfind("c:NtryDtls", _NS):
        count, told = _text(one, "c:Btch/c:NbOfTxs"), len(one.findall("c:TxDtls", _NS))
        if told and count not in ("", str(told)):
            raise BadInput(f"the entry is a batch of {count} payments, of which the file has {told}")


def _amount(element: Element) -> tuple[int, str]:
    """Minor units and currency."""
    found = element.find("c:Amt", _NS)
    if found is None:
        raise BadInput("there is no amount")
    currency = found.get("Ccy", "")
    minor = minor_units((found.text or "").strip(), currency)
    if not minor:
        raise BadInput("the amount is zero")
    return minor, currency


def _day(entry: Element) -> date:
    """The day it was booked, as the bank writes it."""
    return calendar_day(_text(entry, "c:BookgDt/c:Dt") or _text(entry, "c:BookgDt/c:DtTm")[:10])


def _words(element: Element) -> str:
    """All that the payer wrote: structured references, and the free text in the pieces that the bank made of it."""
    structured = [one.text or "" for one in element.iterfind(".//c:RmtInf/c:Strd/c:CdtrRefInf/c:Ref", _NS)]
    free = CUT.join(one.text or "" for one in element.iterfind(".//c:RmtInf/c:Ustrd", _NS))
    return "\n".join([*structured, free])


def _text(element: Element, path: str) -> str:
    return (element.findtext(path, "", _NS) or "").strip()


def _line(element: Any) -> int:
    return int(element.line)
