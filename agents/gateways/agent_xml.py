"""Agent XML with polling: pay is answered with a status, then the status is asked. See docs/gateways/agent-xml.md."""

from __future__ import annotations

from pathlib import Path

from agents.gateways import agent_xml_codes as codes
from agents.gateways import agent_xml_reply
from agents.gateways.agent_xml_reply import PaymentSaid
from agents.gateways.agent_xml_request import DIGESTS, QUESTIONS, Asker, digest_of, request
from agents.gateways.amounts import is_amount
from agents.gateways.asked_alike import AskedAlike
from agents.gateways.capabilities import Capabilities
from agents.gateways.credentials import one_line
from agents.gateways.errors import GatewayError, NotSent
from agents.gateways.http import Http, HttpReply, Line
from agents.gateways.options import option
from agents.gateways.results import ResultTable, failed
from agents.gateways.told import major_units, tracked
from agents.gateways.xml_reply import BrokenReply
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.tracking import Tracked

CONTENT_TYPE = "text/xml; charset=utf-8"


class AgentXmlGateway(AskedAlike):
    """A payee that speaks agent XML. It knows a number it has seen, so a pay may be repeated with it.

    A pay is mostly accepted first, UNCLEAR, and paid when its status says so.
    """

    capabilities = Capabilities(status=True)

    def __init__(self, record: Gateway, line: Line, secrets_dir: Path) -> None:
        self._record = record
        self._line = line
        self._secrets_dir = secrets_dir
        self._table = table_of(record)
        self._asker: Asker | None = None  # made when first needed, so that a record that cannot work opens too

    @classmethod
    def open(cls, record: Gateway, http: Http, secrets_dir: Path) -> AgentXmlGateway:
        return cls(record, http.line(record, secrets_dir), secrets_dir)

    async def track(self, facts: PaymentFacts) -> Tracked:
        """A check with all that the payee says of the subscriber. Never raises, as `check` never does."""
        reply = await self._reply("check", facts)
        if isinstance(reply, GatewayOutcome):
            return Tracked(reply)
        outcome = self._judge("check", facts, reply)
        if outcome.verdict is not Verdict.CHECKED:
            return Tracked(outcome)
        said = agent_xml_reply.read(reply.body, reply.charset, QUESTIONS["check"]).payment
        return tracked(outcome, said.told if said else (), self._record.options, major_units(facts.currency))

    async def _ask(self, step: Step, facts: PaymentFacts) -> GatewayOutcome:
        reply = await self._reply(step, facts)
        return reply if isinstance(reply, GatewayOutcome) else self._judge(step, facts, reply)

    async def _reply(self, step: Step, facts: PaymentFacts) -> HttpReply | GatewayOutcome:
        """What came back, or the outcome where nothing did."""
        try:
            if self._asker is None:
                self._asker = asker_of(self._record, self._secrets_dir)
            return await self._line.post(request(step, facts, self._asker), CONTENT_TYPE)
        except GatewayError as error:
            return failed(step, error)

    def _judge(self, step: Step, facts: PaymentFacts, reply: HttpReply) -> GatewayOutcome:
        outcome = judge(step, facts, reply, self._table)
        if outcome.code in ("http-401", "http-403", "150"):
            self._asker = None  # what we have is refused: the password is read again before the next request
            self._line.forget_credentials()
        return outcome


def table_of(record: Gateway) -> ResultTable:
    return ResultTable(codes.RESULTS, record, codes.FIXED)


def asker_of(record: Gateway, secrets_dir: Path) -> Asker:
    """Who we are at this payee, from the record's options and the password's file. Raises NotSent."""
    algorithm = record.options.get("digest", "sha256")
    if algorithm not in DIGESTS:
        raise NotSent("bad-option", "the option 'digest' is neither sha256 nor md5")
    password = one_line(secrets_dir, option(record, "password"))
    return Asker(
        login=option(record, "login"),
        terminal=option(record, "terminal"),
        service=option(record, "service"),
        sign=digest_of(password, algorithm),
        algorithm=algorithm.upper(),
    )


def judge(step: Step, facts: PaymentFacts, reply: HttpReply, table: ResultTable) -> GatewayOutcome:
    """What the reply says of this payment: a yes or a no only where it is clearly about it, else UNCLEAR."""
    if reply.status != 200:
        return GatewayOutcome(step, Verdict.UNCLEAR, f"http-{reply.status}", comment="not an answer of the protocol")
    try:
        said = agent_xml_reply.read(reply.body, reply.charset, QUESTIONS[step])
    except BrokenReply as error:
        return GatewayOutcome(step, Verdict.UNCLEAR, "reply-broken", comment=str(error))
    if said.payment is None:
        return _of_question(step, str(said.result), table)
    return _of_payment(step, facts, said.payment, table)


def _of_question(step: Step, code: str, table: ResultTable) -> GatewayOutcome:
    """The question as a whole was not answered. A status that was refused says nothing of the payment."""
    verdict = Verdict.UNCLEAR if step == "status" else table.verdict(step, code)
    return GatewayOutcome(step, verdict, code, comment="the payee refused the question itself")


def _of_payment(step: Step, facts: PaymentFacts, said: PaymentSaid, table: ResultTable) -> GatewayOutcome:
    ref, code = said.provider_ref, str(said.result)
    if said.id != str(facts.txn):
        return GatewayOutcome(step, Verdict.UNCLEAR, "wrong-txn", comment="the reply is about another payment")
    if said.amount is not None and not is_amount(said.amount, facts):
        return GatewayOutcome(step, Verdict.UNCLEAR, "wrong-sum", ref, "the reply names another sum")
    if step == "check":
        return GatewayOutcome(step, table.verdict(step, code), code, ref, said.comment)
    if said.status is not None:
        return _of_status(step, said, said.status)
    verdict = table.verdict(step, code)
    if verdict is Verdict.PAID or (step == "status" and verdict is not Verdict.ABSENT):
        verdict, code = Verdict.UNCLEAR, "no-status"  # only a status says that it is paid, or never will be
    return GatewayOutcome(step, verdict, code, ref, said.comment)


def _of_status(step: Step, said: PaymentSaid, status: int) -> GatewayOutcome:
    """The payment's own status decides; its result says why it failed, and must not speak against a yes.

    A final no is a status's, also where a pay was answered with it: it is about the payment, not about this request.
    """
    verdict = codes.of_status(status)
    if verdict is Verdict.PAID and said.result:
        return GatewayOutcome(
            step, Verdict.UNCLEAR, "contradiction", said.provider_ref, f"status {status}, but result {said.result}"
        )
    code = f"status-{status}"
    if verdict is Verdict.FATAL:
        step, code = "status", str(said.result) if said.result else code
    return GatewayOutcome(step, verdict, code, said.provider_ref, said.comment)
