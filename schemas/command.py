"""What an operator may order: the payload of a JWS on topic `commands`."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import orjson
from pydantic import Field, TypeAdapter

from schemas.gateway import Gateway
from schemas.ids import (
    AgentId,
    CommandId,
    Currency,
    Instant,
    Minor,
    PayeeId,
    PaymentId,
    PositiveMinor,
    ShortText,
    TerminalId,
    Wire,
)  # fmt: skip
from schemas.keys import KeyId
from schemas.payee import Payee
from schemas.schedule import Schedule
from schemas.tariff import Tariff
from schemas.terminal import Operator, Terminal

Funding = Literal["own", "shared"]


class _Order(Wire):
    id: Annotated[CommandId, Field(description="the idempotency key; same id and content: done once")]
    issued_at: Annotated[Instant, Field(description="the operator's clock; recorded, never trusted")]

    def digest(self) -> str:
        """128-bit hash of the content, equal for equal orders however their JSON was written; 32 hex digits."""
        canonical = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(canonical, digest_size=16).hexdigest()


class OpenAgent(_Order):
    """Open a root agent (no parent) or a sub-agent. Funding "shared" spends the money of the agent above."""

    kind: Literal["agent.open"] = "agent.open"
    tree: AgentId
    agent: AgentId
    parent: AgentId | None = None
    name: ShortText
    currency: Currency
    overdraft: Minor = 0
    funding: Funding = "own"


class SetLimit(_Order):
    """Change an agent's overdraft: the floor its balance may not go below. 0 is prepayment."""

    kind: Literal["agent.limit"] = "agent.limit"
    tree: AgentId
    agent: AgentId
    overdraft: Minor


class Deposit(_Order):
    """Money an agent brought to the bank."""

    kind: Literal["agent.deposit"] = "agent.deposit"
    tree: AgentId
    agent: AgentId
    amount: PositiveMinor
    currency: Currency
    document: Annotated[ShortText, Field(description="number of the paper or bank reference behind it")]


class ResolvePayment(_Order):
    """An operator's decision on a payment in MANUAL, with the evidence for it."""

    kind: Literal["payment.resolve"] = "payment.resolve"
    tree: AgentId
    payment: PaymentId
    paid: bool
    evidence: ShortText


class CloseWindow(_Order):
    """Close a settlement window now: a payee's, or without a payee the tree's own. It must be the one that is open."""

    kind: Literal["window.close"] = "window.close"
    tree: AgentId
    payee: PayeeId | None = None
    number: Annotated[int, Field(ge=1, lt=2**31)]


class SetTerminal(_Order):
    """Enroll a terminal or change its record. A terminal never moves to another agent by this."""

    kind: Literal["terminal.set"] = "terminal.set"
    terminal: Terminal


class RevokeKey(_Order):
    """From the moment this is decided the key verifies nothing that is received later."""

    kind: Literal["terminal.revoke"] = "terminal.revoke"
    terminal: TerminalId
    kid: KeyId


class SetPayee(_Order):
    kind: Literal["payee.set"] = "payee.set"
    payee: Payee


class SetTariff(_Order):
    kind: Literal["tariff.set"] = "tariff.set"
    tariff: Tariff


class SetGateway(_Order):
    kind: Literal["gateway.set"] = "gateway.set"
    gateway: Gateway


class SetSchedule(_Order):
    """When settlement windows of a tree, or of a payee in it, close by themselves."""

    kind: Literal["schedule.set"] = "schedule.set"
    schedule: Schedule


class SetOperator(_Order):
    """Introduce an operator or give one a further key; signed by an operator already known."""

    kind: Literal["operator.set"] = "operator.set"
    operator: Operator


TreeCommand = OpenAgent | SetLimit | Deposit | ResolvePayment | CloseWindow
DirectoryCommand = SetTerminal | RevokeKey | SetPayee | SetTariff | SetGateway | SetOperator | SetSchedule
Command = Annotated[TreeCommand | DirectoryCommand, Field(discriminator="kind")]
COMMAND: TypeAdapter[TreeCommand | DirectoryCommand] = TypeAdapter(Command)


def book_of(command: TreeCommand | DirectoryCommand) -> str:
    """The one-writer key a command is decided under, and so its Kafka key.

    Trees have their root's id; directory records have "<table>/<id>", so that two trees cannot both enroll one id.
    """
    match command:
        case SetTerminal():
            return f"terminals/{command.terminal.id}"
        case RevokeKey():
            return f"terminals/{command.terminal}"
        case SetPayee():
            return f"payees/{command.payee.id}"
        case SetTariff():
            return f"tariffs/{command.tariff.payee}"
        case SetGateway():
            return f"gateways/{command.gateway.id}"
        case SetSchedule():
            return f"schedules/{command.schedule.id}"
        case SetOperator():
            return f"operators/{command.operator.id}"
        case _:
            return command.tree
