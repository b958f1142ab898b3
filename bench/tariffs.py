"""What rules cost: a payment five levels deep, priced by a tariff of fifty rules. CPU time, median of several runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from statistics import median

from bench.core import do
from bench.figures import Figure
from console.fees import fee_on_top
from schemas.command import Deposit, OpenAgent
from schemas.payee import Payee, SubscriberField
from schemas.payment import PaymentOrder
from schemas.tariff import Fee, Rate, Tariff, TariffRule
from schemas.week import WEEKDAYS
from streams.ledger.commands import Instruct, Place
from streams.ledger.prices import price_of
from streams.ledger.state import State
from streams.ledger.tariff_ties import first_tie

_AT = 1_767_225_600_000  # as in bench.core: a Thursday
_LEVELS = ("A", "B", "C", "D", "S")
_RUNS = 5
_PAYEE = Payee(
    id="mobile", name="Mobile", gateway="osmp", currency="RUB", max_amount=10**9,
    fields=(SubscriberField(name="account", title="Phone", pattern=r"9\d{9}"),),
)  # fmt: skip


def priced(count: int = 5_000) -> list[Figure]:
    """Decide and evolve, and of it the choice and the arithmetic alone."""
    tariff = a_wide_tariff()
    assert first_tie(tariff, _AT) is None
    whole, prices = [], []
    for _ in range(_RUNS):
        state, places = _network(), [_place(number, tariff) for number in range(count)]
        began = time.process_time()
        for one in places:
            do(state, one)
        whole.append(time.process_time() - began)
        assert state.payments["kiosk-7.1"].facts is not None, "it was not held"
        chain = state.books["A"].chain("S")
        began = time.process_time()
        for one in places:
            price_of(tariff, "A", one.order, chain, _AT)
        prices.append(time.process_time() - began)
    how = f"five-level tree, {len(tariff.rules)} rules, median of {_RUNS} × {count} holds"
    return [
        Figure("decide + evolve, rules", median(whole) / count * 1e6, "µs CPU", how),
        Figure("of it the price", median(prices) / count * 1e6, "µs CPU", "rule chosen, fee, processing, five shares"),
    ]


def a_wide_tariff() -> Tariff:
    """Fifty rules that are narrower than the one that holds, or hold at other times: none is passed over cheaply."""
    agents = [
        TariffRule(name=f"amount-{n}", agent="A/S", amount_from=n * 1_000, amount_to=n * 1_000 + 500)
        for n in range(1, 20)
    ]
    hours = [
        TariffRule(
            name=f"hour-{day}-{n}", group="all", weekdays=(day,), time_from=f"{n:02}:00", time_to=f"{n + 1:02}:00"
        )
        for day in WEEKDAYS[:3]
        for n in range(10)
    ]
    last = TariffRule(name="last", amount_from=95_000, amount_to=96_000, fee=Fee(rate_bps=300, rounding="half"))
    return Tariff(
        payee="mobile", time_zone="Europe/Moscow", groups={"all": tuple(f"A/{agent}" for agent in _LEVELS)},
        rules=(*agents, *hours, last), fee=Fee(rate_bps=500, base="collected"), processing=Rate(rate_bps=100),
        reward=Rate(rate_bps=200), reward_shares_bps=(3_000, 2_000, 1_000, 1_000, 500),
    )  # fmt: skip


def _network() -> State:
    state, now = State(0), datetime.now(UTC)
    above: str | None = None
    for level in _LEVELS:
        opened = OpenAgent(id=level, issued_at=now, tree="A", agent=level, parent=above, name=level, currency="RUB")
        do(state, Instruct("A", opened, opened.digest(), "root:1"))
        above = level
    money = Deposit(id="m", issued_at=now, tree="A", agent="S", amount=10**12, currency="RUB", document="1")
    do(state, Instruct("A", money, money.digest(), "root:1"))
    return state


def _place(number: int, tariff: Tariff) -> Place:
    fee = fee_on_top(tariff, 95_000, "A/S", _AT)
    assert fee is not None
    order = PaymentOrder(
        id=f"kiosk-7.{number + 1}", terminal="kiosk-7", number=number + 1, agent="S", payee="mobile",
        subscriber={"account": f"{9_000_000_000 + number}"}, amount=95_000, fee=fee, collected=95_000 + fee,
        currency="RUB", made_at=datetime.fromtimestamp(_AT / 1000, UTC),
    )  # fmt: skip
    return Place("A", order, order.digest(), "kiosk-7:1", _PAYEE, tariff, 10**6)
