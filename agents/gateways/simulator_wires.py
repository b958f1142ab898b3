"""The protocols simulated payees speak: one line each."""

from __future__ import annotations

from agents.gateways.simulator_agent_xml import AgentXmlWire
from agents.gateways.simulator_osmp import OsmpWire
from agents.gateways.simulator_signed_kv import SignedKvWire
from agents.gateways.simulator_two_phase import TwoPhaseWire
from agents.gateways.simulator_wire import Wire

WIRES: dict[str, Wire] = {
    "osmp": OsmpWire(),
    "two-phase": TwoPhaseWire(),
    "agent-xml": AgentXmlWire(),
    "signed-kv": SignedKvWire(),
}
