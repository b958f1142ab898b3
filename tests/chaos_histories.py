"""Random histories of two trees, decided by the real core, for the fault suite's model to follow. Seeded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import orjson

from console.fees import fee_on_top
from console.requests import encoded
from schemas.change import ChangeSpent, account_change, mark_of
from schemas.command import DirectoryCommand, Liftable, TreeCommand
from schemas.entry import Entry
from schemas.gateway import RetrySchedule
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from schemas.payee import Payee, SubscriberField
from schemas.period import following
from schemas.registry_command import RegistryCommand
from schemas.tariff import Fee, Tariff
from schemas.voucher_command import ProductOrder
from streams.ledger.commands import (
    ChangeDue,
    Instruct,
    LedgerCommand,
    Place,
    RegistryDue,
    RegistryTerms,
    Reversible,
    Settle,
    VoucherDue,
)
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests.builders import (
    AT,
    a_deposit,
    a_gateway,
    a_pay_out,
    a_payee,
    a_place,
    a_public_key,
    a_rate,
    a_resolve,
    a_retry,
    a_send,
    a_settle,
    a_tariff,
    a_tariff_with_rules,
    a_terminal,
    a_transfer,
    a_withdrawal,
    an_operator,
    an_order,
    block,
    close,
    close_window,
    move,
    open_agent,
    revoke_key,
    set_gateway,
    set_limit,
    set_operator,
    set_payee,
    set_tariff,
    set_terminal,
    unblock,
    window_due,
)
from tests.builders_cash import a_collection
from tests.builders_change import a_reclaim, block_change, unblock_change
from tests.builders_charts import a_chart, numbers, set_chart
from tests.builders_clearing import a_transfer_to, bring, called_for_by
from tests.builders_fees import a_plan, fee_due, set_plan
from tests.builders_offline import an_offline_payee, some_terms, words_by
from tests.builders_reversal import REVERSIBLE, a_cancel, a_reversal
from tests.builders_routes import a_route
from tests.builders_vouchers import RESERVE_MS, vouchers_words
from tests.chaos.model import Model
from tests.chaos_corrections import a_correction_of
from tests.chaos_currencies import a_currency, an_exchange_of, beginning_abroad, currency_for
from tests.chaos_registries import a_registrys_step
from tests.chaos_vouchers import PRODUCT, vouchers_steps

CURRENCY = {"A": "RUB", "B": "USD", "C": "RUB"}
AGENTS = ("A", "B", "S", "T", "U", "V")
FIELDS = (
    SubscriberField(name="phone", title="Phone", pattern=r"9\d{9}"),
    SubscriberField(name="contract", title="Contract", pattern=r"\d{2,4}"),
)
PAYEES = (
    a_payee("mobile", fields=FIELDS[:1], max_amount=50_000),
    a_payee("both", fields=FIELDS, max_amount=50_000, gateway="osmp-2"),
    a_payee("coins", fields=FIELDS[:1], denominations=(100, 500, 9_000), max_amount=9_000),
    a_payee("abroad", fields=FIELDS[:1], currency="USD", min_amount=1, max_amount=9_000),
    an_offline_payee("water", fields=FIELDS[:1], max_amount=50_000),
    a_payee(
        "ways",
        fields=FIELDS[:1],
        max_amount=50_000,
        time_zone="Europe/Moscow",
        routes=(
            a_route("osmp-1", 2, share=3),
            a_route("osmp-2", 2, technical=("79", "x5")),
            a_route("osmp-3", begins="21:00", ends="04:00"),
            a_route("osmp-4", 3, weekdays=("thu", "fri", "sun")),
        ),
    ),
    None,
)
WAYS = {route.gateway: frozenset(route.technical) for payee in PAYEES if payee is not None for route in payee.routes}
TARIFFS = (
    None,
    a_tariff(),
    a_tariff(fee=Fee(rate_bps=300), processing=a_rate(min_minor=7), reward_shares_bps=(3_333, 3_333, 3_333)),
    a_tariff(fee=Fee(rate_bps=200, min_minor=50, max_minor=90), processing=a_rate(3, max_minor=20)),
    a_tariff(fee=Fee(), processing=a_rate(), reward=a_rate(50), reward_shares_bps=(10_000,)),
    a_tariff_with_rules(),
)
CHANGE = tuple(f"{number:032x}" for number in range(3))
SCHEDULES = (a_retry(budget=1), a_retry(budget=2), a_retry(interval_ms=300, budget=4))
SELLERS = (("A", "S"), ("A", "S"), ("A", "T"), ("A", "U"), ("A", "U"), ("A", "A"), ("B", "B"), ("B", "B"), ("B", "S"))
CODES = ("0", "5", "79", "220", "300", "999", "", "x5", "0005")


@dataclass
class Asked:
    """What the model is told of the causes. `payee`, `tariff`, `schedule` are those of the command just decided."""

    orders: dict[tuple[str, str], bytes] = field(default_factory=dict)
    commands: dict[tuple[str, str, str], TreeCommand | DirectoryCommand] = field(default_factory=dict)
    payee: Payee | None = None
    tariff: Tariff | None = None
    schedule: RetrySchedule = SCHEDULES[0]
    backlog_max: int = 0
    voucher_reserve_ms: int = RESERVE_MS
    can_cancel: bool = False
    codes: frozenset[str] = frozenset()
    is_last: bool = False
    four_eyes_above: list[int] = field(default_factory=list)
    terminals: set[str] = field(default_factory=set)

    def see(self, command: LedgerCommand) -> None:
        match command:
            case Place():
                self.payee, self.tariff, self.backlog_max = command.payee, command.tariff, command.backlog_max
                self.orders.setdefault((command.order.id, command.digest), encoded(command.order))
            case Instruct():
                self.four_eyes_above = [command.four_eyes_above]
                if command.terminal:
                    self.terminals.add(command.terminal)
                if isinstance(command.command, RegistryCommand):
                    self._see_terms(command.command, command.registry)
                if command.product is not None:
                    self.payee = command.product.payee
                elif isinstance(command.command, ProductOrder):
                    self.payee = PRODUCT
                if command.reversible is not None:
                    self._see_directory(command.reversible)
                self.commands.setdefault((command.book, command.command.id, command.digest), command.command)
            case Settle():
                self.schedule, self.is_last, self.codes = command.retry, command.is_last, command.technical
            case RegistryDue():
                self._see_terms(command, command.terms)

    def _see_directory(self, now: Reversible) -> None:
        """The payee as the command has it: only how long it gives payments back matters."""
        self.can_cancel = bool(now.gateways)
        self.payee = a_payee(reversal_s=max(now.payees.values(), default=0))

    def repeats_nothing(self, gateway: str, at: int) -> list[bool]:
        return [self.is_last]

    def _see_terms(self, about: Any, terms: RegistryTerms | None) -> None:
        """The payee as a command about its registries has it."""
        if terms is None:
            self.payee = None
        else:
            self.payee = an_offline_payee(about.payee, some_terms(form=terms.form), time_zone=terms.time_zone)

    def cancels(self, gateway: str, at: int) -> list[bool]:
        return [self.can_cancel]

    def technical(self, payee: str, gateway: str, at: int) -> list[frozenset[str]]:
        return [self.codes]

    def is_terminal(self, owner: str) -> bool:
        return owner in self.terminals

    def model(self, partition: int = 0) -> Model:
        return Model(partition, self, self.order, lambda *cause: self.commands.get(cause))

    def order(self, id: str, digest: str) -> dict[str, Any] | None:
        payload = self.orders.get((id, digest))
        return orjson.loads(payload) if payload is not None else None

    def payees(self, id: str, at: int) -> list[Payee | None]:
        return [self.payee]

    def tariffs(self, payee: str, at: int) -> list[Tariff | None]:
        return [self.tariff]

    def schedules(self, gateway: str, at: int) -> list[RetrySchedule]:
        return [self.schedule]


class Story:
    """An endless history. Each step is (command, its entry); what leads to none is decided and passed over."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.state = State(0)
        self.asked: list[LedgerCommand] = []
        self.decided = 0
        self.at = AT
        self.on_the_way: list[LedgerCommand] = []  # what trees say to each other
        self.to_registries: list[LedgerCommand] = []  # and to registries, and these to them
        self.to_stocks: list[LedgerCommand] = []  # and to stocks of vouchers, and these to them

    def steps(self) -> Iterator[tuple[LedgerCommand, Entry]]:
        while True:
            for command in self._next():
                is_soon = self.rng.random() < 0.97
                self.at += self.rng.choice((0, 1, 1, 250) if is_soon else (7_200_000, 7_200_000, 90_000_000))
                self.decided += 1
                decision = perform(self.state, command, self.at)
                for entry in decision if isinstance(decision, list) else ():
                    self.on_the_way += called_for_by([entry])
                    self.to_registries += words_by([entry])
                    self.to_stocks += vouchers_words([entry])
                    yield command, Entry.decode(entry.encode())

    def _next(self) -> Iterator[LedgerCommand]:
        pick = self.rng.randrange(100)
        if not self.asked:
            yield from map(self._remembered, self._beginning())
        elif pick < 6:
            yield self._remembered(self._open())
        elif pick < 12:
            yield self._remembered(self._money())
        elif pick < 15:
            yield self._remembered(self._directory())
        elif pick < 16:
            yield self.rng.choice((self._window, self._window, self._charge))()
        elif pick < 17:
            yield self._remembered(self.rng.choice((a_currency, an_exchange_of, an_exchange_of))(self.rng, self._id()))
        elif pick < 18:
            yield self._remembered(self._standing() if self.rng.random() < 0.7 else self._cash())
        elif pick < 19:
            yield self._remembered(self._move())
        elif pick < 21:
            yield self.rng.choice(self.asked)  # delivered again
        elif pick < 25:
            between = self.rng.random() < 0.4
            yield self._remembered(
                self._between_trees() if between else a_correction_of(self.state, self.rng, self._id())
            )
        elif pick < 29:
            yield from map(self._remembered, self._reversal())
        elif pick < 31:
            yield self._old_change()
        elif pick < 33:
            yield self._remembered(self._standing())
        elif pick < 36 and self.to_registries:
            yield self._remembered(self.to_registries.pop(self.rng.randrange(len(self.to_registries))))
        elif pick < 38:
            yield self._remembered(a_registrys_step(self.state, self.rng, self._id()))
        elif pick < 42 and self.to_stocks:
            yield self._remembered(self.to_stocks.pop(self.rng.randrange(len(self.to_stocks))))
        elif pick < 46:
            for command in vouchers_steps(self.state, self.rng, len(self.asked)):
                yield command if isinstance(command, VoucherDue) else self._remembered(command)
        elif pick < 66:
            yield self._remembered(self._sale())
        else:
            yield from self._course()

    def _remembered(self, command: LedgerCommand) -> LedgerCommand:
        self.asked.append(command)
        return command

    def _beginning(self) -> Iterator[Instruct]:
        """A over S over T over U, T perhaps on the money of S; and B alone."""
        for agent, parent, tree in (
            ("A", None, "A"),
            ("S", "A", "A"),
            ("T", "S", "A"),
            ("U", "T", "A"),
            ("B", None, "B"),
            ("C", None, "C"),
        ):
            funding = self.rng.choice(("own", "shared")) if agent == "T" else "own"
            overdraft = 20_000 if agent == "S" else 0
            yield open_agent(
                agent,
                parent,
                tree,
                id=self._id(),
                currency=CURRENCY[tree],
                funding=funding,
                overdraft=overdraft,
                time_zone="Asia/Kolkata" if agent == "A" else None,
            )
            yield a_deposit(agent, self.rng.randint(1, 100_000), tree, id=self._id(), currency=CURRENCY[tree])
        yield from beginning_abroad(self.rng, self._id)

    def _id(self) -> str:
        return f"command-{len(self.asked)}"

    def _open(self) -> Instruct:
        rng, tree = self.rng, self.rng.choice("AB")
        agent = tree if tree not in self.state.books else rng.choice(AGENTS)
        parent = None if agent == tree else rng.choice(("A", "B", "S", "T"))
        currency = CURRENCY[rng.choice((tree, tree, tree, "A"))]
        return open_agent(
            agent, parent, tree, id=self._id(), currency=currency, overdraft=rng.choice((0, 0, 3_000)),
            funding=rng.choice(("own", "own", "shared")),
        )  # fmt: skip

    def _money(self) -> Instruct:
        rng, tree = self.rng, self.rng.choice("AB")
        agent = rng.choice(AGENTS)
        if rng.random() < 0.3:
            coin = currency_for(rng, tree)
            return a_pay_out(rng.choice(CHANGE), agent, rng.choice((1, 500, 5_000)), tree, id=self._id(), currency=coin)
        if rng.random() < 0.3:
            agents = self.state.books[tree].agents.values() if tree in self.state.books else ()
            debts = {one.id: -one.balance for one in agents if one.balance < 0}
            if debts and rng.random() < 0.5:  # to the last unit of what it owes, or one less
                agent = rng.choice(list(debts))
                return set_limit(agent, debts[agent] - rng.randint(0, 1), tree, id=self._id())
            coin = rng.choice((None, None, "USD"))
            return set_limit(agent, rng.choice((0, 1, 10_000, 60_000)), tree, id=self._id(), currency=coin)
        currency = "EUR" if rng.random() < 0.05 else currency_for(rng, tree)
        if rng.random() < 0.3:
            return a_transfer(agent, rng.choice(AGENTS), rng.randint(1, 30_000), tree, id=self._id(), currency=currency)
        if rng.random() < 0.1:
            return a_withdrawal(agent, rng.randint(1, 30_000), tree, id=self._id(), currency=currency)
        return a_deposit(agent, rng.randint(1, 100_000), tree, id=self._id(), currency=currency)

    def _between_trees(self) -> LedgerCommand:
        """Money leaves for another tree, or one hears of another, in any order."""
        rng = self.rng
        if self.on_the_way and rng.random() < 0.7:
            return self.on_the_way.pop(rng.randrange(len(self.on_the_way)))
        tree, to_tree = rng.choice(("AC", "AC", "CA", "CA", "CA", "BA", "AB", "CC", "CZ"))
        giver, taker = (rng.choice((*AGENTS, tree, tree)) for tree in (tree, to_tree))
        currency = "EUR" if rng.random() < 0.05 else CURRENCY[tree]
        if rng.random() < 0.4:
            amount = rng.choice((1, 700, 5_000))
            return bring(rng.choice(CHANGE), amount, tree, to_tree, id=self._id(), currency=currency)
        return a_transfer_to(to_tree, giver, taker, rng.randint(1, 30_000), tree, id=self._id(), currency=currency)

    def _standing(self) -> Instruct:
        """Who is stopped is soon let go on: otherwise nobody sells."""
        if self.rng.random() < 0.5:
            return self._cap()
        if self.rng.random() < 0.1 and (empty := self._with_nothing()):
            return close(*self.rng.choice(empty)[::-1], id=self._id())
        stopped = [(book.id, one.id) for book in self.state.books.values() for one in book.agents.values()
                   if one.status == "blocked"]  # fmt: skip
        if stopped and self.rng.random() < 0.7:
            tree, agent = self.rng.choice(stopped)
            return unblock(agent, tree, id=self._id())
        what = self.rng.choice((block, block, unblock, close))
        return what(self.rng.choice(AGENTS), self.rng.choice("AAB"), id=self._id())

    def _move(self) -> Instruct:
        """Mostly within its tree; refused where something waits, below itself, or a currency is missing."""
        tree = self.rng.choice("AAAB")
        book = self.state.books.get(tree)
        names = list(book.agents) if book is not None and self.rng.random() < 0.9 else list(AGENTS)
        return move(self.rng.choice(names), self.rng.choice(names), tree, id=self._id())

    def _with_nothing(self) -> list[tuple[str, str]]:
        """Tree and id of the agents that could be closed, as far as their money goes."""
        return [(book.id, one.id) for book in self.state.books.values() for one in book.agents.values()
                if one.parent is not None and one.status != "closed" and not one.balance and not one.held]  # fmt: skip

    def _cap(self) -> Instruct:
        rng = self.rng
        names: list[Liftable] = ["payment_max", "daily_max", "monthly_max"]
        changes: dict[str, Any] = {rng.choice(names): rng.randint(1, 60_000) for _ in range(rng.randint(0, 2))}
        if rng.random() < 0.5:
            changes["lift"] = tuple(rng.sample(names, rng.randint(0, 3)))
        if rng.random() < 0.4:
            changes["payees"] = rng.choice(((), (), ("mobile",), ("mobile", "coins", "abroad")))
        return set_limit(rng.choice(AGENTS), rng.choice((None, None, 100)), rng.choice("AAB"), id=self._id(),
                         currency=rng.choice((None, None, None, "USD")), **changes)  # fmt: skip

    def _directory(self) -> Instruct:
        rng, id = self.rng, self._id()
        key = a_public_key("kiosk-1:1", rng.choice("AAB"), revoked_at=rng.choice((None, None, ms_instant(AT))))
        keys = rng.choice(((key,), (key, key), (a_public_key("kiosk-1:2", "C"), a_public_key())))
        return rng.choice((
            lambda: set_tariff(a_tariff(version=rng.randint(1, 50)), id),
            lambda: set_payee(PAYEES[rng.randrange(6)], id),
            lambda: set_gateway(a_gateway(connections=rng.randint(1, 9)), id),
            lambda: set_operator(an_operator(keys=keys), id),
            lambda: set_terminal(a_terminal(agent=rng.choice("SST"), keys=keys), id),
            lambda: set_plan(a_plan(fixed=rng.randint(1, 9), tree=rng.choice("AAAB"),
                                    period=rng.choice(("month", "month", "month", "week"))), id),
            lambda: revoke_key(rng.choice(("kiosk-1:1", "kiosk-1:2")), command_id=id),
            lambda: set_chart(
                a_chart(rng.randint(1, 50), accounts={"RUB": numbers(hold=rng.choice(("1" * 20, "1", "")))}), id
            ),
        ))()  # fmt: skip

    def _charge(self) -> LedgerCommand:
        """Some period of a plan, by the month, the week or the day; now and then it was charged, or has not begun."""
        rng, tree = self.rng, self.rng.choice("AAB")
        plan, since = rng.choice((("service", "2026-01"), ("line", "2026-W01"), ("desk", "2026-01-01")))
        agent, book = rng.choice(AGENTS), self.state.books.get(tree)
        last = book.charged.get((plan, agent), "") if book is not None else ""
        period = following(last) if last and rng.random() < 0.9 else since
        currency = "EUR" if rng.random() < 0.05 else currency_for(rng, tree)
        return fee_due(period, agent, tree, plan=plan, since=since, terminals=rng.randint(0, 3), currency=currency,
                       fixed=rng.choice((0, 500)), per_terminal=rng.choice((0, 20)))  # fmt: skip

    def _cash(self) -> Instruct:
        """What is counted in some terminal, of whoever's, in whatever currency."""
        rng, tree = self.rng, self.rng.choice("AAB")
        tills = self.state.books[tree].tills if tree in self.state.books else {}
        terminal, agent, currency = rng.choice(list(tills)) if tills else ("kiosk-1", "S", "RUB")
        expected = tills[terminal, agent, currency].expected if tills else 0
        if rng.random() < 0.2:
            terminal, agent, currency = rng.choice((("kiosk-2", agent, currency), (terminal, "V", currency),
                                                    (terminal, agent, "EUR")))  # fmt: skip
        counted = rng.choice((expected, 0, max(0, expected - 100), expected + 1))
        changes = {"currency": currency, "id": self._id(), "comment": rng.choice(("", "torn note"))}
        return a_collection(counted, terminal, agent, tree, **changes)

    def _window(self) -> LedgerCommand:
        """The open window of a payee or a tree is closed, by timer or operator; now and then another is named."""
        rng, tree, payee = self.rng, self.rng.choice("AB"), self.rng.choice(("", "mobile", "abroad"))
        book = self.state.books.get(tree)
        number = (book.window(payee).number if book is not None else 1) + (rng.random() < 0.2)
        if rng.random() < 0.5:
            return window_due(payee, number, tree)
        return self._remembered(close_window(payee or None, number, tree, id=self._id()))

    def _old_change(self) -> LedgerCommand:
        """What nobody touched for a day expires; who comes for it after all gets it, if it is no more than that."""
        rng, tree = self.rng, self.rng.choice("AAB")
        expired = list(self.state.books[tree].change.expired.items()) if tree in self.state.books else []
        if rng.random() < 0.4:
            return self._remembered(self._stopped_change(tree))
        if not expired or rng.random() < 0.5:
            return ChangeDue(tree, 1)
        (account, coin), amount = rng.choice(expired)
        code = {account_change(mark_of(one)): one for one in CHANGE}.get(account, "")
        payment = None if code else account.removeprefix("change:payment:")
        amount = max(1, amount - rng.choice((0, 0, 1, -1)))
        known = {"id": self._id(), "currency": coin, "payment": payment}
        return self._remembered(a_reclaim(code, rng.choice(AGENTS), amount, tree, **known))

    def _stopped_change(self, tree: str) -> Instruct:
        """What is blocked is let go soon, or nobody spends."""
        rng, book = self.rng, self.state.books.get(tree)
        stopped = sorted(book.change.blocked) if book is not None else []
        there = sorted({account for account, _ in book.change.touched}) if book is not None else []
        if (stopped or there) and rng.random() < 0.7:
            named = rng.choice(stopped or there).removeprefix("change:")
            payment = named.removeprefix("payment:") if named.startswith("payment:") else ""
            return (unblock_change if stopped else block_change)(payment, named, tree, id=self._id())
        known = list(self.state.payments)
        payment = rng.choice(known) if known and rng.random() < 0.5 else ""
        what = rng.choice((block_change, block_change, unblock_change))
        return what(payment, mark_of(rng.choice((*CHANGE, "f" * 32))), tree, id=self._id())

    def _sale(self) -> Place:
        rng = self.rng
        (tree, agent), payee, tariff = rng.choice(SELLERS), rng.choice(PAYEES), rng.choice(TARIFFS)
        currency = currency_for(rng, tree)
        if rng.random() < 0.8:  # one that takes the currency
            payee = rng.choice((*PAYEES[:3], *PAYEES[4:6])) if currency == "RUB" else PAYEES[3]
        amount = rng.choice((rng.randint(1, 12_000), rng.randint(1, 12_000), 100, 500, 9_000, 50_000, 50_001))
        if rng.random() < 0.25:
            tariff, amount = None, max(1, self._all_of(tree, agent, currency) + rng.randint(-1, 1))
        made_at = AT + rng.choice((0, -3_600_000, 10**9))
        is_collected = rng.random() < 0.5
        fee = self._fee(tariff, amount, f"{tree}/{agent}", min(made_at, self.at) if is_collected else self.at)
        collected = is_collected * (amount + fee + rng.choice((0, rng.randint(1, 5_000))))
        code = rng.choice((None, *CHANGE))
        changes: dict[str, Any] = {"collected": collected, "currency": currency}
        changes["change_to"] = mark_of(code) if code is not None else None
        changes["change_from"] = self._spent(tree, amount + fee)
        if changes["change_from"] and collected:
            collected = changes["collected"] = max(0, collected - changes["change_from"][0].amount)
        changes["made_at"] = ms_instant(made_at)
        changes["subscriber"] = {"contract": "17", "phone": "9161234567"} if payee is PAYEES[1] else {"phone": "9" * 10}
        if rng.random() < 0.15:
            changes |= rng.choice((
                {"currency": "EUR"}, {"collected": 1}, {"subscriber": {"phone": "1"}}, {"subscriber": {"x": "9" * 10}},
                {"agent": "nobody"},
            ))  # fmt: skip
        name = payee.id if payee else "nobody"
        order = an_order(
            len(self.asked) + 1, **{"agent": agent, "payee": name, "amount": amount, "fee": fee} | changes
        )  # fmt: skip
        backlog_max = rng.choice((1, 3, *(1_000,) * 9))
        unwell = frozenset(rng.sample(("osmp-1", "osmp-2", "osmp-3", "osmp-4"), rng.choice((0, 0, 1, 2))))
        command = a_place(order, book=tree, payee=payee, tariff=tariff, backlog_max=backlog_max)
        return replace(command, unwell=unwell)

    def _spent(self, tree: str, total: int) -> tuple[ChangeSpent, ...]:
        """Now and then change pays: all that is left under a code, a part, one too many, or a code that is none."""
        rng = self.rng
        if rng.random() < 0.6 or tree not in self.state.books:
            return ()
        found = []
        for code in rng.sample((*CHANGE, "f" * 32), rng.choice((1, 1, 1, 2))):
            kept = self.state.books[tree].accounts.get((account_change(mark_of(code)), CURRENCY[tree]))
            left = kept.balance if kept is not None else 0
            amount = rng.choice((left, left, min(left, total), rng.randint(1, 500), left + 1))
            found.append(ChangeSpent(code=code, amount=max(1, amount if rng.random() < 0.1 else min(amount, total))))
        return tuple(found)

    def _all_of(self, tree: str, agent: str, currency: str) -> int:
        """What the agent may spend to the last minor unit."""
        line = self.state.books[tree].chain(agent, currency) if tree in self.state.books else []
        return next((one.available for one in line if one.funding == "own"), 0)

    def _fee(self, tariff: Tariff | None, amount: int, agent: str, at: int) -> int:
        """Right if the order is decided at once, which it is but for a few milliseconds."""
        return (fee_on_top(tariff, amount, agent, at) or 0) + (self.rng.random() < 0.05)

    def _reversal(self) -> Iterator[Instruct]:
        """A payment is asked back, mostly one that is posted; by an operator, its terminal, or another's."""
        rng, known = self.rng, list(self.state.payments.values())
        posted = [one for one in known if one.state == "POSTED"]
        if not known:
            return
        payment = rng.choice(posted if posted and rng.random() < 0.9 else known)
        by, terminal = rng.choice(
            (("chief:1", ""), ("chief:1", ""), ("kiosk-1:1", "kiosk-1"), ("kiosk-2:1", "kiosk-2"))
        )
        seconds = rng.choice((0, 3_600, 86_400, 86_400))
        payees = {name: seconds for name in ("mobile", "both", "coins", "abroad", "ways") if seconds}
        now = Reversible(payees, rng.choice((frozenset[str](), *(REVERSIBLE.gateways,) * 3)))
        yield a_reversal(
            payment.id, rng.choice((payment.book, payment.book, payment.book, "B")), id=self._id(), by=by,
            terminal=terminal, reversible=now, refund=rng.choice(("cash", "change")),
        )  # fmt: skip

    def _course(self) -> Iterator[LedgerCommand]:
        """Some open payment goes a step further: the payee answers, or an operator decides."""
        rng, known = self.rng, list(self.state.open) or list(self.state.payments)
        if not known:
            return
        payment = self.state.payments[rng.choice(known)]
        chance = {"MANUAL": 1.0, "REVERSAL_MANUAL": 1.0, "WAITING_FUNDS": 0.5}.get(payment.state, 0.05)
        if payment.state == "MANUAL" and payment.tries and rng.random() < 0.5:
            verdict = rng.choice((Verdict.PAID, Verdict.FATAL))
            yield a_settle(payment.id, verdict, "status", code="statement", book=payment.book, retry=SCHEDULES[0])
            return
        if rng.random() < chance:
            yield self._remembered(a_resolve(payment.id, rng.random() < 0.5, payment.book, id=self._id()))
            return
        if payment.state == "REVERSING":
            yield a_cancel(
                payment.id, rng.choice((*Verdict, Verdict.CANCELLED, Verdict.FATAL)), code=rng.choice(CODES),
                book=payment.book, retry=rng.choice(SCHEDULES), sent_before=rng.random() < 0.1,
            )  # fmt: skip
            return
        if payment.state == "HELD" and rng.random() < 0.2:
            yield a_send(payment.id, payment.book)
            return
        if rng.random() < 0.1:
            yield a_settle(
                payment.id, Verdict.NOT_SENT, rng.choice(("check", "pay", "status")), code="breaker-open",
                book=payment.book, retry=rng.choice(SCHEDULES), not_before=self.at + rng.choice((1, 3_000, 900_000)),
            )  # fmt: skip
            return
        answer = rng.choice(list(Verdict)), rng.choice(("check", "pay", "pay", "status"))
        if payment.facts is not None and payment.facts.routes and rng.random() < 0.6:
            answer = rng.choice(((Verdict.NOT_SENT, "check"), (Verdict.NOT_SENT, "pay"), (Verdict.FATAL, "check")))
        yield replace(
            a_settle(
                payment.id, *answer, code=rng.choice(CODES), book=payment.book, retry=rng.choice(SCHEDULES),
                sent_before=rng.random() < 0.1, is_last=rng.random() < 0.1,
            ),
            technical=WAYS.get(payment.facts.gateway, frozenset()) if payment.facts is not None else frozenset(),
        )  # fmt: skip
