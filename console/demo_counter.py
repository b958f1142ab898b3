"""At the counter: a few payments of the demo one by one, in the order in which a cashier meets them.

The fleet shows how many; this shows what becomes of cash: change kept and spent, a payment that waits for funds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from console.client import Client
from console.demo_network import CURRENCY, tariff
from console.errors import KassaError
from console.fees import amount_within, fee_on_top
from console.numbers import numbers_used
from console.output import major, rows, say
from console.requests import command_request, payment_request
from schemas.agent_command import Transfer
from schemas.cash import CollectCash
from schemas.change import ChangeSpent, mark_of, new_code
from schemas.command import (
    Deposit,
    DirectoryCommand,
    OpenAgent,
    PayOutChange,
    SetPlan,
    SetTerminal,
    TreeCommand,
)
from schemas.currency_command import Exchange, OpenCurrency
from schemas.envelope import SigningKey
from schemas.ids import instant_ms
from schemas.payment import PaymentOrder
from schemas.plan import Plan
from schemas.reply import Reply
from schemas.reversal import ReversePayment
from schemas.terminal import Terminal
from streams.keyring import ensure_terminal_key, load_operator_key
from streams.ledger.tariff_choice import agent_path
from streams.settings import Settings

NUMBERS = 3_000  # of a cashier's numbers, those up to here are the demo's own
TREE, RICH, POOR = "volga", "volga-1-1", "volga-4"
_PAYEE, _SUBSCRIBER = "mobile", "9161234567"
_ANSWER_S, _SETTLED_S = 30.0, 60.0


class CounterFailed(KassaError):
    """Something at the counter did not become what it must."""

    exit_code = 1


@dataclass(slots=True)
class Counter:
    """One cashier for each of two agents: one with money on its account, one without."""

    settings: Settings
    client: Client
    operator: SigningKey
    shown: list[tuple[str, str, str, str]] = field(default_factory=list)
    name: str = "counter"
    _count: int = 0

    def order(self, what: str, kind: type[Any], amount: int = 0, /, **content: Any) -> Reply:
        """An operator's command, done; told in the table when it has words for it."""
        self._count += 1
        id = f"{self.name}.{self._count}"
        command: TreeCommand | DirectoryCommand = kind(id=id, issued_at=datetime.now(UTC), **content)
        return self.asked(what, amount, command_request(command, self.operator), "DONE")

    def pay(self, what: str, agent: str, amount: int, state: str, **cash: Any) -> Reply:
        """A payment of so many minor units and the fee of the tariff; `cash`: collected, change_to, change_from."""
        terminal = cashier(agent)
        self._count += 1
        path = agent_path(TREE, agent)
        fee = fee_on_top(tariff(_PAYEE), amount, path, instant_ms(datetime.now(UTC)))
        order = PaymentOrder(
            id=f"{terminal}.{self._count}", terminal=terminal, number=self._count, agent=agent, payee=_PAYEE,
            subscriber={"account": _SUBSCRIBER}, amount=amount, fee=fee or 0, currency=CURRENCY,
            made_at=datetime.now(UTC), **cash,
        )  # fmt: skip
        request = payment_request(order, TREE, ensure_terminal_key(self.settings, terminal))
        return self.asked(what, order.collected or order.from_change or amount, request, state)

    def told(self, what: str, id: str, state: str) -> Reply:
        """A later word about what was asked before. Raises CounterFailed when none comes."""
        for _ in range(int(_SETTLED_S / 0.05)):
            reply = self.client.poll(0.05)
            if reply is not None and reply.id == id and reply.state == state:
                self._show(what, 0, reply)
                return reply
        raise CounterFailed(f"{id} did not become {state} in {_SETTLED_S:g} s")

    def asked(self, what: str, amount: int, request: Any, state: str) -> Reply:
        """The reply that has this state; told in the table when it has words for it. Raises CounterFailed."""
        last = None
        for answer in self.client.ask(request, _ANSWER_S, _SETTLED_S):
            last = answer.reply
            if last.state == state:
                self._show(what, amount, last)
                return last
        raise CounterFailed(f"{what or request.id} became {last and last.state}, not {state}: {last and last.reason}")

    def _show(self, what: str, amount: int, reply: Reply) -> None:
        if what:
            kept = f", {major(reply.kept, CURRENCY)} kept for the payer" if reply.kept else ""
            self.shown.append((what, reply.id, major(amount, CURRENCY) if amount else "", f"{reply.state}{kept}"))


def cashier(agent: str) -> str:
    """The terminal of an agent's counter."""
    return f"cashier-{agent}"


def at_the_counter(settings: Settings) -> None:
    """Raises CounterFailed where something does not become what the table says it becomes."""
    owners = ["root", cashier(RICH), cashier(POOR)]
    with Client(settings, owners) as client:
        counter = Counter(settings, client, load_operator_key(settings, "root"))
        for act in (_open, _change, _waiting, _reversal, _between_trees, _currencies, _cash_and_fees):
            act(counter)
    rows(("at the counter", "id", "amount", "became"), counter.shown, right=("amount",))
    say("")


def _open(counter: Counter) -> None:
    """An agent without money, and a cashier's terminal for it and for one that has some."""
    counter.order(
        "", OpenAgent, tree=TREE, agent=POOR, parent=TREE, name="Without money", currency=CURRENCY
    )  # fmt: skip
    for agent in RICH, POOR:
        key = ensure_terminal_key(counter.settings, cashier(agent))
        numbers_used(counter.settings, cashier(agent), NUMBERS)
        counter.order(
            "", SetTerminal, terminal=Terminal(id=cashier(agent), agent=agent, tree=TREE, keys=(key.public(),))
        )  # fmt: skip


def _change(counter: Counter) -> None:
    """A note that is more than the price: the rest is the payer's, under a code only the payer has."""
    code = new_code()
    paid = counter.pay("a 500 note for 300.00", RICH, 30_000, "POSTED", collected=50_000, change_to=mark_of(code))
    counter.order(
        "part of the change handed out", PayOutChange, 5_000, tree=TREE, agent=RICH, code=code, amount=5_000,
        currency=CURRENCY, evidence="receipt shown",
    )  # fmt: skip
    left = paid.kept - 5_000
    amount = amount_within(tariff(_PAYEE), left, agent_path(TREE, RICH), instant_ms(datetime.now(UTC)))
    spent = ChangeSpent(code=code, amount=left)
    counter.pay("the rest of it to a phone", RICH, amount or 0, "POSTED", change_from=(spent,))


def _waiting(counter: Counter) -> None:
    """The cash is in the box and the account is empty: the payment waits, and a deposit lets it go on."""
    waits = counter.pay(
        "cash taken, no money on the account", POOR, 20_000, "WAITING_FUNDS", collected=22_000,
        change_to=mark_of(new_code()),
    )  # fmt: skip
    counter.order(
        "the agent pays in", Deposit, 100_000, tree=TREE, agent=POOR, amount=100_000, currency=CURRENCY,
        document="counter",
    )  # fmt: skip
    counter.told("the payment that waited", waits.id, "POSTED")


def _between_trees(counter: Counter) -> None:
    """Money of one tree for an agent of another: it leaves, and arrives, over clearing accounts."""
    counter.order(
        f"from {TREE}'s agent to neva's", Transfer, 50_000, tree=TREE, giver=RICH, taker="neva-2", to_tree="neva",
        amount=50_000, currency=CURRENCY, document="counter",
    )  # fmt: skip


def _currencies(counter: Counter) -> None:
    """A second currency, from the root down, and money exchanged into it."""
    for agent in TREE, f"{TREE}-1", RICH:
        counter.order("", OpenCurrency, tree=TREE, agent=agent, currency="USD")
    counter.order(
        "exchanged for 12.50 USD", Exchange, 100_000, tree=TREE, agent=RICH, give=100_000, give_currency=CURRENCY,
        take=1_250, take_currency="USD", rate="0.0125", document="counter",
    )  # fmt: skip


def _reversal(counter: Counter) -> None:
    """The payee gives a payment back, and every reward of it goes back up the tree."""
    paid = counter.pay("paid by mistake", RICH, 40_000, "POSTED")
    counter.order(
        "the payee is asked to give it back", ReversePayment, 40_000, tree=TREE, payment=paid.id, reason="wrong number",
        evidence="the payer's receipt",
    )  # fmt: skip
    counter.told("the payment", paid.id, "REVERSED")


def _cash_and_fees(counter: Counter) -> None:
    """The terminal is emptied and its cash counted, ten roubles short; the agent pays for being served."""
    counter.order(
        "the terminal emptied, 10.00 short", CollectCash, 91_105, tree=TREE, terminal=cashier(RICH), agent=RICH,
        currency=CURRENCY, counted={"50000": 1, "10000": 4, "1000": 1, "105": 1}, bag="bag 1",
    )  # fmt: skip
    plan = Plan(
        id=f"{TREE}-month", tree=TREE, agents=(RICH,), fixed=10_000, per_terminal=2_500, currency=CURRENCY,
        period="month", starts=datetime.now(UTC).date(),
    )  # fmt: skip
    counter.order("a monthly fee for its agent", SetPlan, 0, plan=plan)
