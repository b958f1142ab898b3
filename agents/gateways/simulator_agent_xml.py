"""Agent XML as a simulated payee speaks it. See docs/gateways/agent-xml.md."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.ElementTree import fromstring

from agents.gateways.agent_xml_request import QUESTIONS, digest_of
from agents.gateways.simulator_faults import Behaviour, Fault, debtor
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_question import Answer, BadRequest, Question, Said
from agents.gateways.simulator_wire import Reply, Request, Wire

# What is said -> the payment's status and result. A check has no status.
SAID = {
    Said.OK: (60, 0),
    Said.NOT_FINISHED: (50, 0),
    Said.TEMPORARY: (None, 13),
    Said.ABSENT: (None, 210),
    Said.CANCELLED: (160, 300),
    Said.INCONSISTENT: (None, 215),
}
REFUSED = 160

_COMMANDS = {name: step for step, name in QUESTIONS.items()}


class AgentXmlWire(Wire):
    """Options: `polls`: a payment is under way until it was asked about so often, pays and statuses together (0);
    `password`: the asker's, SHA-256 (any)."""

    def read(self, request: Request, behaviour: Behaviour) -> Question:
        try:
            root: Element = fromstring(request.body, forbid_dtd=True)
        except (ParseError, ValueError):
            raise BadRequest("expected a POST of well-formed XML without a DTD") from None
        _recognise(root, behaviour.options.get("password"))
        questions = [question for question in root.iterfind("providers/*") if question.tag in _COMMANDS]
        payments = [payment for question in questions for payment in question.findall("payment")]
        if request.method != "POST" or root.tag != "request" or len(questions) != 1 or len(payments) != 1:
            raise BadRequest("expected a POST of one question about one payment")
        to = payments[0].find("to")
        account, amount = ("", "") if to is None else (to.get("account", ""), to.get("amount", ""))
        return Question.read(request.payee, _COMMANDS[questions[0].tag], payments[0].get("id", ""), account, amount)

    def answer(self, payees: Payees, question: Question, at: int) -> Answer:
        answer = payees.answer(question, at)
        asked = payees.books[question.payee].asked
        polls = int(payees.behaviours[question.payee].options.get("polls", "0"))
        is_final = asked["pay", question.txn] + asked["status", question.txn] > polls
        if is_final or question.command == "check" or answer.said not in (Said.OK, Said.REFUSED):
            return answer
        return replace(answer, said=Said.NOT_FINISHED)

    def write(self, question: Question, answer: Answer, behaviour: Behaviour, fault: Fault | None) -> Reply:
        encoding = "windows-1251" if behaviour.cp1251 else "utf-8"
        status, result = SAID.get(answer.said, (REFUSED, answer.code))
        root = Element("response", result="0")
        asked = SubElement(SubElement(root, "providers"), QUESTIONS[question.command], result="0")
        payment = SubElement(asked, "payment", id=str(question.txn), result=str(result))
        if status is not None and question.command != "check":
            payment.set("status", str(status))
        if answer.paid is not None:
            payment.set("transaction", str(answer.paid.prv_txn))
        if amount := question.sum or (answer.paid.sum if answer.paid else ""):
            payment.set("amount", amount)
        if question.command == "check" and answer.said is Said.OK and (known := debtor(behaviour, question.account)):
            name, debt = known
            SubElement(payment, "extras", name=name, debt=f"{debt // 100}.{debt % 100:02}", period="01.2026")
        if behaviour.cp1251:
            payment.set("comment", "Платёж принят" if answer.said is Said.OK else "Отказ")
        body: bytes = tostring(root, encoding=encoding, xml_declaration=True)
        return Reply(body, f"text/xml; charset={encoding}")


def _recognise(root: Element, password: str | None) -> None:
    auth = root.find("auth")
    if auth is None or root.find("client") is None:
        raise BadRequest("expected who asks: auth and client")
    if password is not None and auth.get("sign") != digest_of(password.encode(), "sha256"):
        raise BadRequest("wrong password")
