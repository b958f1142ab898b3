"""Builders of the domain's objects: everything has a sensible default, a test says only what it is about.

Money is in kopecks (RUB). The defaults are domain.md's Ex. 1: sub-agent S under root A, 95000 to payee "mobile",
fee 5 % of what is put in, processing 1 %, reward 2 % of which S gets a half and A a quarter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from schemas.agent_command import BlockAgent, CloseAgent, MoveAgent, Transfer, UnblockAgent, Withdraw
from schemas.command import (
    CloseWindow,
    Deposit,
    DirectoryCommand,
    OpenAgent,
    PayOutChange,
    ResolvePayment,
    RevokeKey,
    SetGateway,
    SetLimit,
    SetOperator,
    SetPayee,
    SetSchedule,
    SetTariff,
    SetTerminal,
    TreeCommand,
    book_of,
)
from schemas.entry import Entry
from schemas.gateway import Gateway, RetrySchedule
from schemas.ids import ms_instant
from schemas.keys import PublicJwk, PublicKey
from schemas.outcome import GatewayOutcome, Verdict
from schemas.payee import Payee, SubscriberField
from schemas.payment import PaymentOrder
from schemas.schedule import Schedule
from schemas.tariff import Fee, Rate, Tariff, TariffRule
from schemas.terminal import Operator, Terminal
from streams.ledger.commands import Instruct, LedgerCommand, Place, Send, Settle, WindowDue
from streams.ledger.decide import decide
from streams.ledger.evolve import evolve
from streams.ledger.perform import perform
from streams.ledger.state import State

AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z, ms
NOW = ms_instant(AT)
OPERATOR_KID = "chief:1"
TERMINAL_KID = "kiosk-1:1"

# --- directory records


def a_rate(percent: int = 0, **changes: Any) -> Rate:
    return Rate(rate_bps=percent * 100, **changes)


def a_payee(payee: str = "mobile", **changes: Any) -> Payee:
    """Takes 1.00 to 1,000,000.00 RUB for a ten-digit phone number."""
    values: dict[str, Any] = {
        "id": payee,
        "name": "Mobile operator",
        "gateway": "osmp-1",
        "currency": "RUB",
        "fields": (SubscriberField(name="phone", title="Phone", pattern=r"\d{10}"),),
        "min_amount": 100,
        "max_amount": 100_000_000,
    }
    return Payee(**values | changes)


def a_tariff(payee: str = "mobile", **changes: Any) -> Tariff:
    values: dict[str, Any] = {
        "payee": payee,
        "fee": Fee(rate_bps=500, base="collected"),
        "processing": a_rate(1),
        "reward": a_rate(2),
        "reward_shares_bps": (5_000, 2_500),
    }
    return Tariff(**values | changes)


def a_rule(name: str, **changes: Any) -> TariffRule:
    return TariffRule(name=name, **changes)


def a_tariff_with_rules(payee: str = "mobile", **changes: Any) -> Tariff:
    """One agent's own price, a group's by amount, a weekend night, a campaign; at AT, a Thursday's first instant in UTC

    and three in the morning in Moscow, the night rule holds on Thursdays.
    """
    values: dict[str, Any] = {
        "time_zone": "Europe/Moscow",
        "groups": {"dear": ("A/S", "A/T"), "other": ("B/B",)},
        "rules": (
            a_rule("own", agent="A/U", fee=Fee(min_minor=100), reward_shares_bps=(2_500, 2_500, 2_500, 2_500)),
            a_rule("dear-small", group="dear", amount_to=1_000, fee=Fee(rate_bps=700, min_minor=20, rounding="half")),
            a_rule("night", weekdays=("wed", "sat"), time_from="23:00", time_to="06:00", fee=Fee(rate_bps=200)),
            a_rule("evening", time_from="18:00", time_to="24:00", processing=a_rate(2, rounding="up")),
            a_rule("new-year", valid_from=ms_instant(AT + 1), valid_until=ms_instant(AT + 40), fee=Fee(), group="dear"),
        ),
    }
    return a_tariff(payee, **values | changes)


def a_gateway(gateway: str = "osmp-1", **changes: Any) -> Gateway:
    values: dict[str, Any] = {"id": gateway, "protocol": "osmp", "url": "http://127.0.0.1:9/pay", "retry": a_retry()}
    return Gateway(**values | changes)


def a_retry(interval_ms: int = 60_000, factor_pct: int = 130, budget: int = 3) -> RetrySchedule:
    return RetrySchedule(interval_ms=interval_ms, factor_pct=factor_pct, budget=budget)


def a_public_key(kid: str = TERMINAL_KID, x: str = "A", **changes: Any) -> PublicKey:
    """A key record whose key is one letter repeated: good for rules about keys, not for verifying."""
    return PublicKey(kid=kid, algorithm="EdDSA", jwk=PublicJwk(kty="OKP", crv="Ed25519", x=x * 43), **changes)


def a_terminal(terminal: str = "kiosk-1", agent: str = "S", tree: str = "A", **changes: Any) -> Terminal:
    return Terminal(**{"id": terminal, "agent": agent, "tree": tree, "keys": (a_public_key(),)} | changes)


def an_operator(operator: str = "chief", **changes: Any) -> Operator:
    return Operator(**{"id": operator, "keys": (a_public_key(OPERATOR_KID),)} | changes)


# --- payments


def an_order(number: int = 1, terminal: str = "kiosk-1", **changes: Any) -> PaymentOrder:
    """95000 to a phone with a fee of 5000: what a payer gets who puts in 100000."""
    values: dict[str, Any] = {
        "id": f"{terminal}.{number}",
        "terminal": terminal,
        "number": number,
        "agent": "S",
        "payee": "mobile",
        "subscriber": {"phone": "9161234567"},
        "amount": 95_000,
        "fee": 5_000,
        "currency": "RUB",
        "made_at": NOW,
    }
    return PaymentOrder(**values | changes)


def a_place(
    order: PaymentOrder | None = None,
    *,
    book: str = "A",
    by: str = TERMINAL_KID,
    payee: Payee | Literal["default"] | None = "default",
    tariff: Tariff | Literal["default"] | None = "default",
    backlog_max: int = 1_000,
    **order_changes: Any,
) -> Place:
    """A verified order; payee=None and tariff=None say that there is none."""
    order = order if order is not None else an_order(**order_changes)
    return Place(
        book=book,
        order=order,
        digest=order.digest(),
        by=by,
        payee=a_payee(order.payee) if payee == "default" else payee,
        tariff=a_tariff(order.payee) if tariff == "default" else tariff,
        backlog_max=backlog_max,
    )


def an_outcome(
    verdict: Verdict = Verdict.PAID, step: Literal["check", "pay"] = "pay", code: str = "0", **changes: Any
) -> GatewayOutcome:
    return GatewayOutcome(step=step, verdict=verdict, code=code, **changes)


def a_settle(
    payment: str = "kiosk-1.1",
    verdict: Verdict = Verdict.PAID,
    step: Literal["check", "pay", "status"] = "pay",
    *,
    code: str = "0",
    comment: str = "",
    book: str = "A",
    retry: RetrySchedule | None = None,
    sent_before: bool = False,
    is_last: bool = False,
    not_before: int = 0,
) -> Settle:
    outcome = an_outcome(verdict, step, code, comment=comment)
    return Settle(
        book, payment, outcome, retry if retry is not None else a_retry(), sent_before, is_last, not_before=not_before
    )


def a_send(payment: str = "kiosk-1.1", book: str = "A") -> Send:
    return Send(book, payment)


# --- operators' commands


def an_instruct(command: TreeCommand | DirectoryCommand, by: str = OPERATOR_KID) -> Instruct:
    return Instruct(book_of(command), command, command.digest(), by)


def open_agent(agent: str = "A", parent: str | None = None, tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {
        "id": f"open-{agent}",
        "issued_at": NOW,
        "tree": tree,
        "agent": agent,
        "parent": parent,
        "name": f"Agent {agent}",
        "currency": "RUB",
    }
    return an_instruct(OpenAgent(**values | changes))


def set_limit(agent: str = "A", overdraft: int | None = 0, tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"limit-{agent}", "issued_at": NOW, "tree": tree, "agent": agent}
    return an_instruct(SetLimit(**values | {"overdraft": overdraft} | changes))


def a_deposit(agent: str = "A", amount: int = 100_000, tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {
        "id": f"deposit-{agent}",
        "issued_at": NOW,
        "tree": tree,
        "agent": agent,
        "amount": amount,
        "currency": "RUB",
        "document": "Payment order 17",
    }
    return an_instruct(Deposit(**values | changes))


def block(agent: str = "A", tree: str = "A", **changes: Any) -> Instruct:
    return an_instruct(BlockAgent(**_why("block", agent, tree) | changes))


def unblock(agent: str = "A", tree: str = "A", **changes: Any) -> Instruct:
    return an_instruct(UnblockAgent(**_why("unblock", agent, tree) | changes))


def close(agent: str = "A", tree: str = "A", **changes: Any) -> Instruct:
    return an_instruct(CloseAgent(**_why("close", agent, tree) | changes))


def move(agent: str, parent: str, tree: str = "A", **changes: Any) -> Instruct:
    return an_instruct(MoveAgent(**_why("move", agent, tree) | {"parent": parent} | changes))


def _why(what: str, agent: str, tree: str) -> dict[str, Any]:
    return {"id": f"{what}-{agent}", "issued_at": NOW, "tree": tree, "agent": agent, "reason": "Letter 12"}


def a_transfer(giver: str = "A", taker: str = "S", amount: int = 500_000, tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"transfer-{giver}-{taker}", "giver": giver, "taker": taker, "document": "Memo 3"}
    values |= {"issued_at": NOW, "tree": tree, "amount": amount, "currency": "RUB"}
    return an_instruct(Transfer(**values | changes))


def a_withdrawal(agent: str = "A", amount: int = 500_000, tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"withdraw-{agent}", "agent": agent, "document": "Memo 4"}
    values |= {"issued_at": NOW, "tree": tree, "amount": amount, "currency": "RUB"}
    return an_instruct(Withdraw(**values | changes))


def a_resolve(payment: str = "kiosk-1.1", paid: bool = True, tree: str = "A", **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"resolve-{payment}", "issued_at": NOW, "tree": tree, "payment": payment}
    return an_instruct(ResolvePayment(**values | {"paid": paid, "evidence": "Payee's letter 4"} | changes))


def a_pay_out(code: str, agent: str = "S", amount: int = 17_750, tree: str = "A", **changes: Any) -> Instruct:
    """Of the change under a code; code="" says it has none, and is known by its payment."""
    values: dict[str, Any] = {
        "id": "pay-out-1",
        "issued_at": NOW,
        "tree": tree,
        "agent": agent,
        "code": code or None,
        "amount": amount,
        "currency": "RUB",
        "evidence": "Receipt 12",
    }
    return an_instruct(PayOutChange(**values | changes))


def close_window(payee: str | None = None, number: int = 1, tree: str = "A", **changes: Any) -> Instruct:
    values = {"id": f"close-{payee}-{number}", "issued_at": NOW, "tree": tree, "payee": payee, "number": number}
    return an_instruct(CloseWindow(**values | changes))


def window_due(payee: str = "", number: int = 1, book: str = "A", due_at: int = AT) -> WindowDue:
    return WindowDue(book, payee, number, due_at)


def a_schedule(tree: str = "A", payee: str | None = None, cron: str = "0 0 * * *", **changes: Any) -> Schedule:
    return Schedule(tree=tree, payee=payee, cron=cron, **changes)


def set_schedule(schedule: Schedule | None = None, command_id: str = "schedule-1") -> Instruct:
    schedule = schedule if schedule is not None else a_schedule()
    return an_instruct(SetSchedule(id=command_id, issued_at=NOW, schedule=schedule))


def set_terminal(terminal: Terminal | None = None, command_id: str = "terminal-1") -> Instruct:
    terminal = terminal if terminal is not None else a_terminal()
    return an_instruct(SetTerminal(id=command_id, issued_at=NOW, terminal=terminal))


def revoke_key(kid: str = TERMINAL_KID, terminal: str = "kiosk-1", command_id: str = "revoke-1") -> Instruct:
    return an_instruct(RevokeKey(id=command_id, issued_at=NOW, terminal=terminal, kid=kid))


def set_payee(payee: Payee | None = None, command_id: str = "payee-1") -> Instruct:
    return an_instruct(SetPayee(id=command_id, issued_at=NOW, payee=payee if payee is not None else a_payee()))


def set_tariff(tariff: Tariff | None = None, command_id: str = "tariff-1") -> Instruct:
    return an_instruct(SetTariff(id=command_id, issued_at=NOW, tariff=tariff if tariff is not None else a_tariff()))


def set_gateway(gateway: Gateway | None = None, command_id: str = "gateway-1") -> Instruct:
    gateway = gateway if gateway is not None else a_gateway()
    return an_instruct(SetGateway(id=command_id, issued_at=NOW, gateway=gateway))


def set_operator(operator: Operator | None = None, command_id: str = "operator-1") -> Instruct:
    operator = operator if operator is not None else an_operator()
    return an_instruct(SetOperator(id=command_id, issued_at=NOW, operator=operator))


# --- a ledger at work


def decided(state: State, command: LedgerCommand, at: int = AT) -> Entry:
    """Decide the command, fold what it leads to into the state and return it; it must lead to one entry."""
    decision = decide(state, command, at)
    assert isinstance(decision, list), decision
    (entry,) = decision
    evolve(state, entry)
    return entry


def performed(state: State, command: LedgerCommand, at: int = AT) -> list[Entry]:
    """The same with all that follows from it, such as cash that waited; it must lead to entries."""
    decision = perform(state, command, at)
    assert isinstance(decision, list), decision
    return decision


def a_state(*commands: LedgerCommand, partition: int = 0) -> State:
    """A partition on which these commands were decided, in order."""
    state = State(partition)
    for command in commands:
        decided(state, command)
    return state


def a_tree(
    money: int = 200_000, overdraft: int = 0, funding: Literal["own", "shared"] = "own", root_money: int = 0
) -> State:
    """Root A with sub-agent S, who has this money (A has it when S shares A's)."""
    state = a_state(
        open_agent("A", overdraft=overdraft if funding == "shared" else 0),
        open_agent("S", "A", funding=funding, overdraft=overdraft if funding == "own" else 0),
    )
    if funding == "shared":
        root_money, money = money + root_money, 0
    for agent, amount in (("S", money), ("A", root_money)):
        if amount:
            decided(state, a_deposit(agent, amount))
    return state


def legs(entry: Entry) -> list[tuple[str, int]]:
    """(account, signed amount) of each leg, in order."""
    return [(leg.account, leg.amount) for leg in entry.legs]


def balances(state: State, book: str = "A", currency: str = "RUB") -> dict[str, int]:
    """The balance of every account of a book that is not zero."""
    accounts = state.books[book].accounts.items()
    return {name: end.balance for (name, coin), end in accounts if coin == currency and end.balance}


def folded(entries: Iterable[Entry], partition: int = 0) -> State:
    """A fresh partition with these entries folded in, as a worker does that takes the partition over."""
    state = State(partition)
    for entry in entries:
        evolve(state, entry)
    return state
