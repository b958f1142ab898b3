"""OSMP as a simulated payee speaks it. See docs/gateways/osmp.md."""

from __future__ import annotations

from xml.sax.saxutils import escape

from agents.gateways.simulator_faults import Behaviour, Fault, debtor
from agents.gateways.simulator_question import Answer, BadRequest, Question, Said
from agents.gateways.simulator_wire import Reply, Request, Wire

CODES = {
    Said.OK: 0,
    Said.TEMPORARY: 1,
    Said.NOT_FINISHED: 90,
    Said.ABSENT: 210,
    Said.CANCELLED: 300,
    Said.INCONSISTENT: 300,
    Said.NOT_PAID: 300,
    Said.NO_CANCELS: 7,
    Said.TOO_LATE: 8,
    Said.KEPT: 300,
}
_XML = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<response><osmp_txn_id>{txn}</osmp_txn_id>{prv_txn}'
    "<sum>{sum}</sum><result>{result}</result><comment>{comment}</comment>{fields}</response>\n"
)


class OsmpWire(Wire):
    def read(self, request: Request, behaviour: Behaviour) -> Question:
        asked = (request.query.get(name, "") for name in ("command", "txn_id", "account", "sum"))
        question = Question.read(request.payee, *asked)
        if request.method != "GET" or not question.has_terms:
            raise BadRequest("expected a GET with command, txn_id, account and sum")
        return question

    def write(self, question: Question, answer: Answer, behaviour: Behaviour, fault: Fault | None) -> Reply:
        encoding = "windows-1251" if behaviour.cp1251 else "UTF-8"
        comment = ("Платёж принят" if answer.said is Said.OK else "Отказ") if behaviour.cp1251 else ""
        paid = answer.paid if answer.said is Said.OK else None
        prv_txn = f"<prv_txn>{paid.prv_txn}</prv_txn>" if paid else ""
        xml = _XML.format(
            encoding=encoding,
            txn=question.txn,
            prv_txn=prv_txn,
            sum=question.sum,
            result=CODES.get(answer.said, answer.code),
            comment=comment,
            fields=_fields(question, answer, behaviour),
        )
        return Reply(xml.encode(encoding), f"text/xml; charset={encoding.lower()}")


def _fields(question: Question, answer: Answer, behaviour: Behaviour) -> str:
    """What a check tells of a subscriber, where the payee tells that."""
    known = debtor(behaviour, question.account) if question.command == "check" and answer.said is Said.OK else None
    if known is None:
        return ""
    name, debt = known
    return (
        f'<fields><field1 name="name" type="disp">{escape(name)}</field1>'
        f'<field2 name="debt" type="disp">{debt // 100}.{debt % 100:02}</field2>'
        '<field3 name="period" type="prt">01.2026</field3></fields>'
    )
