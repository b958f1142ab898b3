"""Signed key=value (CyberPlat class): signed lines as an HTTPS form, signed lines back. docs/gateways/signed-kv.md."""

from __future__ import annotations

from pathlib import Path

from agents.gateways import signed_kv_codes as codes
from agents.gateways import signed_kv_message as message
from agents.gateways.asked_alike import AskedAlike
from agents.gateways.capabilities import Capabilities
from agents.gateways.credentials import secret_file
from agents.gateways.errors import GatewayError, NotSent
from agents.gateways.http import Http, HttpReply, Line
from agents.gateways.options import option
from agents.gateways.results import ResultTable, failed
from agents.gateways.rsa_keys import DIGESTS, Signer, Verifier, signer, verifier
from agents.gateways.signed_kv_reply import TAKEN, of_pay, outcome_of, read
from agents.gateways.signed_kv_request import Asker, lines
from agents.gateways.told import major_units, tracked
from agents.gateways.xml_reply import BrokenReply
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.tracking import Tracked

MAX_PEM_BYTES = 64 * 1024
PATHS: dict[Step, str] = {"check": "pay_check.cgi", "pay": "pay.cgi", "status": "pay_status.cgi"}
# Answers to a pay after which only a status can say what became of it.
_ASK_STATUS = frozenset({TAKEN, codes.SESSION_EXISTS})


class SignedKvGateway(AskedAlike):
    """A payee that speaks signed key=value. It refuses a session it has, so a pay may be repeated with it."""

    capabilities = Capabilities(status=True)

    def __init__(self, record: Gateway, line: Line, secrets_dir: Path) -> None:
        self._record = record
        self._line = line
        self._secrets_dir = secrets_dir
        self._keys: tuple[Signer, Verifier] | None = None  # read when first needed: a record that cannot work opens too

    @classmethod
    def open(cls, record: Gateway, http: Http, secrets_dir: Path) -> SignedKvGateway:
        return cls(record, http.line(record, secrets_dir), secrets_dir)

    async def track(self, facts: PaymentFacts) -> Tracked:
        """A check with all that the payee says of the subscriber. Never raises, as `check` never does."""
        reply = await self._reply("check", facts)
        if isinstance(reply, GatewayOutcome):
            return Tracked(reply)
        outcome = self._judge("check", facts, *reply)
        told = read(message.read(reply[0].body, reply[1])).told if outcome.verdict is Verdict.CHECKED else ()
        return tracked(outcome, told, self._record.options, major_units(facts.currency))

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        """Pay it, under the session it always has; where the payee says that it has it, ask at once what became of it.

        Takes two time-outs at most. Never raises for what the payee or the network does.
        """
        said = await self._ask("pay", facts)
        if said.verdict is not Verdict.UNCLEAR or said.code not in _ASK_STATUS:
            return said
        return of_pay(said, await self._ask("status", facts))

    async def _ask(self, step: Step, facts: PaymentFacts) -> GatewayOutcome:
        reply = await self._reply(step, facts)
        return reply if isinstance(reply, GatewayOutcome) else self._judge(step, facts, *reply)

    async def _reply(self, step: Step, facts: PaymentFacts) -> tuple[HttpReply, Verifier] | GatewayOutcome:
        """What came back and with which key it is to be signed, or the outcome where nothing came."""
        try:
            if self._keys is None:
                self._keys = keys_of(self._record, self._secrets_dir)
            ours, theirs = self._keys
            asked = message.write(lines(step, facts, asker_of(self._record)), ours)
            path = self._record.options.get(f"{step}_path", PATHS[step])
            return await self._line.post(message.form(asked), message.CONTENT_TYPE, path), theirs
        except GatewayError as error:
            return failed(step, error)

    def _judge(self, step: Step, facts: PaymentFacts, reply: HttpReply, theirs: Verifier) -> GatewayOutcome:
        outcome = judge(step, facts, reply, theirs, self._record)
        if outcome.code in ("http-401", "http-403", "wrong-signature"):
            self._keys = None  # either side may have a new key: both are read again before the next request
            self._line.forget_credentials()
        return outcome


def judge(step: Step, facts: PaymentFacts, reply: HttpReply, theirs: Verifier, record: Gateway) -> GatewayOutcome:
    """A yes or a no only where the payee signed it and it is clearly about this payment, else UNCLEAR."""
    if reply.status != 200:
        return _unclear(step, f"http-{reply.status}", "not an answer of the protocol")
    try:
        said = read(message.read(reply.body, theirs))
    except message.WrongSignature as error:
        return _unclear(step, "wrong-signature", str(error))
    except BrokenReply as error:
        return _unclear(step, "reply-broken", str(error))
    table = ResultTable(codes.RESULTS, record, codes.FIXED)
    return outcome_of(step, facts, said, table, pay_is_final=record.options.get("pay_is_final") == "yes")


def asker_of(record: Gateway) -> Asker:
    """Who we are at this payee, from the record's options. Raises NotSent."""
    return Asker(
        dealer=option(record, "sd"),
        point=option(record, "ap"),
        operator=option(record, "op"),
        account=record.options.get("account_field", ""),
        accept_keys=record.options.get("accept_keys", ""),
    )


def keys_of(record: Gateway, secrets_dir: Path) -> tuple[Signer, Verifier]:
    """Our private key and the payee's public one, from the files the record's options name. Raises NotSent."""
    digest = record.options.get("digest", "sha256")
    if digest not in DIGESTS:
        raise NotSent("bad-option", f"the option 'digest' is none of {', '.join(DIGESTS)}")
    ours = signer(secret_file(secrets_dir, option(record, "key"), MAX_PEM_BYTES), DIGESTS[digest])
    return ours, verifier(secret_file(secrets_dir, option(record, "payee_key"), MAX_PEM_BYTES), DIGESTS[digest])


def _unclear(step: Step, code: str, comment: str) -> GatewayOutcome:
    return GatewayOutcome(step, Verdict.UNCLEAR, code, comment=comment)
