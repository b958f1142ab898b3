"""What an operator may order: the payload of a JWS on topic `commands`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from schemas.agent_command import AgentCommand
from schemas.bring_change import BringChange
from schemas.cash import CollectCash
from schemas.change import ChangeCode
from schemas.change_command import ChangeCommand
from schemas.chart import SetChart
from schemas.clearing_command import ClearingCommand
from schemas.contact import Contact
from schemas.correction import CorrectionCommand
from schemas.currency_command import CurrencyCommand
from schemas.gateway import Gateway
from schemas.ids import (
    AgentId,
    Currency,
    Grounds,
    Minor,
    PayeeId,
    PaymentId,
    PositiveMinor,
    ShortText,
    TerminalId,
)  # fmt: skip
from schemas.keys import KeyId
from schemas.operator_order import OperatorOrder
from schemas.payee import Payee, ZoneName
from schemas.plan import Plan
from schemas.registry import registry_book
from schemas.registry_command import AddToRegistry, AnswerRegistry, CutRegistry, DeliverRegistry, RegistryCommand
from schemas.reversal import ReversePayment
from schemas.schedule import Schedule
from schemas.subscribers import SubscriberList
from schemas.tariff import Tariff
from schemas.terminal import Operator, Terminal
from schemas.voucher import stock_book
from schemas.voucher_command import ProductOrder, VoucherCommand

Funding = Literal["own", "shared"]
Liftable = Literal["payment_max", "daily_max", "monthly_max"]


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
    time_zone: Annotated[ZoneName | None, Field(description="of a root: by which its tree counts days; none: UTC")] = (
        None
    )

    later = frozenset({"time_zone"})


class SetLimit(OperatorOrder):
    """Change an agent's limits: those that are named. One that is not named stays as it is; `lift` takes it away."""

    kind: Literal["agent.limit"] = "agent.limit"
    tree: AgentId
    agent: AgentId
    overdraft: Annotated[Minor | None, Field(description="how far the balance may go below zero; 0: prepayment")] = None
    payment_max: Annotated[PositiveMinor | None, Field(description="the most a single payment may be")] = None
    daily_max: Annotated[PositiveMinor | None, Field(description="the most of a day, by the tree's calendar")] = None
    monthly_max: Annotated[PositiveMinor | None, Field(description="the most of a month, likewise")] = None
    payees: Annotated[
        tuple[PayeeId, ...] | None, Field(max_length=200, description="those permitted; an empty list: all")
    ] = None
    lift: Annotated[tuple[Liftable, ...], Field(max_length=3, description="limits that no longer hold")] = ()
    currency: Annotated[
        Currency | None, Field(description="whose limits, and in which they are; none: the tree's own")
    ] = None

    later = frozenset({"payment_max", "daily_max", "monthly_max", "payees", "lift", "currency"})


# Ids of deposits that are made of a bank statement begin so: they are known by the bank's reference.
OF_A_STATEMENT = "bank-"


class Deposit(OperatorOrder):
    """Money an agent brought to the bank. One of a statement was issued at 00:00 UTC of the day the bank booked it."""

    kind: Literal["agent.deposit"] = "agent.deposit"
    tree: AgentId
    agent: AgentId
    amount: PositiveMinor
    currency: Currency
    document: Annotated[Grounds, Field(description="number of the paper or bank reference behind it")]


class ResolvePayment(OperatorOrder):
    """An operator's decision on a payment in MANUAL, or (not paid) in WAITING_FUNDS, with the evidence for it."""

    kind: Literal["payment.resolve"] = "payment.resolve"
    tree: AgentId
    payment: PaymentId
    paid: bool
    evidence: Grounds


class PayOutChange(OperatorOrder):
    """An agent gave a payer cash for change: the payer's code proves whose it is. Without one (the terminal named none)
    it is known by its payment, and the operator vouches for the payer by the evidence."""

    kind: Literal["change.pay_out"] = "change.pay_out"
    tree: AgentId
    agent: AgentId
    code: Annotated[ChangeCode | None, Field(description="as it is printed on the payer's receipt")] = None
    payment: PaymentId | None = None
    amount: PositiveMinor
    currency: Currency
    evidence: Grounds

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.code is None) == (self.payment is None):
            raise ValueError("give the code, or the payment of change that has none")
        return self


class CloseWindow(OperatorOrder):
    """Close a settlement window now: a payee's, or without a payee the tree's own. It must be the one that is open."""

    kind: Literal["window.close"] = "window.close"
    tree: AgentId
    payee: PayeeId | None = None
    number: Annotated[int, Field(ge=1, lt=2**31)]


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


class SetSchedule(OperatorOrder):
    """When settlement windows of a tree, or of a payee in it, close by themselves."""

    kind: Literal["schedule.set"] = "schedule.set"
    schedule: Schedule


class SetPlan(OperatorOrder):
    """What agents of a tree pay for each month, week or day. A plan stays with its tree and its kind of period."""

    kind: Literal["plan.set"] = "plan.set"
    plan: Plan


class SetOperator(OperatorOrder):
    """Introduce an operator or give one a further key; signed by an operator already known."""

    kind: Literal["operator.set"] = "operator.set"
    operator: Operator


class SetContact(OperatorOrder):
    """Whom to tell of what concerns an agent, or the operator. A record with nobody in it tells nobody."""

    kind: Literal["contact.set"] = "contact.set"
    contact: Contact


class SetSubscribers(OperatorOrder):
    """Put a payee's uploaded list in force. It goes in one Kafka transaction with the rows."""

    kind: Literal["subscribers.set"] = "subscribers.set"
    list: SubscriberList


_Change = PayOutChange | BringChange | ChangeCommand
TreeCommand = (
    OpenAgent | SetLimit | Deposit | ResolvePayment | CloseWindow | AgentCommand | _Change | ClearingCommand
    | CurrencyCommand | CollectCash | ReversePayment | CorrectionCommand | VoucherCommand | RegistryCommand
)  # fmt: skip
DirectoryCommand = (
    SetTerminal
    | RevokeKey
    | SetPayee
    | SetTariff
    | SetGateway
    | SetOperator
    | SetContact
    | SetSchedule
    | SetChart
    | SetPlan
    | SetSubscribers
)
Command = Annotated[TreeCommand | DirectoryCommand, Field(discriminator="kind")]
COMMAND: TypeAdapter[TreeCommand | DirectoryCommand] = TypeAdapter(Command)

# The kinds that a terminal may sign too, about its own tree. Everything else is an operator's to order.
TERMINAL_MAY = frozenset({"change.bring", "payment.reverse", "voucher.reserve", "voucher.reprint"})


def book_of(command: TreeCommand | DirectoryCommand) -> str:
    """The one-writer key a command is decided under, and so its Kafka key.

    Trees have their root's id; directory records have "<table>/<id>", so that two trees cannot both enroll one id; the
    stock of a product has "vouchers/<payee>", and a payee's registries have a book of their own.
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
        case SetChart():
            return f"charts/{command.chart.id}"
        case SetPlan():
            return f"plans/{command.plan.id}"
        case SetSubscribers():
            return f"subscriber_lists/{command.list.payee}"
        case SetOperator():
            return f"operators/{command.operator.id}"
        case SetContact():
            return f"contacts/{command.contact.id}"
        case ProductOrder():
            return stock_book(command.payee)
        case AddToRegistry() | CutRegistry() | DeliverRegistry() | AnswerRegistry():
            return registry_book(command.payee)
        case _:
            return command.tree
