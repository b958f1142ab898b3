"""The gateways there are: which protocol is spoken by which class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.gateways.agent_xml import AgentXmlGateway
from agents.gateways.guard import Guard
from agents.gateways.guarded import GuardedGateway
from agents.gateways.http import Http
from agents.gateways.osmp import OsmpGateway
from agents.gateways.seam import PaymentGateway
from agents.gateways.signed_kv import SignedKvGateway
from agents.gateways.two_phase import TwoPhaseGateway
from schemas.gateway import Gateway

__all__ = ["PROTOCOLS", "PaymentGateway", "open_gateway"]

PROTOCOLS: dict[str, Callable[[Gateway, Http, Path], PaymentGateway]] = {
    "osmp": OsmpGateway.open,
    "two-phase": TwoPhaseGateway.open,
    "agent-xml": AgentXmlGateway.open,
    "signed-kv": SignedKvGateway.open,
}


def open_gateway(record: Gateway, http: Http, secrets_dir: Path, guard: Guard | None = None) -> GuardedGateway:
    """The gateway of this record; nothing is connected or read yet. secrets_dir: where `credentials` files are.

    guard: the one it shares with others that ask the same payee; none: its own. A record that cannot work (an
    impossible address, a missing secret) opens too: its questions are NOT_SENT and their comment says why, so one wrong
    record stops nobody else's payments.
    """
    guard = guard or Guard(record)
    return GuardedGateway(PROTOCOLS[record.protocol](record, http.paced(guard.pace), secrets_dir), guard)
