"""OSMP check/pay, the field's common protocol: an HTTPS GET, a small XML reply. See docs/gateways/osmp.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from urllib.parse import quote, urlencode

from agents.gateways import osmp_codes, osmp_reply
from agents.gateways.amounts import is_amount, sum_of
from agents.gateways.asked_alike import AskedAlike
from agents.gateways.capabilities import Capabilities
from agents.gateways.errors import GatewayError, NotSent
from agents.gateways.http import Http, HttpReply, Line
from agents.gateways.results import ResultTable, failed
from agents.gateways.told import major_units, tracked
from agents.gateways.xml_reply import BrokenReply
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.ids import ms_instant
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.tracking import Tracked

RESERVED = frozenset({"command", "txn_id", "txn_date", "account", "sum"})


class OsmpGateway(AskedAlike):
    """A payee that speaks OSMP. It knows a number it has seen, so a pay may be repeated with it."""

    def __init__(
        self,
        line: Line,
        table: ResultTable,
        capabilities: Capabilities,
        zone: tzinfo = UTC,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """capabilities: `status` and `cancel` are questions of dialects. zone: whose clock `txn_date` is on.

        options: the record's, which name the fields of a check's reply.
        """
        self.capabilities = capabilities
        self._line = line
        self._table = table
        self._zone = zone
        self._options = options or {}

    @classmethod
    def open(cls, record: Gateway, http: Http, secrets_dir: Path) -> OsmpGateway:
        """Its option `repeats=never`: a dialect that books whatever it is sent, also a number it has."""
        capabilities = Capabilities(
            status="status" in record.asks,
            cancel=record.cancels,
            idempotent=record.options.get("repeats") != "never",
        )
        return cls(http.line(record, secrets_dir), table_of(record), capabilities, options=record.options)

    async def track(self, facts: PaymentFacts) -> Tracked:
        """A check with all that the payee says of the subscriber. Never raises, as `check` never does."""
        reply = await self._reply("check", facts)
        if isinstance(reply, GatewayOutcome):
            return Tracked(reply)
        outcome = judge("check", facts, reply, self._table)
        told = osmp_reply.read(reply.body, reply.charset).fields if outcome.verdict is Verdict.CHECKED else ()
        return tracked(outcome, told, self._options, major_units(facts.currency))

    async def _ask(self, step: Step, facts: PaymentFacts) -> GatewayOutcome:
        reply = await self._reply(step, facts)
        return reply if isinstance(reply, GatewayOutcome) else judge(step, facts, reply, self._table)

    async def _reply(self, step: Step, facts: PaymentFacts) -> HttpReply | GatewayOutcome:
        """What came back, or the outcome where nothing did."""
        try:
            reply = await self._line.get(query(step, facts, self._zone))
        except GatewayError as error:
            return failed(step, error)
        if reply.status in (401, 403):
            self._line.forget_credentials()
        return reply


def table_of(record: Gateway) -> ResultTable:
    return ResultTable(osmp_codes.RESULTS, record, osmp_codes.FIXED)


def query(step: Step, facts: PaymentFacts, zone: tzinfo = UTC) -> str:
    """The request as a query string: the same for every repeat of a step.

    The subscriber's first field is `account`; the payee's further fields go under their own names. Raises NotSent
    where such a name is one of the protocol's own: two sums in one request is a request nobody should send.
    """
    (_, account), *further = facts.subscriber.items()
    if clash := RESERVED.intersection(name for name, _ in further):
        raise NotSent("bad-field", f"the payee's field {min(clash)!r} has the name of a parameter of the protocol")
    at = ms_instant(facts.received_at).astimezone(zone)
    date = f"&txn_date={at:%Y%m%d%H%M%S}" if step == "pay" else ""
    try:
        asked = f"command={step}&txn_id={facts.txn}{date}&account={quote(account, safe='')}&sum={sum_of(facts)}"
        return f"{asked}&{urlencode(further, quote_via=quote)}" if further else asked
    except UnicodeEncodeError:
        raise NotSent("bad-field", "a field of the subscriber cannot be written in UTF-8") from None


def judge(step: Step, facts: PaymentFacts, reply: HttpReply, table: ResultTable) -> GatewayOutcome:
    """What the reply says of this payment: a yes or a no only where it is clearly about it, else UNCLEAR."""
    if reply.status != 200:
        return GatewayOutcome(step, Verdict.UNCLEAR, f"http-{reply.status}", comment="not an answer of the protocol")
    try:
        said = osmp_reply.read(reply.body, reply.charset)
    except BrokenReply as error:
        return GatewayOutcome(step, Verdict.UNCLEAR, "reply-broken", comment=str(error))
    if said.txn != str(facts.txn):
        return GatewayOutcome(step, Verdict.UNCLEAR, "wrong-txn", comment="the reply is about another payment")
    if said.sum is not None and not is_amount(said.sum, facts):
        return GatewayOutcome(step, Verdict.UNCLEAR, "wrong-sum", said.provider_ref, "the reply names another sum")
    code = str(said.result)
    return GatewayOutcome(step, table.verdict(step, code), code, said.provider_ref, said.comment)
