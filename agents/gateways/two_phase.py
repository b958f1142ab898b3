"""JSON-RPC in two phases: a transaction is created, then performed. See docs/gateways/two-phase.md.

Created is not paid: it is the payee's promise to take the payment. Nothing is paid before PerformTransaction was sent;
but from the first CreateTransaction on the payee may hold a transaction of ours, so whatever is unclear after it makes
the whole pay unclear, and no other route is tried.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.gateways import two_phase_reply, two_phase_request
from agents.gateways.capabilities import Capabilities, StatementLine, unasked
from agents.gateways.errors import GatewayError
from agents.gateways.http import Http, Line
from agents.gateways.results import ResultTable, failed
from agents.gateways.told import minor_units, tracked
from agents.gateways.two_phase_codes import CANNOT_PERFORM, NO_RIGHT, RESULTS, TRANSPORT
from agents.gateways.two_phase_reply import CREATED, PERFORMED, BrokenReply, Refused, Transaction
from agents.gateways.two_phase_statement import whole_statement
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome, Step, Verdict
from schemas.tracking import Tracked

CONTENT_TYPE = "application/json; charset=utf-8"
_CREATED = "created, and not performed yet"
# What a question came to: where the transaction stands, the payee's error, or an outcome where there was no answer.
Said = Transaction | Refused | GatewayOutcome


class TwoPhaseGateway:
    """A payee that speaks JSON-RPC in two phases. It knows a number it has seen, so a pay may be repeated with it."""

    def __init__(
        self, line: Line, table: ResultTable, *, cancels: bool, options: Mapping[str, str] | None = None
    ) -> None:
        """options: the record's, which name the fields of a check's reply."""
        self.capabilities = Capabilities(status=True, cancel=cancels, statement=True)
        self._line = line
        self._table = table
        self._options = options or {}
        # A reply holds nothing of the payment but this number, so no two requests have the same: not after a restart.
        self._rpc_ids = itertools.count(random.randrange(1, 2**31))

    @classmethod
    def open(cls, record: Gateway, http: Http, secrets_dir: Path) -> TwoPhaseGateway:
        return cls(
            http.line(record, secrets_dir), ResultTable(RESULTS, record), cancels=record.cancels, options=record.options
        )

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        """CheckPerformTransaction. Never raises for what the payee or the network does."""
        return (await self.track(facts)).outcome

    async def track(self, facts: PaymentFacts) -> Tracked:
        """The same, with what the result says of the subscriber under `additional`."""
        said = await self._result("check", "CheckPerformTransaction", facts)
        if isinstance(said, GatewayOutcome):
            return Tracked(said)
        if isinstance(said, Refused):
            return Tracked(self._refusal("check", said))
        try:
            allowed = two_phase_reply.allows(said)
        except BrokenReply as error:
            return Tracked(_broken("check", error))
        if not allowed:
            comment = "the payee does not allow the payment"
            return Tracked(GatewayOutcome("check", Verdict.FATAL, "not-allowed", comment=comment))
        checked = GatewayOutcome("check", Verdict.CHECKED)
        return tracked(checked, two_phase_reply.additional(said), self._options, minor_units)

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        """CreateTransaction, then PerformTransaction. Never raises for what the payee or the network does."""
        created = await self._ask("pay", "CreateTransaction", facts)
        if isinstance(created, Refused):
            if created.code != CANNOT_PERFORM:
                return self._refusal("pay", created)
            return await self._not_created(facts, created)
        if isinstance(created, GatewayOutcome):
            return created
        return await self._perform(facts) if created.state == CREATED else _stands(created)

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        """CheckTransaction. One that is created and no more is ABSENT: a pay goes on with it under the same number."""
        said = await self._ask("status", "CheckTransaction", facts)
        if isinstance(said, Refused):
            return self._refusal("status", said)
        if isinstance(said, GatewayOutcome):
            return said
        if said.state == PERFORMED:
            return GatewayOutcome("status", Verdict.PAID, str(said.state), said.provider_ref)
        if said.state == CREATED:
            return GatewayOutcome("status", Verdict.ABSENT, str(said.state), said.provider_ref, _CREATED)
        return _stands(said)

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        """CancelTransaction. Never raises for what the payee or the network does."""
        if not self.capabilities.cancel:
            return unasked("cancel")
        said = await self._ask("cancel", "CancelTransaction", facts)
        if isinstance(said, Refused):
            return self._refusal("cancel", said)
        if isinstance(said, GatewayOutcome):
            return said
        verdict = Verdict.CANCELLED if said.state < 0 else Verdict.UNCLEAR
        return GatewayOutcome("cancel", verdict, str(said.state), said.provider_ref)

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        """GetStatement, by the time we received payments at; asked in parts where a reply would be too long."""
        return await whole_statement(self._statement_part, since_ms, until_ms)

    async def aclose(self) -> None:
        await self._line.aclose()

    async def _perform(self, facts: PaymentFacts) -> GatewayOutcome:
        performed = await self._ask("pay", "PerformTransaction", facts)
        if isinstance(performed, Transaction):
            if performed.state != CREATED:
                return _stands(performed)
            return GatewayOutcome("pay", Verdict.UNCLEAR, "1", performed.provider_ref, _CREATED)
        if isinstance(performed, GatewayOutcome):
            # The payee holds a transaction of ours whether or not this request left: the payment goes nowhere else.
            return GatewayOutcome("pay", Verdict.UNCLEAR, performed.code, comment=performed.comment)
        if performed.code == CANNOT_PERFORM:  # the payee gave it up meanwhile, or so one must ask
            found = await self._ask("pay", "CheckTransaction", facts)
            if isinstance(found, Transaction) and found.state != CREATED:
                return _stands(found)
        return GatewayOutcome("pay", Verdict.UNCLEAR, str(performed.code), comment=performed.comment)

    async def _not_created(self, facts: PaymentFacts, refused: Refused) -> GatewayOutcome:
        """Either a transaction of this number is there and past being created, or the payee will not have a new one."""
        found = await self._ask("pay", "CheckTransaction", facts)
        if isinstance(found, Transaction):
            return await self._perform(facts) if found.state == CREATED else _stands(found)
        if isinstance(found, Refused) and self._table.verdict("status", str(found.code)) is Verdict.ABSENT:
            return self._refusal("pay", refused)
        return GatewayOutcome("pay", Verdict.UNCLEAR, str(refused.code), comment=refused.comment)

    def _refusal(self, step: Step, said: Refused) -> GatewayOutcome:
        verdict = self._table.verdict(step, str(said.code))
        if said.code in TRANSPORT or verdict not in (Verdict.FATAL, Verdict.ABSENT):
            verdict = Verdict.UNCLEAR  # an error is never a yes, whatever a dialect's table says of its number
        return GatewayOutcome(step, verdict, str(said.code), comment=said.comment)

    async def _ask(self, step: Step, method: two_phase_request.Method, facts: PaymentFacts) -> Said:
        said = await self._result(step, method, facts)
        if isinstance(said, (Refused, GatewayOutcome)):
            return said
        try:
            return two_phase_reply.transaction(said, facts)
        except BrokenReply as error:
            return _broken(step, error)

    async def _result(
        self, step: Step, method: two_phase_request.Method, facts: PaymentFacts
    ) -> dict[str, Any] | Refused | GatewayOutcome:
        return await self._exchange(step, lambda rpc_id: two_phase_request.about(method, facts, rpc_id))

    async def _statement_part(self, since_ms: int, until_ms: int) -> dict[str, Any] | Refused | GatewayOutcome:
        return await self._exchange("status", lambda rpc_id: two_phase_request.statement(since_ms, until_ms, rpc_id))

    async def _exchange(self, step: Step, write: Callable[[int], bytes]) -> dict[str, Any] | Refused | GatewayOutcome:
        rpc_id = next(self._rpc_ids)
        try:
            reply = await self._line.post(write(rpc_id), CONTENT_TYPE)
        except GatewayError as error:
            return failed(step, error)
        if reply.status in (401, 403):
            self._line.forget_credentials()
        if reply.status != 200:
            comment = "not an answer of the protocol"
            return GatewayOutcome(step, Verdict.UNCLEAR, f"http-{reply.status}", comment=comment)
        try:
            said = two_phase_reply.read(reply.body, rpc_id)
        except BrokenReply as error:
            return _broken(step, error)
        if isinstance(said, Refused) and said.code == NO_RIGHT:
            self._line.forget_credentials()
        return said


def _stands(found: Transaction) -> GatewayOutcome:
    """Of one that is past being created. What was cancelled, before or after, is never paid under its number again:
    that is about the payment itself, however often it was asked for, and so the answer of a status."""
    if found.state == PERFORMED:
        return GatewayOutcome("pay", Verdict.PAID, str(found.state), found.provider_ref)
    comment = "the payee has cancelled the transaction"
    return GatewayOutcome("status", Verdict.FATAL, str(found.state), found.provider_ref, comment)


def _broken(step: Step, error: BrokenReply) -> GatewayOutcome:
    return GatewayOutcome(step, Verdict.UNCLEAR, error.code, comment=str(error))
