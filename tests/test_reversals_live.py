"""A reversal from the command line to the payee's own book and back, on a real stack; and what the audit says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.stack import Stack
from tests.cli_runs import Kassa, Shown, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]

WHY = ("--reason", "wrong number", "--evidence", "receipt 12", "--yes")
PAYEES = {
    "mobile": Behaviour(),
    "keeper": Behaviour(keep_pct=100),
    "mute": Behaviour(time_out_after_accept_pct=100, faulty_askings=1),
    "doubtful": Behaviour(temporary_pct=100, faulty_askings=1_000),
}
PATIENCE = ("--retry-interval-ms", "50", "--retry-budget", "4", "--call-time-out-ms", "300")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("payees"), PAYEES) as running:
        yield running


@pytest.fixture
def network(kassa: Kassa, stack: Stack, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Kassa:
    """Payees that give payments back for an hour, each by a gateway of its own; an agent with two terminals."""
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    field = ("--field", "phone:[0-9]{10}:Phone", "--max", "15000", "--skip-check")
    directory: list[tuple[str, ...]] = []
    for name in PAYEES:
        directory.append(("gateway", "add", name, "--url", simulator.url_of(name), "--cancels", *PATIENCE))
        directory.append(("payee", "add", name, "--gateway", name, "--reversal-s", "3600", *field))
    directory.append(("tariff", "set", "mobile", "--fee", "5%", "--processing", "1%", "--reward", "2%"))
    done = [kassa(*one, "--id", "-".join(one[:3])) for one in directory]
    done += [
        kassa("agent", "open", "shop", "--id", "open"),
        kassa("agent", "deposit", "shop", "1000.00", "--document", "17", "--id", "deposit"),
        *(kassa("terminal", "enroll", one, "--agent", "shop", "--id", f"enroll-{one}") for one in ("k1", "k2")),
    ]
    assert [shown.code for shown in done] == [0] * len(done), done
    return kassa


def paid(network: Kassa, number: int, payee: str = "mobile") -> str:
    shown = network(
        "pay", "--terminal", "k1", "--payee", payee, "--to", "9161234567", "--amount", "10.00", "--number", str(number)
    )
    assert shown.code == 0, shown
    return f"k1.{number}"


def given_back(simulator: Simulator, payee: str) -> int:
    return sum(one.cancelled_at > 0 for one in simulator.book_of(payee).values())


def money(network: Kassa) -> tuple[int, int]:
    shown = json.loads(network("agent", "show", "shop", "--json").out)
    return shown["balance"], shown["held"]


def test_an_operator_reverses_and_the_payee_s_book_agrees(network: Kassa, simulator: Simulator) -> None:
    before = money(network)
    payment = paid(network, 1)
    shown = network("payment", "reverse", payment, *WHY)
    assert (shown.code, shown.says(f"payment {payment} is REVERSED")) == (0, True), shown
    assert given_back(simulator, "mobile") == 1
    assert money(network) == before
    told = network("payment", "show", payment, "--from-ledger")
    assert told.says("REVERSING", "REVERSED", "cancel CANCELLED 0", "wrong number", "agent:shop +10.10"), told
    again = network("payment", "reverse", payment, *WHY)
    assert (again.code, again.says(f"payment {payment} is REVERSED; only one that is POSTED")) == (1, True), again


def test_the_terminal_that_took_it_signs_and_another_is_refused(network: Kassa, simulator: Simulator) -> None:
    payment = paid(network, 2)
    shown = network("payment", "reverse", payment, "--as-terminal", "--refund", "change", *WHY)
    assert (shown.code, shown.says("is REVERSED")) == (0, True), shown
    assert network("payment", "show", payment, "--from-ledger").says("k1:1", "change:payment:k1.2 +10.50")


def test_a_payee_that_keeps_it_is_believed_and_the_payment_stays_posted(network: Kassa, simulator: Simulator) -> None:
    payment = paid(network, 3, "keeper")
    shown = network("payment", "reverse", payment, *WHY)
    assert (shown.code, shown.says(f"payment {payment} stays POSTED: its payee keeps it", "300")) == (1, True), shown
    assert given_back(simulator, "keeper") == 0


def test_a_payee_that_gives_back_and_says_nothing_is_asked_again_with_the_same_number(
    network: Kassa, simulator: Simulator
) -> None:
    payment = paid(network, 4, "mute")
    shown = network("payment", "reverse", payment, *WHY)
    assert (shown.code, shown.says("is REVERSED")) == (0, True), shown
    assert given_back(simulator, "mute") == 1
    assert network("payment", "show", payment, "--from-ledger").says("cancel UNCLEAR timeout", "cancel CANCELLED 0")


def test_what_no_asking_settles_an_operator_does(network: Kassa, simulator: Simulator) -> None:
    simulator.behave("doubtful", Behaviour())
    payment = paid(network, 5, "doubtful")
    simulator.behave("doubtful", PAYEES["doubtful"])
    shown = network("payment", "reverse", payment, "--wait", "5", *WHY)
    assert (shown.code, shown.says("not final", f"kassa payment show {payment}")) == (3, True), shown
    assert network("payment", "show", payment, "--from-ledger").says("REVERSAL_MANUAL")
    resolved = network("payment", "resolve", payment, "--paid", "--evidence", "the payee has it still")
    assert resolved.code == 0, resolved
    assert network("payment", "show", payment, "--from-ledger").says("REVERSAL_REFUSED", "the payee has it still")


def test_bad_input_is_refused_before_anything_is_sent(network: Kassa) -> None:
    assert network("payment", "reverse", "k1", *WHY).code == 2
    assert network("payment", "reverse", "k1.1", "--refund", "flowers", *WHY).says("neither cash nor change")
    unasked = network("payment", "reverse", "k1.1", *WHY[:-1])
    assert (unasked.code, unasked.says("say --yes")) == (2, True)


def test_the_audit_finds_ledger_warehouse_and_the_payees_books_in_agreement(
    network: Kassa, simulator: Simulator
) -> None:
    network("payment", "reverse", paid(network, 6), *WHY)

    def passed() -> bool:
        shown: Shown = network("audit", "--simulator", simulator.url)
        return shown.code == 0 and shown.says("payments.reversals", "payee.posted")

    eventually(passed, within_s=30)
