"""The worked day of docs/money.md: agent S under A takes three payments, one is not made, change is handed out, and the
day is settled. Everything the tests about it share; amounts in kopecks.
"""

from __future__ import annotations

from schemas.change import mark_of
from schemas.entry import Entry
from schemas.outcome import Verdict
from schemas.tariff import Fee
from streams.ledger.state import State
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_place,
    a_rate,
    a_settle,
    a_tariff,
    a_transfer,
    an_order,
    decided,
    open_agent,
    window_due,
)

CODE = "0123456789abcdef" * 2
MARK = mark_of(CODE)
MINUTE = 60_000

# An absolute fee of 1000, of which 300 are the operator's, as in Ex. 3.
_WATER = a_tariff(
    "water", fee=Fee(min_minor=1_000, max_minor=1_000), processing=a_rate(min_minor=300, max_minor=300), reward=a_rate()
)


def the_day() -> tuple[State, list[Entry]]:
    """A partition after the day, and the day's entries, a minute apart."""
    state = State(0)
    commands = (
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("A", 500_000),
        a_transfer("A", "S", 200_000),
        a_place(number=1),
        a_settle("kiosk-1.1"),
        a_place(number=2),
        a_settle("kiosk-1.2", Verdict.FATAL, "check", code="5"),
        a_place(an_order(3, payee="water", amount=31_250, fee=1_000, collected=50_000, change_to=MARK), tariff=_WATER),
        a_settle("kiosk-1.3"),
        a_pay_out(CODE, amount=17_750),
        window_due("mobile"),
        window_due("water"),
        window_due(),
    )
    return state, [decided(state, command, AT + n * MINUTE) for n, command in enumerate(commands)]
