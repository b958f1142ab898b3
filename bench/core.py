"""The core alone: what a decision costs, and what a million payments weigh."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure
from schemas.command import Deposit, OpenAgent
from schemas.entry import Entry
from schemas.gateway import RetrySchedule
from schemas.outcome import GatewayOutcome, Verdict
from schemas.payee import Payee, SubscriberField
from schemas.payment import PaymentOrder
from schemas.tariff import Fee, Rate, Tariff
from streams.ledger.commands import Instruct, LedgerCommand, Place, Settle
from streams.ledger.decide import decide
from streams.ledger.evolve import evolve
from streams.ledger.state import State

_AT = 1_767_225_600_000
_PAYEE = Payee(
    id="mobile", name="Mobile", gateway="osmp", currency="RUB", max_amount=10**9,
    fields=(SubscriberField(name="account", title="Phone", pattern=r"9\d{9}"),),
)  # fmt: skip
_TARIFF = Tariff(
    payee="mobile", fee=Fee(rate_bps=500, base="collected"), processing=Rate(rate_bps=100),
    reward=Rate(rate_bps=200), reward_shares_bps=(5_000, 2_500),
)  # fmt: skip
_BACKLOG_MAX = 10**6
_PAID = GatewayOutcome("pay", Verdict.PAID, "0", "12345")


def decided(count: int = 20_000) -> Figure:
    """CPU of decide and evolve for a payment on a two-level tree with a tariff: held, then posted."""
    state, places = State(0), [place(number) for number in range(count)]
    network(state)
    began = time.process_time()
    for one in places:
        do(state, one)
    seconds = time.process_time() - began
    return Figure("decide + evolve", seconds / count * 1e6, "µs CPU", f"{count} holds, two-level tree, tariff")


def weight() -> list[Figure]:
    """Memory of a process that holds a million payments, nine in ten final; measured in a process of its own."""
    found = subprocess.run([sys.executable, "-m", "bench.core"], capture_output=True, text=True, check=True)
    empty, full, count = (int(word) for word in found.stdout.split())
    how = f"{count:,} payments in the fold, a tenth of them open; the core's process, of which {empty} MB empty"
    return [Figure("memory", full, "MB", how)]


def do(state: State, command: LedgerCommand) -> Entry:
    """Decide a command that leads to one entry, and fold it in."""
    decision = decide(state, command, _AT)
    assert isinstance(decision, list), decision
    (entry,) = decision
    evolve(state, entry)
    return entry


def network(state: State) -> list[Entry]:
    """Root A and its sub-agent S, who has money for ten million payments."""
    now = datetime.now(UTC)
    root = OpenAgent(id="1", issued_at=now, tree="A", agent="A", name="A", currency="RUB")
    sub = OpenAgent(id="2", issued_at=now, tree="A", agent="S", parent="A", name="S", currency="RUB")
    deposits = [
        Deposit(id=f"m{n}", issued_at=now, tree="A", agent="S", amount=10**12, currency="RUB", document="1")
        for n in range(3)
    ]
    commands: tuple[OpenAgent | Deposit, ...] = (root, sub, *deposits)
    return [do(state, Instruct("A", command, command.digest(), "root:1")) for command in commands]


def place(number: int) -> Place:
    """A payment of terminal kiosk-7, numbered from 0."""
    order = PaymentOrder(
        id=f"kiosk-7.{number + 1}", terminal="kiosk-7", number=number + 1, agent="S", payee="mobile",
        subscriber={"account": f"{9_000_000_000 + number}"}, amount=95_000, fee=5_000, collected=100_000,
        currency="RUB", made_at=datetime.fromtimestamp(_AT / 1000, UTC),
    )  # fmt: skip
    return Place("A", order, order.digest(), "kiosk-7:1", _PAYEE, _TARIFF, _BACKLOG_MAX)


def settle(number: int) -> Settle:
    """The payee's yes to it."""
    return Settle("A", f"kiosk-7.{number + 1}", _PAID, RetrySchedule(), False)


def _megabytes() -> int:
    """The most memory this process ever had; what its parent had before it was made is not in it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def _weigh(count: int) -> None:
    empty, state = _megabytes(), State(0)
    network(state)
    for number in range(count):
        do(state, place(number))
        if number % 10:
            do(state, settle(number))
    print(empty, _megabytes(), count)


if __name__ == "__main__":
    _weigh(1_000_000)
