"""Writing agent XML requests: who asks, and one question about one payment."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from agents.gateways.amounts import sum_of, sum_of_payer
from agents.gateways.errors import NotSent
from schemas.entry import PaymentFacts
from schemas.ids import ms_instant
from schemas.outcome import Step

# The protocol's names of our questions; it has no cancel.
QUESTIONS: Mapping[str, str] = {
    "check": "checkPaymentRequisites",
    "pay": "addOfflinePayment",
    "status": "getPaymentStatus",
}
DIGESTS = frozenset({"sha256", "md5"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who we are at the payee: an agent's login, one of its terminals, and the service that is paid for there.

    sign: the password's digest, hexadecimal; algorithm: its name in capitals.
    """

    login: str
    terminal: str
    service: str
    sign: str
    algorithm: str


def digest_of(password: bytes, algorithm: str) -> str:
    """The password as the protocol sends it. algorithm: one of DIGESTS."""
    return hashlib.new(algorithm, password, usedforsecurity=False).hexdigest()


def request(step: Step, facts: PaymentFacts, asker: Asker) -> bytes:
    """The document, UTF-8: the same for every repeat of a step. Raises NotSent where a field cannot be sent."""
    root = Element("request")
    SubElement(root, "auth", login=asker.login, sign=asker.sign, signAlg=asker.algorithm)
    SubElement(root, "client", terminal=asker.terminal, software="kassa")
    question = SubElement(SubElement(root, "providers"), QUESTIONS[step])
    payment = SubElement(question, "payment", id=str(facts.txn))
    if step != "status":
        _describe(payment, step, facts, asker.service)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _describe(payment: Element, step: Step, facts: PaymentFacts, service: str) -> None:
    """Whom and how much; for a pay also what the payer gave for it, and the receipt's number and time."""
    (_, account), *further = ((name, _sendable(value)) for name, value in facts.subscriber.items())
    if step == "pay":
        SubElement(payment, "from", amount=sum_of_payer(facts), currency=facts.currency)
    SubElement(payment, "to", amount=sum_of(facts), currency=facts.currency, service=service, account=account)
    if step == "pay":
        at = ms_instant(facts.received_at)
        SubElement(payment, "receipt", id=str(facts.number), date=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    if further:
        if wrong := [name for name, _ in further if _NAME.fullmatch(name) is None]:
            raise NotSent("bad-field", f"the payee's field {wrong[0]!r} cannot be the name of an attribute")
        SubElement(payment, "extras", dict(further))


def _sendable(value: str) -> str:
    if _NO_XML.search(value):
        raise NotSent("bad-field", "a field of the subscriber has characters no XML may hold")
    return value
