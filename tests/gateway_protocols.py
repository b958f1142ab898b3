"""The protocols there are, as the suites that run over all of them try them: one line each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.gateways.base import PROTOCOLS as GATEWAYS
from agents.gateways.capabilities import Capabilities
from agents.gateways.guarded import GuardedGateway
from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from schemas.gateway import Gateway
from tests.builders_protocols import AGENT_XML, SIGNED_KV, with_a_password, with_keys
from tests.example_protocol import OPEN
from tests.gateway_builders import a_gateway, a_gateway_to

# The example of docs/gateways/README.md is tried as all the others are.
GATEWAYS["plain"] = OPEN
WIRES = {"plain": "tests.example_protocol:WIRE"}


def _nothing(directory: Path) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Spoken:
    """A protocol as the suite tries it.

    record: what its gateway records say besides. can: what they say it can be asked. codes: two final refusals;
    told: what outcomes call them, where that is something else. tells: of a subscriber its payees say more than yes.
    dialect: what a record says so that everything the protocol knows is asked, and what can be asked then.
    prepare: puts secrets into the keys directory it is given, and returns what its payees' behaviours say besides.
    """

    protocol: str
    record: dict[str, Any] = field(default_factory=dict)
    can: Capabilities = field(default_factory=Capabilities)
    dialect: dict[str, Any] = field(default_factory=dict)
    can_then: Capabilities | None = None
    codes: tuple[int, int] = (5, 79)
    told: tuple[str, str] | None = None
    prepare: Callable[[Path], dict[str, Any]] = _nothing
    tells: bool = False


# A new protocol is one line here.
PROTOCOLS = [
    Spoken(
        "osmp",
        dialect={"cancels": True, "asks": ("status",)},
        can_then=Capabilities(status=True, cancel=True),
        tells=True,
    ),
    Spoken(
        "two-phase",
        can=Capabilities(status=True, statement=True),
        dialect={"cancels": True},
        can_then=Capabilities(status=True, cancel=True, statement=True),
        codes=(-31050, -31099),
        tells=True,
    ),
    Spoken("agent-xml", {"options": AGENT_XML}, Capabilities(status=True), prepare=with_a_password, tells=True),
    Spoken(
        "signed-kv",
        {"options": SIGNED_KV},
        Capabilities(status=True),
        codes=(23, 81),
        told=("5", "242"),
        prepare=with_keys,
        tells=True,
    ),
    Spoken("plain", can=Capabilities(status=True), codes=(404, 410)),
]


@dataclass
class Side:
    """A protocol's gateway and the payees it is tried on."""

    spoken: Spoken
    directory: Path
    simulator: Simulator
    behaves: dict[str, Any]

    @classmethod
    def start(cls, spoken: Spoken, directory: Path, payees: dict[str, Behaviour], **options: Any) -> Side:
        """directory: of the simulator, and of the gateway's secrets."""
        behaves = {"protocol": spoken.protocol, **spoken.prepare(directory)}
        speaking = {payee: behaviour.model_copy(update=behaves) for payee, behaviour in payees.items()}
        return cls(spoken, directory, Simulator.start(directory, speaking, wires=WIRES, **options), behaves)

    def gateway(self, payee: str = "calm", **record: Any) -> AbstractAsyncContextManager[GuardedGateway]:
        """As the records of the protocol are."""
        return a_gateway_to(self.record(self.simulator.url_of(payee), **record), self.directory)

    def record(self, url: str, **record: Any) -> Gateway:
        """A gateway record of the protocol, with further fields. The example's protocol is in no release's list."""
        made = a_gateway(url, **{**self.spoken.record, **record})
        return made.model_copy(update={"protocol": self.spoken.protocol})

    def asking(self, question: str, payee: str = "calm", **record: Any) -> AbstractAsyncContextManager[GuardedGateway]:
        """One that asks everything the protocol's dialects know, this question too; else the test is not for it."""
        if not getattr(self.spoken.can_then or self.spoken.can, question):
            pytest.skip(f"{self.spoken.protocol} has no {question}")
        return self.gateway(payee, **{**self.spoken.dialect, **record})

    def behave(self, payee: str, behaviour: Behaviour) -> None:
        options = {**behaviour.options, **self.behaves.get("options", {})}
        self.simulator.behave(payee, behaviour.model_copy(update={**self.behaves, "options": options}))

    def paid(self, payee: str = "calm") -> dict[int, tuple[str, str]]:
        """What the payee has in its book: number -> subscriber and sum."""
        return {txn: (paid.account, paid.sum) for txn, paid in self.simulator.book_of(payee).items()}
