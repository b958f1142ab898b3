"""The command line against a running stack: what operators and terminals do, as they would type it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.client import Client
from console.requests import payment_request
from console.stack import Stack
from schemas.envelope import SigningKey
from streams.keyring import write_public
from streams.settings import Settings
from streams.topics import ALL
from tests.builders import an_order
from tests.builders_charts import a_chart, numbers
from tests.cli_runs import Kassa, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = pytest.mark.integration

IMPATIENT = ("--retry-interval-ms", "10", "--retry-budget", "1")
UNCLEAR = Behaviour(temporary_pct=100, faulty_askings=1_000)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    payees = {"mobile": Behaviour(), "unclear": UNCLEAR}
    with Simulator.start(tmp_path_factory.mktemp("payees"), payees) as running:
        yield running


@pytest.fixture(scope="module")
def on_file() -> list[str]:
    """The payees that an earlier test of this module has put on file."""
    return []


@pytest.fixture
def network(on_stack: Kassa, simulator: Simulator, on_file: list[str], request: pytest.FixtureRequest) -> Kassa:
    """The payees, and for this test a tree of its own: agent T<n> with 1000.00 and its terminal k<n>."""
    field = ("--field", "phone:[0-9]{10}:Phone", "--min", "1.00", "--max", "15000", "--time-zone", "Europe/Moscow")
    directory = [
        ["gateway", "add", "osmp", "--url", simulator.url_of("mobile")],
        ["gateway", "add", "bad", "--url", simulator.url_of("unclear"), *IMPATIENT],
        ["gateway", "add", "away", "--url", "http://127.0.0.1:1/"],
        ["payee", "add", "mobile", "--gateway", "osmp", *field],
        ["payee", "add", "away", "--gateway", "away", *field],
        ["payee", "add", "ways", "--gateway", "bad", "--route", "away", "--route", "osmp:2:1:*:00:00-24:00", *field],
        ["payee", "add", "unclear", "--gateway", "bad", *field, "--skip-check"],
        ["tariff", "set", "mobile", "--fee", "5%", "--processing", "1%", "--reward", "2%"],
    ]
    done = [on_stack(*command) for command in directory if not on_file]
    on_file[:] = ["mobile", "unclear"]
    done += [
        on_stack("agent", "open", tree(request), "--name", "Dealer"),
        on_stack("agent", "deposit", tree(request), "1000.00", "--document", "bank 17"),
        on_stack("terminal", "enroll", kiosk(request), "--agent", tree(request)),
    ]
    assert [shown.code for shown in done] == [0] * len(done), done
    return on_stack


def tree(request: pytest.FixtureRequest) -> str:
    return "T" + _number(request)


def kiosk(request: pytest.FixtureRequest) -> str:
    return "k" + _number(request)


def _number(request: pytest.FixtureRequest) -> str:
    return str(request.node.session.items.index(request.node))


def paying(
    terminal: str, *more: str, amount: str = "95.00", to: str = "9161234567", payee: str = "mobile"
) -> list[str]:
    return ["pay", "--terminal", terminal, "--payee", payee, "--to", to, "--amount", amount, *more]


def test_init_twice_changes_nothing(on_stack: Kassa) -> None:
    for _ in range(2):
        shown = on_stack("init")
        assert (shown.code, shown.err) == (0, "")
        assert shown.says("all there", f"0 created, {len(ALL)} verified", "nothing to apply")


def test_a_payment_is_paid_and_told_everywhere(network: Kassa, request: Any, tmp_path: Path) -> None:
    terminal, agent = kiosk(request), tree(request)
    shown = network(*paying(terminal))
    assert shown.code == 0, shown
    assert shown.says(f"payment {terminal}.1: 95.00 + fee 4.75 RUB to mobile", "HELD", "POSTED", "final")
    balance = json.loads(network("agent", "show", agent, "--json").out)
    assert (balance["balance"], balance["held"]) == (100_000 - 9_500 - 95, 0)
    assert kinds(told_alike(network, f"{terminal}.1")) == ["HELD", "POSTED"]
    assert network("payment", "show", f"{terminal}.1").says("POSTED", "pay PAID 0", "payee:mobile +95.00")

    def in_registry() -> bool:
        network("registry", "build", "--payee", "mobile", "--out", str(tmp_path))  # the sink may be behind
        return any(f"{terminal}.1;" in path.read_text() for path in tmp_path.glob("mobile_*.csv"))

    eventually(in_registry)


def test_a_payment_goes_another_way_when_its_gateway_is_away(network: Kassa, request: Any) -> None:
    terminal = kiosk(request)
    order = json.loads(network("payee", "routes", "ways", "--payment", f"{terminal}.1", "--json").out)["order"]
    assert order == ["away", "osmp"]
    shown = network(*paying(terminal, payee="ways"))
    assert (shown.code, shown.says("POSTED", "final")) == (0, True), shown
    story = told_alike(network, f"{terminal}.1")
    assert kinds(story) == ["HELD", "REROUTED", "POSTED"]
    assert (json.loads(story)["gateway"], json.loads(story)["rerouted_from"]) == ("osmp", ["away"])
    assert network("payment", "show", f"{terminal}.1").says("ways through osmp (before: away)", "check NOT_SENT")
    explained = network("payee", "routes", "ways", "--at", "2026-01-02T19:00+03:00")
    assert explained.says("payee ways on Fri 2026-01-02 19:00 Europe/Moscow", "100 % at first", "what others let go")
    assert network("payee", "routes", "nobody").code == 2


def test_a_payment_that_waits_for_its_payee_says_until_when(network: Kassa, request: Any) -> None:
    terminal = kiosk(request)
    shown = network(*paying(terminal, "--wait", "0.5", payee="away"))
    assert (shown.code, shown.says(f"payment {terminal}.1 is HELD, not final after 0.5 s")) == (3, True), shown
    assert kinds(told_alike(network, f"{terminal}.1")) == ["HELD", "DEFERRED"]
    assert network("payment", "show", f"{terminal}.1").says("check NOT_SENT", "asked again at")


def told_alike(network: Kassa, payment: str) -> str:
    """A payment's story as JSON, once ClickHouse tells the same as the ledger."""
    from_ledger = network("payment", "show", payment, "--from-ledger", "--json").out
    eventually(lambda: network("payment", "show", payment, "--json").out == from_ledger)
    return from_ledger


def kinds(story: str) -> list[str]:
    return [step["kind"] for step in json.loads(story)["steps"]]


def test_cash_waits_for_funds_and_its_change_is_handed_out(network: Kassa, request: Any) -> None:
    terminal, agent, code = kiosk(request), tree(request), "0123456789abcdef" * 2
    shown = network(*paying(terminal, "--put-in", "1500.00", "--change", code, "--wait", "0", amount="1000.00"))
    assert shown.code == 3, shown
    assert shown.says(f"change code {code}", "WAITING_FUNDS", "code 220")
    assert network("agent", "deposit", agent, "2000.00", "--document", "bank 18").code == 0
    eventually(lambda: network(*paying(terminal, "--put-in", "1500.00", "--change", code, "--number", "1",
                                       amount="1000.00")).says("POSTED"))  # fmt: skip
    assert kinds(told_alike(network, f"{terminal}.1")) == ["WAITING_FUNDS", "HELD", "POSTED"]
    beyond = "450.00"  # 1500.00 less the price and its fee of 50.00
    eventually(lambda: network("change", "show", "--code", code).says(beyond))
    out = ("change", "pay-out", agent, beyond, "--code", code, "--evidence", "receipt 1")
    assert network(*out).says(f"{beyond} RUB of change is {agent}'s")
    assert (again := network(*out)).code == 1
    assert again.says("0 minor units of change are left")
    assert network("change", "pay-out", agent, "1.00", "--evidence", "none").code == 2


def test_change_pays_partly_by_code_and_what_is_left_is_sent_to_a_phone(network: Kassa, request: Any) -> None:
    terminal, code = kiosk(request), "00ff" * 8
    assert network(*paying(terminal, "--put-in", "500.00", "--change", code, amount="100.00")).says("POSTED")
    eventually(lambda: network("change", "show", "--code", code).says("395.00"))
    shown = network(*paying(terminal, "--change-code", f"{code}:395.01", amount="1000.00"))
    assert (shown.code, shown.says("300", "39500 minor units of change are left, not 39501")) == (1, True), shown
    shown = network(*paying(terminal, "--change-code", f"{code}:95.00", amount="200.00"))
    assert (shown.code, shown.says("of it 95.00 RUB from change", "POSTED")) == (0, True), shown
    eventually(lambda: network("change", "show", "--code", code).says("300.00"))
    send = ("change", "send", "--terminal", terminal, "--payee", "mobile", "--subscriber", "9161234567")
    shown = network(*send, "--code", code)
    assert (shown.code, shown.says("285.71 + fee 14.29 RUB", "of it 300.00 RUB from change", "POSTED")) == (0, True)
    eventually(lambda: network("change", "show", "--code", code).says(" 0.00"))
    assert network(*send, "--code", code).says("no change in RUB is left under this code")


def test_a_terminal_is_emptied_and_what_is_missing_is_told(network: Kassa, request: Any) -> None:
    terminal, agent = kiosk(request), tree(request)
    assert network("agent", "deposit", agent, "5000.00", "--document", "bank 18").code == 0
    assert network(*paying(terminal, amount="1000.00")).says("POSTED")
    eventually(lambda: network("cash", "expected", "--terminal", terminal).says("1050.00", "never"))
    emptied = ("cash", "collect", terminal, "500.00x2", "10.00x4", "--bag", "bag 7", "--id", f"collect-{terminal}")
    assert network(*emptied).says(f"1040.00 RUB of terminal {terminal} in bag bag 7")
    assert network(*emptied).says("1040.00 RUB")  # the same command: done once
    eventually(lambda: network("cash", "list", "--terminal", terminal, "--short").says("1050.00", "1040.00", "10.00"))
    assert network("cash", "show", terminal).says("bag 7", "expected", "500.00", "root:1")
    assert network("cash", "expected", "--terminal", terminal).says(" 0.00")
    assert network("alerts").says("SHORTAGE", f"10.00 RUB are missing in terminal {terminal} of agent {agent}")
    assert "SHORTAGE" not in network("alerts", "--open").out
    assert (other := network("cash", "collect", terminal, "--bag", "8", "--currency", "USD")).code == 1
    assert other.says(f"terminal {terminal} took RUB, and never USD")
    assert network("cash", "show", terminal, "--number", "2").code == 2


def test_a_plan_charges_what_has_begun_and_explains_what_comes(network: Kassa, request: Any) -> None:
    agent = tree(request)
    plan, today = f"plan-{agent}", f"{datetime.now(UTC):%Y-%m-%d}"
    set_ = ("plan", "set", plan, "--tree", agent, "--fixed", "150.00", "--per-terminal", "30.00", "--starts", today)
    assert network(*set_).says(f"plan {plan}: 150.00 RUB and 30.00 RUB a terminal, each month")
    eventually(lambda: network("plan", "show", plan).says(today[:7], agent, "180.00"))
    assert network("plan", "explain", plan).says(agent, "180.00", today[:7], "-01")
    assert network("plan", "list").says(plan, today)
    assert (other := network(*set_, "--period", "week")).code == 1
    assert other.says(f"plan {plan} has period month, which stays")
    assert network(*set_, "--period", "year").code == 2
    assert network("plan", "show", "none").code == 2


def test_change_in_doubt_is_blocked_and_let_go(network: Kassa, request: Any) -> None:
    terminal, agent, code = kiosk(request), tree(request), "fedcba9876543210" * 2
    assert network(*paying(terminal, "--put-in", "500.00", "--change", code, amount="100.00")).says("POSTED")
    which = ("--tree", agent, "--reason", "letter 12")
    assert network("change", "block", *which, "--payment", f"{terminal}.1").says("is blocked")
    shown = network(*paying(terminal, "--change-code", f"{code}:95.00", amount="200.00"))
    assert (shown.code, shown.says("133", "it is blocked: an operator has to look")) == (1, True), shown
    eventually(lambda: network("change", "list", "--tree", agent, "--blocked").says("395.00", "blocked"))
    assert network("change", "unblock", *which, "--code", code).says("is let go")
    assert network("change", "unblock", *which, "--mark", "0" * 32).says("300", "no change was ever kept under this")
    assert network("change", "block", *which).code == 2
    assert network(*paying(terminal, "--change-code", f"{code}:95.00", amount="200.00")).says("POSTED")
    eventually(lambda: network("change", "list", "--tree", agent).says("300.00"))
    out = ("change", "reclaim", agent, "1.00", "--code", code, "--evidence", "receipt 1")
    assert network(*out).says("300", "no change in RUB under this has expired")
    eventually(lambda: network("audit").code == 0)


def test_a_number_used_again_is_a_duplicate_or_a_conflict(network: Kassa, request: Any) -> None:
    terminal = kiosk(request)
    assert network(*paying(terminal)).code == 0
    again = network(*paying(terminal, "--number", "1"))
    assert (again.code, again.says("POSTED", "the stored outcome of a duplicate")) == (0, True)
    other = network(*paying(terminal, "--number", "1", amount="96.00"))
    assert (other.code, other.says("REJECTED", "215", "CONFLICT")) == (1, True)
    assert network("payment", "show", f"{terminal}.1", "--from-ledger").says("95.00 + fee", "POSTED")


def test_a_command_repeated_under_its_id_is_done_once(network: Kassa, request: Any) -> None:
    agent = tree(request)
    for said in ("deposited", "done before"):
        shown = network("agent", "deposit", agent, "50.00", "--document", "18", "--id", f"d-{agent}")
        assert (shown.code, shown.says(said, f"command d-{agent}")) == (0, True)
    shown = network("agent", "deposit", agent, "51.00", "--document", "18", "--id", f"d-{agent}")
    assert (shown.code, shown.says("215")) == (1, True)
    assert network("agent", "show", agent).says("1050.00 RUB")


def test_refusals_come_with_their_code_and_sentence(network: Kassa, request: Any) -> None:
    terminal, agent = kiosk(request), tree(request)
    for arguments, words in [
        (paying(terminal, to="916"), ("DECLINED: 4 the subscriber's number does not have",)),
        (paying(terminal, amount="0.50"), ("241 the amount is below the payee's minimum",)),
        (paying(terminal, amount="5000.00"), ("220 the agent lacks funds", "asked anew it may succeed later")),
        (paying(terminal, "--fee", "9.99"), ("255 the fee is not what the tariff says",)),
        (["agent", "open", agent], ("300", "is already open")),
        (["payment", "resolve", f"{terminal}.1", "--paid", "--evidence", "x"], ("only one in MANUAL",)),
        (
            ["terminal", "enroll", "k-other", "--agent", agent, "--id", f"bad {agent}"],
            ("id: a command's id has",),
        ),
    ]:
        shown = network(*arguments)
        assert (shown.code, shown.says(*words)) == (1 if "id:" not in words[0] else 2, True), shown


def test_a_limit_and_a_sub_agent(network: Kassa, request: Any) -> None:
    agent = tree(request)
    assert network("agent", "open", f"S-{agent}", "--parent", agent, "--funding", "shared").code == 0
    assert network("agent", "limit", agent, "250.50").says("limits of", "overdraft 250.50 RUB")
    listed = [json.loads(line) for line in network("agent", "list", "--tree", agent, "--json").out.splitlines()]
    assert {(one["agent"], one["parent"], one["funding"]) for one in listed} == {
        (agent, None, "own"),
        (f"S-{agent}", agent, "shared"),
    }
    assert network("agent", "list", "--tree", agent).out.count("1250.50") == 2
    assert network("agent", "show", f"S-{agent}").says("1250.50", f"spends the money of {agent}")


def test_a_blocked_agent_stops_its_tree_and_a_closed_one_is_gone(network: Kassa, request: Any) -> None:
    agent, terminal, why = tree(request), kiosk(request), ("--reason", "letter 12")
    assert network("agent", "open", f"S-{agent}", "--parent", agent, "--funding", "shared").code == 0
    assert network("agent", "block", agent, *why).says(f"agent {agent} is blocked, and all below")
    assert network(*paying(terminal)).says("DECLINED: 133", f"agent {agent} is blocked")
    assert network("agent", "tree", agent).says("1000.00 RUB  BLOCKED", f"── S-{agent}", "spends the money of")
    assert network("agent", "close", agent, *why).says("300", f"not closed: S-{agent}")
    assert network("agent", "unblock", agent, *why).says("may work again")
    assert network("agent", "close", f"S-{agent}", *why).says("is closed for good")
    assert network("agent", "show", f"S-{agent}").says("status     closed")
    assert network(*paying(terminal)).says("POSTED")
    assert network("agent", "tree", "--tree", "nobody").says("there is no tree 'nobody'")


def test_limits_are_set_shown_and_lifted(network: Kassa, request: Any) -> None:
    agent, terminal = tree(request), kiosk(request)
    shown = network("agent", "limit", agent, "--daily-max", "150", "--payment-max", "100", "--payee", "mobile")
    assert shown.says("payment max 100.00 RUB, daily max 150.00 RUB, payees mobile"), shown
    assert network("agent", "show", agent).says("daily max    150.00", "payees       mobile", "days of")
    assert network("agent", "tree", agent).says("daily max 150.00")
    assert network(*paying(terminal, amount="100.01")).says("252", f"agent {agent} takes at most 100.00 RUB")
    assert network(*paying(terminal, amount="100.00")).says("POSTED")
    assert network(*paying(terminal, amount="50.01")).says("16", "sold 100.00 RUB of at most 150.00 RUB on 20")
    assert network(*paying(terminal, payee="away")).says("155", "payee away is not among those permitted")
    assert network("agent", "limit", agent, "--monthly-max", "1").says("300", "would be above the monthly maximum")
    shown = network("agent", "limit", agent, "--lift", "daily-max", "--lift", "payment-max", "--all-payees")
    assert shown.says("no daily max, no payment max, payees all"), shown
    assert network(*paying(terminal, amount="200.00")).says("POSTED")
    assert network("agent", "limit", agent, "--payee", "x", "--all-payees").code == 2


def test_money_is_transferred_and_withdrawn(network: Kassa, request: Any) -> None:
    agent, memo = tree(request), ("--document", "memo 3")
    assert network("agent", "open", f"S-{agent}", "--parent", agent).code == 0
    shown = network("agent", "transfer", agent, f"S-{agent}", "400.00", *memo, "--comment", "for March")
    assert shown.says(f"400.00 RUB from {agent} to S-{agent}"), shown
    shown = network("agent", "transfer", agent, f"S-{agent}", "600.01", *memo)
    assert (shown.code, shown.says("220 the agent lacks funds", "has 600.00 RUB to give")) == (1, True), shown
    assert network("agent", "withdraw", f"S-{agent}", "400.00", *memo).says(f"400.00 RUB withdrawn from S-{agent}")
    assert network("agent", "show", agent).says("600.00 RUB")
    assert network("agent", "close", f"S-{agent}", "--reason", "moved away").code == 0


def test_an_agent_has_a_further_currency_and_exchanges_into_it(network: Kassa, request: Any) -> None:
    agent, memo = tree(request), ("--document", "deal 5")
    assert network("agent", "open", f"S-{agent}", "--parent", agent).code == 0
    shown = network("agent", "currency", f"S-{agent}", "USD")
    assert shown.says(f"300 agent {agent}, above S-{agent}, has no account in USD: open that one first"), shown
    shown = network("agent", "currency", agent, "USD", "--overdraft", "50")
    assert shown.says(f"agent {agent} has an account in USD, overdraft 50.00"), shown
    shown = network("agent", "exchange", agent, "400.00", "--to", "USD", "--rate", "0.0125", *memo)
    assert shown.says(f"400.00 RUB of {agent} exchanged for 5.00 USD at 0.0125"), shown
    shown = network("agent", "exchange", agent, "400.00", "--to", "USD", "--rate", "0.0125", "--take", "5.01", *memo)
    assert shown.says("300 400.00 RUB at 0.0125 are 5.00 USD, not 5.01 USD"), shown
    for amount, to, rate in ("0.01", "USD", "0.0125"), ("1", "USD", "1e3"), ("1", "X", "1"):
        assert network("agent", "exchange", agent, amount, "--to", to, "--rate", rate, *memo).code == 2
    assert network("agent", "limit", agent, "--daily-max", "7", "--currency", "USD").says("daily max 7.00 USD")
    assert network("agent", "withdraw", agent, "1.00", "--currency", "USD", *memo).says("1.00 USD withdrawn")
    shown = network("agent", "show", agent)
    assert shown.says("600.00 RUB", "4.00 USD", "daily max  7.00"), shown
    assert network("agent", "tree", agent).says(f"{agent}  600.00 RUB  4.00 USD  overdraft 50.00  daily max 7.00")
    shown = network("agent", "deposit", f"S-{agent}", "1", "--currency", "USD", *memo)
    assert (shown.code, shown.says("has no account in USD: it is in RUB")) == (2, True), shown


def test_a_sub_agent_is_moved(network: Kassa, request: Any) -> None:
    agent, why = tree(request), ("--reason", "contract 8")
    for name, parent in ("S", agent), ("T", agent), ("U", f"T-{agent}"):
        assert network("agent", "open", f"{name}-{agent}", "--parent", parent).code == 0
    shown = network("agent", "move", f"T-{agent}", "--parent", f"S-{agent}", *why)
    assert shown.says(f"agent T-{agent} is below S-{agent}"), shown
    assert network("agent", "move", f"S-{agent}", "--parent", f"U-{agent}", *why).says("neither would have a root")
    drawn = network("agent", "tree", agent).out.splitlines()
    assert [line.index(f"{name}-{agent}") for name, line in zip("STU", drawn[1:], strict=True)] == [4, 8, 12], drawn


def test_a_bank_statement_is_deposited_once_however_often_it_is_uploaded(
    network: Kassa, request: Any, tmp_path: Path
) -> None:
    agent, file = tree(request), tmp_path / "statement.csv"
    rows = [
        "account;reference;booked;amount;currency;text",
        f"40702;R1-{agent};2026-11-23;50.00;RUB;AGENT:{agent}/{agent}",
    ]
    file.write_text("\n".join([*rows, f"40702;R2-{agent};2026-11-23;7.00;RUB;rent"]))
    shown = network("deposits", "upload", str(file), "--yes")
    assert (shown.code, shown.says("   3  names 0 agents", "1 of 2 credits", "nothing was deposited")) == (2, True), (
        shown
    )
    assert network("agent", "show", agent).says("1000.00 RUB")
    file.write_text("\n".join([*rows, f"40702;R2-{agent};2026-11-23;7.00;RUB;rent AGENT:{agent}/{agent} March"]))
    assert network("deposits", "upload", str(file), "--dry-run").says("would deposit 57.00 RUB in 2 credits")
    assert network("deposits", "upload", str(file)).says("nobody is there to ask: say --yes")
    for said in ("deposited", "deposited before"):
        shown = network("deposits", "upload", str(file), "--yes")
        assert (shown.code, shown.out.count(said + "\n")) == (0, 2), shown
        assert network("agent", "show", agent).says("1057.00 RUB")
    file.write_text(file.read_text().replace("7.00", "8.00"))
    shown = network("deposits", "upload", str(file), "--yes")
    assert (shown.code, shown.says("deposited before", "REJECTED 215", "1 of 2 credits were not")) == (1, True), shown
    assert network("agent", "show", agent).says("1057.00 RUB")


def test_an_agent_s_id_in_two_trees_must_be_told_apart(network: Kassa, request: Any) -> None:
    agent = tree(request)
    assert network("agent", "open", f"X-{agent}").code == 0
    for root in (agent, f"X-{agent}"):
        assert network("agent", "open", f"same-{agent}", "--parent", root).code == 0
    shown = network("agent", "show", f"same-{agent}")
    assert (shown.code, shown.says("is in several trees", "--tree")) == (2, True)
    assert network("agent", "show", f"same-{agent}", "--tree", agent).code == 0
    assert network("agent", "show", "nobody").says("there is no agent 'nobody'")


def test_keys_are_rotated_and_revoked(network: Kassa, request: Any) -> None:
    terminal, agent = kiosk(request), tree(request)
    shown = network("terminal", "enroll", terminal, "--agent", agent, "--new-key", "--algorithm", "ES256")
    assert (shown.code, shown.says(f"{terminal}:2", "ES256")) == (0, True), shown
    assert network(*paying(terminal, "--no-wait")).code == 0
    assert network("terminal", "revoke", terminal).says("several keys", "--kid")
    assert network("terminal", "revoke", terminal, "--kid", f"{terminal}:2").code == 0
    assert network("terminal", "list", "--agent", agent).says(f"{terminal}:1 EdDSA", f"{terminal}:2 ES256 revoked")
    silence = ("no worker answered", "quarantined without an answer")  # a moment later, when workers have read it
    eventually(lambda: network(*paying(terminal, "--time-out", "1")).says(*silence))
    shown = network("terminal", "enroll", terminal, "--agent", agent, "--algorithm", "ES256")
    assert (shown.code, shown.says("revoked")) == (1, True)


def test_a_key_made_elsewhere_is_enrolled_by_its_public_half(network: Kassa, request: Any, tmp_path: Path) -> None:
    agent = tree(request)
    mine, theirs = SigningKey.generate(f"pos-{agent}:1", "ES256"), SigningKey.generate("somebody:1")
    write_public(tmp_path / "keys" / "pos.json", mine.public())
    write_public(tmp_path / "keys" / "theirs.json", theirs.public())
    (tmp_path / "private.json").write_bytes(mine.dump())
    enroll = ["terminal", "enroll", f"pos-{agent}", "--agent", agent, "--public-key"]
    shown = network(*enroll, str(tmp_path / "keys" / "pos.json"))
    assert (shown.code, shown.says("with the terminal", f"pos-{agent}:1")) == (0, True)
    for path, words in [("keys/theirs.json", "somebody:1"), ("private.json", "not a public key"), ("none", "no key")]:
        shown = network(*enroll, str(tmp_path / path))
        assert (shown.code, shown.says(words)) == (2, True)
        assert orjson.loads(mine.dump())["d"] not in shown.out + shown.err
    shown = network(*paying(f"pos-{agent}"))
    assert (shown.code, shown.says("there is no key")) == (2, True)


def test_nothing_a_command_prints_is_a_private_key(network: Kassa, request: Any, stack: Stack) -> None:
    secret = orjson.loads((stack.directory / "keys" / "terminals" / f"{kiosk(request)}.jwk").read_bytes())["d"]
    for arguments in (["terminal", "list"], ["terminal", "list", "--json"], ["operator", "list"]):
        assert secret not in network(*arguments).out
    assert secret not in network("terminal", "enroll", kiosk(request), "--agent", tree(request)).out


def test_an_introduced_operator_commands(network: Kassa, request: Any) -> None:
    agent = tree(request)
    shown = network("agent", "limit", agent, "1", "--operator", f"op-{agent}")
    assert (shown.code, shown.says("there is no key")) == (2, True)
    assert network("operator", "add", f"op-{agent}").says("may command", f"op-{agent}.jwk")
    assert network("agent", "limit", agent, "1", "--operator", f"op-{agent}").code == 0
    assert network("operator", "list").says(f"op-{agent}:1")


def test_a_correction_needs_another_operator(network: Kassa, request: Any) -> None:
    agent, second = tree(request), f"eye-{tree(request)}"
    assert network("operator", "add", second).code == 0
    why = ("--corrects", "entry 1", "--reason", "fee not taken", "--evidence", "act 7", "--tree", agent)
    shown = network("correct", "make", f"agent:{agent}=-12.50", "fee=12.50", *why, "--id", "c-1", "--yes")
    assert shown.says("proposed: nothing moves until another operator approves it"), shown
    assert network("agent", "show", agent).says("1000.00 RUB")
    approve = ("correct", "approve", "c-1", "--tree", agent, "--evidence", "seen", "--yes")
    shown = network(*approve, "--id", "own")
    assert (shown.code, shown.says("133", "operator root proposed this correction")) == (1, True), shown
    assert network(*approve, "--operator", second).says("correction c-1 approved")
    assert network("agent", "show", agent).says("987.50 RUB")
    assert network("correct", "make", f"agent:{agent}=1", "bank=-1", *why, "--id", "c-2", "--yes").code == 0
    assert network("correct", "drop", "c-2", "--tree", agent, "--reason", "no").says("correction c-2 dropped")
    shown = network("correct", "make", "hold:x=1", "bank=-1", *why, "--yes")
    assert (shown.code, shown.says("none is corrected by hand")) == (1, True), shown
    eventually(lambda: network("correct", "list", "--tree", agent).says("c-2", "dropped"))
    shown = network("correct", "list", "--tree", agent)
    assert shown.says("c-1", "corrected", "12.50", "root:1", f"{second}:1"), shown
    shown = network("correct", "show", "c-1", "--tree", agent)
    assert shown.says("fee not taken", "act 7", "seen", f"agent:{agent}", "-12.50"), shown
    assert not network("correct", "list", "--open", "--tree", agent).says("c-")


def _lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_an_operator_decides_what_nobody_else_can(network: Kassa, request: Any) -> None:
    terminal, agent = kiosk(request), tree(request)
    payment = f"{terminal}.1"
    shown = network(*paying(terminal, "--wait", "2", payee="unclear"))
    assert (shown.code, shown.says("MANUAL", "not final", f"kassa payment show {payment}")) == (3, True), shown
    told_alike(network, payment)
    (open_one,) = [one for one in _lines(network("manual", "list", "--json").out) if one["payment"] == payment]
    assert (open_one["state"], open_one["gateway"], open_one["amount"], open_one["said"]) == (
        "MANUAL", "bad", 9_500, "pay UNCLEAR 1",
    )  # fmt: skip
    assert network("manual", "list", "--payee", "unclear").says(payment, "95.00 RUB", "yes: --paid; no, day closed")
    assert not network("manual", "list", "--payee", "mobile").says(payment)
    shown = network("manual", "resolve", payment, "--not-paid", "--evidence", "letter of the payee")
    assert (shown.code, shown.says(f"payment {payment} is not paid, and ended")) == (0, True), shown
    assert network("payment", "show", payment, "--from-ledger").says("VOIDED", "letter of the payee")
    assert network("agent", "show", agent).says("1000.00 RUB")


def test_a_fleet_s_good_and_bad_input_ends_as_it_must(network: Kassa, request: Any, stack: Stack) -> None:
    agent = tree(request)
    for name in ("f1", "f2"):
        assert network("terminal", "enroll", f"{name}-{agent}", "--agent", agent).code == 0
    assert network("agent", "deposit", agent, "1000000.00", "--document", "19").code == 0
    record = stack.directory / "fleet.jsonl"
    fleet = ["fleet", "--count", "200", "--bad", "40%", "--seed", "11", "--payee", "mobile", "--record", str(record)]
    shown = network(*fleet, "--terminal", f"f1-{agent}", "--terminal", f"f2-{agent}")
    assert (shown.code, shown.says("200 messages, 40% bad, seed 11", "POSTED")) == (0, True), shown
    acknowledged = [json.loads(line) for line in record.read_text().splitlines()]
    assert len(acknowledged) == 200
    assert {line["topic"] for line in acknowledged} == {"payments"}
    poor = network("fleet", "--count", "3", "--terminal", f"f1-{agent}", "--payee", "nobody")
    assert (poor.code, poor.says("there is no payee 'nobody'")) == (2, True)


def test_a_payment_of_a_terminal_enrolled_late_is_replayed(network: Kassa, request: Any, stack: Stack) -> None:
    agent = tree(request)
    terminal = f"late-{agent}"
    key = SigningKey.generate(f"{terminal}:1")
    early = payment_request(an_order(1, terminal, agent=agent, made_at=datetime.now(UTC)), agent, key)
    with Client(Settings(), [terminal]) as client:
        client.send(early)
        assert client.flush(30) == 0
    dry = ("replay-rejects", "--reason", "UNKNOWN_KEY", "--topic", "payments", "--dry-run")
    eventually(lambda: network(*dry).says("UNKNOWN_KEY", "to be replayed"))
    assert network("replay-rejects").says("replay", "messages: nobody is there to ask: say --yes")
    write_public(stack.directory / "late.json", key.public())
    enroll = ("terminal", "enroll", terminal, "--agent", agent, "--public-key", str(stack.directory / "late.json"))
    assert network(*enroll).code == 0
    shown = network("replay-rejects", "--yes")
    assert (shown.code, shown.says("UNKNOWN_KEY", "replayed before")) == (0, True), shown
    eventually(lambda: network("payment", "show", f"{terminal}.1", "--from-ledger").code == 0)
    again = network("replay-rejects", "--reason", "UNKNOWN_KEY", "--yes")
    assert again.out.splitlines()[1].split()[1] == "0", again
    wrong = network("replay-rejects", "--from-offset", "7", "--to-offset", "6")
    assert (wrong.code, wrong.says("--to-offset 6 is before --from-offset 7")) == (2, True)


@pytest.mark.long
def test_the_warehouse_is_rebuilt_under_a_running_stack(network: Kassa, request: Any) -> None:
    terminal = kiosk(request)
    assert network(*paying(terminal)).code == 0
    asked = network("rebuild-warehouse")
    assert (asked.code, asked.says("replace the tables of database kassa", "say --yes")) == (2, True)
    shown = network("rebuild-warehouse", "--yes")
    assert (shown.code, shown.says("legs", "identical"), shown.says("differed")) == (0, True, False), shown
    assert network(*paying(terminal)).code == 0
    eventually(lambda: network("payment", "show", f"{terminal}.2", "--json").out != "")
    assert kinds(told_alike(network, f"{terminal}.2")) == ["HELD", "POSTED"]


def test_a_chart_of_accounts_is_set_shown_and_replaced(network: Kassa, request: Any, tmp_path: Path) -> None:
    agent, path = tree(request), tmp_path / "chart.json"
    path.write_text(a_chart().model_dump_json())
    for version in 1, 2:
        shown = network("chart", "set", str(path), "--tree", agent)
        assert shown.says(f"version {version} of the chart of tree {agent} is in force"), shown
    shown = network("chart", "show", "--tree", agent)
    assert shown.says("version   2", "branch    0017", "agent-fees", "40821810000000000001"), shown
    path.write_text(a_chart(accounts={"RUB": numbers(hold="")}).model_dump_json())
    shown = network("chart", "set", str(path), "--tree", agent)
    assert (shown.code, shown.says("300", "the chart has no RUB account for hold")) == (1, True), shown
    assert network("chart", "show").says("there is no chart of all trees")


@pytest.mark.long
def test_a_window_is_posted_alike_before_and_after_a_rebuild_and_another_chart(
    network: Kassa, request: Any, tmp_path: Path
) -> None:
    agent, chart = tree(request), tmp_path / "chart.json"
    chart.write_text(a_chart().model_dump_json())
    assert network("chart", "set", str(chart), "--tree", agent).code == 0
    assert network(*paying(kiosk(request))).code == 0
    assert network("window", "close", "--tree", agent, "--window", "1").code == 0
    once, again = tmp_path / "once.csv", tmp_path / "again.csv"
    export = ("postings", "export", "--tree", agent, "--window", "1", "--out")
    eventually(lambda: network(*export, str(once)).code == 0)
    assert "40821810000000000001;40821810000000000002;95.95;RUB;Funds held for payment" in once.read_text()
    chart.write_text(a_chart(branch="0018").model_dump_json())
    assert network("chart", "set", str(chart), "--tree", agent).code == 0
    assert network("rebuild-warehouse", "--yes").code == 0
    eventually(lambda: network(*export, str(again)).code == 0)
    assert again.read_bytes() == once.read_bytes()
