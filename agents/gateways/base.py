"""The seam to payees: a few questions about one payment, and an outcome whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from agents.gateways.agent_xml import AgentXmlGateway
from agents.gateways.capabilities import Capabilities, StatementLine
from agents.gateways.http import Http
from agents.gateways.osmp import OsmpGateway
from agents.gateways.signed_kv import SignedKvGateway
from agents.gateways.two_phase import TwoPhaseGateway
from schemas.entry import PaymentFacts
from schemas.gateway import Gateway
from schemas.outcome import GatewayOutcome


class PaymentGateway(Protocol):
    """One payee's system behind one directory record.

    No question raises for anything the payee or the network does: what is not a clear answer becomes NOT_SENT
    (the request never left us) or UNCLEAR (it may have been carried out). Every request of a payment carries its one
    number, `facts.txn`. What the payee cannot be asked (`capabilities`) is NOT_SENT, code "no-<question>".
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def check(self, facts: PaymentFacts) -> GatewayOutcome:
        """Would the payee take it? CHECKED, FATAL, UNCLEAR or NOT_SENT; nothing is paid by asking."""
        ...

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        """Pay it. PAID, FATAL, UNCLEAR or NOT_SENT."""
        ...

    async def status(self, facts: PaymentFacts) -> GatewayOutcome:
        """What became of it? PAID, FATAL (it never will be), ABSENT, UNCLEAR or NOT_SENT; asking changes nothing."""
        ...

    async def cancel(self, facts: PaymentFacts) -> GatewayOutcome:
        """Give a paid one back. CANCELLED, FATAL, UNCLEAR or NOT_SENT; may be repeated with the same number."""
        ...

    async def statement(self, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
        """All the payee booked from `since_ms` until before `until_ms`, UTC: whole, or UNCLEAR or NOT_SENT."""
        ...

    async def aclose(self) -> None:
        """Close the connections; questions asked from now on are NOT_SENT."""
        ...


PROTOCOLS: dict[str, Callable[[Gateway, Http, Path], PaymentGateway]] = {
    "osmp": OsmpGateway.open,
    "two-phase": TwoPhaseGateway.open,
    "agent-xml": AgentXmlGateway.open,
    "signed-kv": SignedKvGateway.open,
}


def open_gateway(record: Gateway, http: Http, secrets_dir: Path) -> PaymentGateway:
    """The gateway of this record; nothing is connected or read yet. secrets_dir: where `credentials` files are.

    A record that cannot work (an impossible address, a missing secret) opens too: its questions are NOT_SENT and
    their comment says why, so one wrong record stops nobody else's payments.
    """
    return PROTOCOLS[record.protocol](record, http, secrets_dir)
