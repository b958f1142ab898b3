"""From a payment to a mail, as operators would type it: contacts, a balance that gets low, who was told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.stack import Stack
from tests.cli_runs import Kassa, eventually
from tests.receivers import Mailbox, mailbox

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as running:
        yield running


@pytest.fixture
def on_stack(kassa: Kassa, box: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kassa]:
    """A whole stack with a payee, and agent shop of tree acme with 1000.00 and a terminal."""
    monkeypatch.setenv("KASSA_SMTP", f"127.0.0.1:{box.port}")
    monkeypatch.setenv("KASSA_SMTP_TLS", "none")
    monkeypatch.setenv("KASSA_DIR", str(tmp_path / "stack"))
    with (
        Simulator.start(tmp_path, {"mobile": Behaviour()}) as simulator,
        Stack(tmp_path / "stack", notify=True) as stack,
    ):
        stack.wait_ready()
        for line in (
            ["agent", "open", "acme"],
            ["agent", "open", "shop", "--parent", "acme"],
            ["agent", "deposit", "shop", "1000.00", "--document", "17"],
            ["terminal", "enroll", "kiosk-1", "--agent", "shop"],
            ["gateway", "add", "mobile", "--url", simulator.url_of("mobile")],
            ["payee", "add", "mobile", "--gateway", "mobile", "--field", "phone:[0-9]{10}:Phone", "--max", "15000"],
        ):
            assert kassa(*line).code == 0, line
        yield kassa


def test_an_agents_low_balance_reaches_its_mailbox_and_the_operators(on_stack: Kassa, box: Mailbox) -> None:
    def told(state: str) -> int:
        return on_stack("deliveries", "--state", state).out.count("LOW_BALANCE")

    def pay(amount: str) -> int:
        return on_stack(
            "pay", "--terminal", "kiosk-1", "--payee", "mobile", "--to", "9161234567", "--amount", amount
        ).code

    assert on_stack("contact", "set", "operator", "--mail", "duty@acme.example").code == 0
    assert on_stack("contact", "set", "operator", "--low-balance", "1.00").code == 2
    assert on_stack("contact", "set", "shop", "--mail", "not an address").code == 2
    assert on_stack("contact", "set", "shop", "--webhook", "https://no.secret.example").code == 2
    set_shop = on_stack("contact", "set", "shop", "--mail", "till@shop.example", "--low-balance", "500.00")
    assert set_shop.says("the contacts of acme/shop are on file"), set_shop
    assert on_stack("contact", "list").says("acme/shop", "till@shop.example", "50000", "duty@acme.example")

    assert pay("600.00") == 0
    eventually(lambda: told("DELIVERED") == 2)
    assert sorted(to for to, _ in box.mails) == ["duty@acme.example", "till@shop.example"]
    assert "Agent shop of tree acme has 400.00 RUB available, which is below 500.00." in str(
        box.mails[0][1].get_payload()
    )
    assert on_stack("alerts", "--open").says("LOW_BALANCE", "acme/shop")

    assert on_stack("agent", "deposit", "shop", "500.00", "--document", "18").code == 0
    eventually(lambda: told("DELIVERED") == 4)
    assert on_stack("alerts", "--open").out.count("LOW_BALANCE") == 0

    assert on_stack("contact", "remove", "shop").code == 0
    assert on_stack("contact", "remove", "acme").code == 2
    assert "acme/shop" not in on_stack("contact", "list").out
    parts = [json.loads(line) for line in on_stack("doctor", "--json").out.splitlines()]
    assert [one["verdict"] for one in parts if one.get("check") == "parts.notify-1"] == ["ok"]
