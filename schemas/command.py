"""What an operator may order: the payload of a JWS on topic `commands`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.agent_command import AgentCommand
from schemas.gateway import Gateway
from schemas.ids import (
    AgentId,
    Currency,
    Minor,
    PaymentId,
    PositiveMinor,
    ShortText,
    TerminalId,
)  # fmt: skip
from schemas.keys import KeyId
from schemas.operator_order import OperatorOrder
from schemas.payee import Payee
from schemas.tariff import Tariff
from schemas.terminal import Operator, Terminal

Funding = Literal["own", "shared"]


class OpenAgent(OperatorOrder):
    """Open a root agent (no parent) or a sub-agent. Funding "shared" spends the money of the agent above."""

    kind: Literal["agent.open"] = "agent.open"
    tree: AgentId
    agent: AgentId
    parent: AgentId | None = None
    name: ShortText
    currency: Currency
    overdraft: Minor = 0
    funding: Funding = "own"


class SetLimit(OperatorOrder):
    """Change an agent's overdraft: the floor its balance may not go below. 0 is prepayment."""

    kind: Literal["agent.limit"] = "agent.limit"
    tree: AgentId
    agent: AgentId
    overdraft: Minor


class Deposit(OperatorOrder):
    """Money an agent brought to the bank."""

    kind: Literal["agent.deposit"] = "agent.deposit"
    tree: AgentId
    agent: AgentId
    amount: PositiveMinor
    currency: Currency
    document: Annotated[ShortText, Field(description="number of the paper or bank reference behind it")]


class ResolvePayment(OperatorOrder):
    """An operator's decision on a payment in MANUAL, with the evidence for it."""

    kind: Literal["payment.resolve"] = "payment.resolve"
    tree: AgentId
    payment: PaymentId
    paid: bool
    evidence: ShortText


class SetTerminal(OperatorOrder):
    """Enroll a terminal or change its record. A terminal never moves to another agent by this."""

    kind: Literal["terminal.set"] = "terminal.set"
    terminal: Terminal


class RevokeKey(OperatorOrder):
    """From the moment this is decided the key verifies nothing that is received later."""

    kind: Literal["terminal.revoke"] = "terminal.revoke"
    terminal: TerminalId
    kid: KeyId


class SetPayee(OperatorOrder):
    kind: Literal["payee.set"] = "payee.set"
    payee: Payee


class SetTariff(OperatorOrder):
    kind: Literal["tariff.set"] = "tariff.set"
    tariff: Tariff


class SetGateway(OperatorOrder):
    kind: Literal["gateway.set"] = "gateway.set"
    gateway: Gateway


class SetOperator(OperatorOrder):
    """Introduce an operator or give one a further key; signed by an operator already known."""

    kind: Literal["operator.set"] = "operator.set"
    operator: Operator


TreeCommand = OpenAgent | SetLimit | Deposit | ResolvePayment | AgentCommand
DirectoryCommand = SetTerminal | RevokeKey | SetPayee | SetTariff | SetGateway | SetOperator
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
        case SetOperator():
            return f"operators/{command.operator.id}"
        case _:
            return command.tree
