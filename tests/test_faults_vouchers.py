"""PINs from eight terminals, a worker killed again and again: no PIN twice, none lost, and the books balance."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from clickhouse_connect.driver.client import Client

from console.audit_run import run_audit
from console.client import Client as Terminals
from console.demo import carry_out
from console.requests import Request, command_request, payment_request
from console.stack import Stack
from console.voucher_file import Pin
from console.voucher_load import chunks
from schemas.command import Deposit, OpenAgent, SetPayee, SetTariff, SetTerminal
from schemas.envelope import SigningKey, open_envelope
from schemas.payment import PaymentOrder
from schemas.reply import Reply
from schemas.sealing import OpeningKey
from schemas.terminal import Terminal
from schemas.voucher import Secret
from schemas.voucher_command import LoadVouchers, ReserveVoucher
from sinks.warehouse import open_warehouse, rows
from streams.compacted import read_to_end
from streams.ends import Ends
from streams.keyring import load_operator_key
from streams.pin_keys import ensure_pin_key
from streams.topics import LEDGER, REPLIES
from tests.builders_vouchers import a_card_tariff, a_product
from tests.network import until

TREES = ("volga", "ural")


@dataclass(frozen=True)
class Seller:
    """A terminal with its two keys."""

    terminal: str
    tree: str
    signing: SigningKey
    opening: OpeningKey

    def reserves(self, number: int) -> Request:
        order = ReserveVoucher(
            id=f"reserve-{self.terminal}.{number}", issued_at=datetime.now(UTC), payee="card", tree=self.tree,
            payment=f"{self.terminal}.{number}", denomination=50_000, currency="RUB",
        )  # fmt: skip
        return command_request(order, self.signing)

    def pays(self, number: int) -> Request:
        order = PaymentOrder(
            id=f"{self.terminal}.{number}", terminal=self.terminal, number=number, agent=self.tree, payee="card",
            subscriber={"phone": "9161234567"}, amount=50_000, currency="RUB", made_at=datetime.now(UTC),
        )  # fmt: skip
        return payment_request(order, self.tree, self.signing)


def a_seller(number: int) -> Seller:
    name = f"kiosk-{number}"
    return Seller(name, TREES[number % 2], SigningKey.generate(f"{name}:1"), OpeningKey.generate(f"{name}:1"))


def introduce(stack: Stack, sellers: list[Seller], pins: list[Pin]) -> None:
    """Two trees with money enough, the terminals, the product and its batch of PINs."""
    now, key = datetime.now(UTC), load_operator_key(stack.settings, "root")
    sealing = ensure_pin_key(stack.settings, "v1")
    first = LoadVouchers(
        id="load.card.b1.1", issued_at=now, payee="card", batch="b1", denomination=50_000, currency="RUB", cost=48_000,
        supplier="cardhouse", kid="v1", count=len(pins), chunks=1, chunk=1, pins=(("x", "x" * 56),),
    )  # fmt: skip
    steps = [
        [
            SetPayee(id="payee", issued_at=now, payee=a_product(gateway="none")),
            SetTariff(id="tariff", issued_at=now, tariff=a_card_tariff()),
            *(OpenAgent(id=f"open-{tree}", issued_at=now, tree=tree, agent=tree, name=tree, currency="RUB")
              for tree in TREES),
        ],
        [
            *(Deposit(id=f"deposit-{tree}", issued_at=now, tree=tree, agent=tree, amount=10**11, currency="RUB",
                      document="17") for tree in TREES),
            *(SetTerminal(id=f"enroll-{one.terminal}", issued_at=now, terminal=Terminal(
                id=one.terminal, agent=one.tree, tree=one.tree, keys=(one.signing.public(),),
                sealing=one.opening.public())) for one in sellers),
            *chunks(first, pins, sealing),
        ],
    ]  # fmt: skip
    with Terminals(stack.settings, ["root"], many=True) as client:
        for step in steps:
            carry_out(client, step, key)


def send(stack: Stack, sellers: list[Seller], rng: Random, each: int) -> list[str]:
    """Every terminal sells its share and a few more than there are; some reserve first, some send an order twice."""
    sent: list[str] = []
    with Terminals(stack.settings, [sellers[0].terminal], many=True) as client:
        for number in range(1, each + 1):
            for one in rng.sample(sellers, len(sellers)):
                if rng.random() < 0.2:
                    client.send(one.reserves(number))
                request = one.pays(number)
                for _ in range(1 + (rng.random() < 0.05)):
                    client.send(request)
                sent.append(request.id)
        assert client.flush(60) == 0
    return sent


def told(stack: Stack, sellers: list[Seller]) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Each payment's last state, and its terminal's secrets, sealed as they are. Every reply there is was read."""
    opening = {one.terminal for one in sellers}
    states: dict[str, str] = {}
    secrets: dict[str, set[str]] = {}
    for message in read_to_end(stack.settings, REPLIES, time_out_s=60):
        reply = Reply.model_validate_json(open_envelope(message.value() or b"").payload)
        terminal = (message.key() or b"").decode()
        if terminal not in opening or (not reply.txn and reply.secret is None):
            continue
        states[reply.id] = reply.state if not reply.again else states.get(reply.id, reply.state)
        if reply.secret is not None:
            secrets.setdefault(reply.id, set()).add(reply.secret)
    return states, secrets


def opened(sellers: list[Seller], sealed: dict[str, set[str]]) -> dict[str, Secret]:
    """Each payment's PIN, opened by the terminal that paid; an order that was sent twice was told the same."""
    opening = {one.terminal: one.opening for one in sellers}
    found: dict[str, Secret] = {}
    for payment, secrets in sealed.items():
        key = opening[payment.rpartition(".")[0]]
        (found[payment],) = {Secret.model_validate_json(key.open(one)) for one in secrets}
        assert found[payment].payment == payment
    return found


def ledger_end(ends: Ends, stack: Stack) -> int:
    return sum(ends.now([(LEDGER.name, number) for number in range(stack.settings.partitions)]).values())


def _by_state(client: Client, sent: int) -> dict[str, int]:
    """What is not final yet, payments that are not known among it; from ClickHouse."""
    found = {str(state): int(count) for state, count in rows(client, "SELECT state, count() FROM payments GROUP BY 1")}
    unknown = sent - sum(found.values())
    still = {state: count for state, count in found.items() if state not in ("POSTED", "VOIDED")}
    return still | ({"not known": unknown} if unknown else {})


@pytest.mark.long
@pytest.mark.timeout(560)
def test_ten_thousand_pins_with_the_worker_killed_ten_times(tmp_path: Path) -> None:
    _survives(tmp_path, int(os.environ.get("TEST_PINS", "10000")), 10)


def _survives(place: Path, count: int, kills: int) -> None:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {seed}: TEST_SEED={seed} repeats it")
    rng = Random(seed)
    pins = [Pin(f"SN{number:06}", f"{rng.randrange(10**12):012}-{number}") for number in range(count)]
    sellers = [a_seller(number) for number in range(8)]
    each = count // len(sellers) + 5
    with Stack(place) as stack:
        stack.wait_ready()
        ends = Ends(stack.settings)
        introduce(stack, sellers, pins)
        begin = ledger_end(ends, stack)
        sent = send(stack, sellers, rng, each)
        # Held, sold and posted are three entries a payment at least, so all kills fall into the run.
        for moment in sorted(rng.sample(range(begin, begin + 3 * count * 9 // 10), kills)):
            until(f"the worker is due at {moment}", lambda moment=moment: ledger_end(ends, stack) >= moment, 240)  # type: ignore[misc]
            stack.kill("worker-1")
            stack.revive("worker-1")
        stack.wait_ready()
        with open_warehouse(stack.settings) as client:
            until("every payment is final", lambda: _by_state(client, len(sent)) == {}, 240,
                  lambda: _by_state(client, len(sent)), every_s=0.5)  # fmt: skip
        states, sealed = told(stack, sellers)
        report = run_audit(stack.settings, simulator=None, wait_s=90)
    ended, secrets = Counter(states.values()), opened(sellers, sealed)
    assert ended == {"POSTED": count, "VOIDED": len(sent) - count}
    assert secrets.keys() == {payment for payment, state in states.items() if state == "POSTED"}
    assert {one.serial: one.pin for one in secrets.values()} == {one.serial: one.pin for one in pins}, "none lost"
    assert len({one.serial for one in secrets.values()}) == len(secrets) == count, "none twice"
    failures = [f"{check.name}: {failure}" for check in report.checks for failure in check.failures[:3]]
    assert report.passed, failures
    looked = {check.name: check.looked_at for check in report.checks}
    assert (looked["vouchers.pins"], looked["vouchers.payments"]) == (count, count)
    print(dict(ended))
