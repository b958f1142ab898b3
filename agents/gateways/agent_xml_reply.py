"""Reading an agent XML reply: one answer to one question about one payment that must be ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from agents.gateways.xml_reply import MAX_COMMENT, MAX_PROVIDER_REF, BrokenReply, document, plain

_NUMBER = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PaymentSaid:
    """What the payee says of one payment. status: None: it says none. amount: major units, or None.

    told: what else it says of the subscriber, name and text.
    """

    id: str
    result: int
    status: int | None
    provider_ref: str
    amount: str | None
    comment: str
    told: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AgentXmlReply:
    """result: of the question as a whole; only where it is 0 there is a payment."""

    result: int
    payment: PaymentSaid | None


def read(body: bytes, http_charset: str, question: str) -> AgentXmlReply:
    """The answer to this question. http_charset: of the Content-Type, used where the XML declares none; else UTF-8.

    Raises BrokenReply for everything that is not exactly one well-formed answer without a DTD.
    """
    root = document(body, http_charset, "response")
    if result := _number(root, "result"):
        return AgentXmlReply(result, None)
    answer = _only(_only(root, "providers"), question)
    if result := _number(answer, "result"):
        return AgentXmlReply(result, None)
    return AgentXmlReply(0, _payment(_only(answer, "payment")))


def _payment(said: Element) -> PaymentSaid:
    return PaymentSaid(
        id=said.get("id", ""),
        result=_number(said, "result"),
        status=_number(said, "status") if "status" in said.attrib else None,
        provider_ref=plain(said.get("transaction", ""), MAX_PROVIDER_REF),
        amount=said.get("amount") or None,
        comment=plain(said.get("comment", ""), MAX_COMMENT),
        told=tuple(field for extras in said.findall("extras") for field in extras.attrib.items()),
    )


def _only(parent: Element, tag: str) -> Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise BrokenReply(f"the reply has {len(found) or 'no'} element {tag!r} where one belongs")
    return found[0]


def _number(element: Element, name: str) -> int:
    text = element.get(name, "")
    if _NUMBER.fullmatch(text) is None:
        raise BrokenReply(f"an element of the reply has no number as its {name}")
    return int(text)
