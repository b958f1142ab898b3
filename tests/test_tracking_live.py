"""A terminal asks before it takes cash, on a real stack: over Kafka to the worker, to the payee and back."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.check_client import CheckClient
from console.requests import Request
from console.stack import Stack
from schemas.envelope import SigningKey, open_envelope
from schemas.tracking import CheckRequest
from streams.compacted import read_to_end
from streams.keyring import load_terminal_key
from streams.topics import CHECK_REPLIES, CHECKS, LEDGER, REJECTS
from tests.builders_tracking import a_check
from tests.cli_runs import Kassa, Shown, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]

SLOW = Behaviour(delay_ms=2_000)
PAYEES = {
    "mobile": Behaviour(),
    "debts": Behaviour(options={"debtors": "1"}),
    "unknown": Behaviour(decline_pct=100),
    "slow": SLOW,
}
FIELD = ("--field", "phone:[0-9]{10}:Phone", "--min", "1.00", "--max", "15000")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("payees"), PAYEES) as running:
        yield running


@pytest.fixture
def network(kassa: Kassa, stack: Stack, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Kassa:
    """Payees with a gateway each, one that is away, and agent shop with terminal k1."""
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    urls = {name: simulator.url_of(name) for name in PAYEES} | {"away": "http://127.0.0.1:1/"}
    directory = [("gateway", "add", name, "--url", url) for name, url in urls.items()]
    directory += [("payee", "add", name, "--gateway", name, *FIELD) for name in urls]
    directory += [("tariff", "set", "mobile", "--fee", "5%")]
    done = [kassa(*one, "--id", "-".join(one[:3])) for one in directory]
    done += [
        kassa("agent", "open", "shop", "--id", "open"),
        kassa("agent", "deposit", "shop", "1000.00", "--document", "17", "--id", "deposit"),
        kassa("terminal", "enroll", "k1", "--agent", "shop", "--id", "enroll"),
    ]
    assert [shown.code for shown in done] == [0] * len(done), done
    return kassa


def asked(network: Kassa, payee: str = "mobile", *more: str, to: str = "9161234567") -> Shown:
    return network("check", "--terminal", "k1", "--payee", payee, "--to", to, *more)


def of_k1(request_id: str = "k1.check", **changes: Any) -> CheckRequest:
    return a_check(request_id, terminal="k1", agent="shop", made_at=datetime.now(UTC), **changes)


def entries(stack: Stack) -> int:
    return sum(1 for _ in read_to_end(stack.settings, LEDGER))


def test_the_payee_would_take_it_and_nothing_is_on_the_ledger(
    network: Kassa, stack: Stack, simulator: Simulator
) -> None:
    before = entries(stack)
    shown = asked(network, "mobile", "--amount", "10.00")
    assert shown.code == 0, shown
    assert shown.says("the payee", "would be taken", "fee     0.50 RUB", "1.00 to 15000.00 RUB"), shown
    assert entries(stack) == before
    assert simulator.book_of("mobile") == {}


def test_pay_with_check_pays_nothing_and_says_the_same(network: Kassa, stack: Stack) -> None:
    before = entries(stack)
    paying = ("pay", "--terminal", "k1", "--payee", "mobile", "--to", "9161234567", "--amount", "10.00")
    shown = network(*paying, "--check", "--json")
    assert shown.code == 0, shown
    reply = json.loads(shown.out)
    assert (reply["code"], reply["source"], reply["fee"]) == (0, "payee", 50)
    assert entries(stack) == before


def test_a_debtor_is_shown_name_and_debt_as_the_payee_tells_them(network: Kassa, stack: Stack) -> None:
    shown = asked(network, "debts")
    assert shown.code == 0, shown
    assert shown.says("asked   the payee,", "name    ", "debt    ", "period  01.2026"), shown
    answers = [open_envelope(one.value() or b"").payload for one in read_to_end(stack.settings, CHECK_REPLIES)]
    assert answers
    assert not any(b"01.2026" in one or b'"debt"' in one for one in answers), "it travels sealed to k1"


def test_a_payee_s_no_and_our_own_are_told_with_their_codes(network: Kassa) -> None:
    shown = asked(network, "unknown")
    assert (shown.code, shown.says("would not be taken: 5")) == (1, True), shown
    assert asked(network, to="123").says("field phone does not have the payee's format")
    assert asked(network, "mobile", "--amount", "0.50").says("241", "below the payee's minimum")
    assert asked(network, "nobody").says("there is no such payee")


def test_a_payee_that_is_slow_or_away_costs_a_second_at_most_and_the_repeat_is_served(network: Kassa) -> None:
    shown = asked(network, "away", "--json")
    assert (shown.code, json.loads(shown.out)["code"], json.loads(shown.out)["retryable"]) == (3, 1, True)
    shown = asked(network, "slow", "--json")
    answer = json.loads(shown.out)
    assert (shown.code, answer["code"], answer["reason"]) == (
        3, 1, "the subscriber was not looked up: the payee has not answered in time",
    )  # fmt: skip
    assert answer["elapsed_ms"] < 5_000  # a second, and what a busy machine adds
    eventually(lambda: asked(network, "slow").code == 0, within_s=30)


def test_each_of_many_questions_is_answered_and_those_that_crowd_a_payee_are_repeat_later(
    network: Kassa, stack: Stack
) -> None:
    key = load_terminal_key(stack.settings, "k1")
    waiting = {f"k1.{number}" for number in range(200)}
    codes = Counter[int]()
    with CheckClient(stack.settings, ["k1"]) as client:
        for number, name in enumerate(sorted(waiting)):
            check = of_k1(name, amount=100 + number)
            client.send(Request(CHECKS, "shop", key.sign(check.model_dump_json().encode()), "k1", check.id))
        deadline = time.monotonic() + 60
        while waiting and time.monotonic() < deadline:
            if (reply := client.poll(0.1)) is not None:
                waiting.discard(reply.id)
                codes[reply.code] += 1
    assert waiting == set()
    assert set(codes) <= {0, 1}
    assert codes[0] > 0


def test_what_nobody_signed_is_kept_in_quarantine_and_the_audit_is_content(network: Kassa, stack: Stack) -> None:
    forged = SigningKey.generate("k1:1").sign(of_k1().model_dump_json().encode())
    before = sum(1 for _ in read_to_end(stack.settings, REJECTS))
    with CheckClient(stack.settings, ["k1"]) as client:
        client.send(Request(CHECKS, "shop", forged, "k1", "forged"))
        client.poll(1)
    eventually(lambda: sum(1 for _ in read_to_end(stack.settings, REJECTS)) > before)
    assert asked(network).code == 0
    audit = network("audit")
    assert audit.code == 0, audit.out
    assert audit.says("ok      arrivals.rejects                   1"), audit.out
