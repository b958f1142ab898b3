"""Vouchers from a supplier's file to the payer's hand, on a real stack: and no PIN anywhere else."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from console.context import broker_settings
from console.lookup import terminals
from console.signing import give, now
from console.stack import Stack
from schemas.command import SetTerminal
from schemas.envelope import EnvelopeError, open_envelope
from sinks.warehouse import open_warehouse, rows
from streams.compacted import read_to_end
from streams.settings import Settings
from streams.topics import ALL, Topic
from tests.cli_runs import Kassa, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]

# Of one make, so that a PIN is known wherever it is.
PINS = {f"SN{number:04}": f"PIN-{number:04}-4711" for number in range(300)}
LOAD = ("voucher", "load", "card", "pins.csv", "--batch", "b1", "--denomination", "500.00", "--cost", "480.00",
        "--supplier", "cardhouse", "--expires", "2099-12-31")  # fmt: skip


@pytest.fixture
def shop(kassa: Kassa, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Kassa:
    """A product with 300 vouchers, and an agent with two terminals."""
    monkeypatch.setenv("KASSA_DIR", str(stack.settings.dir))
    Path("pins.csv").write_text("serial;pin\n" + "".join(f"{serial};{pin}\n" for serial, pin in PINS.items()))
    done = [
        kassa("payee", "add", "card", "--gateway", "none", "--served", "vouchers", "--field", "phone:[0-9]{10}",
              "--max", "1000.00", "--denomination", "500.00", "--low-stock", "500.00:299", "--id", "payee"),
        kassa("tariff", "set", "card", "--reward", "2%", "--share", "100%", "--id", "tariff"),
        kassa("voucher", "key", "v1"),
        kassa("agent", "open", "shop", "--id", "open"),
        kassa("agent", "deposit", "shop", "100000.00", "--document", "17", "--id", "deposit"),
        *(kassa("terminal", "enroll", one, "--agent", "shop", "--id", f"enroll-{one}") for one in ("k1", "k2")),
        kassa(*LOAD),
    ]  # fmt: skip
    assert [shown.code for shown in done] == [0] * len(done), done
    return kassa


def pay(shop: Kassa, number: int, *more: str) -> dict[str, object]:
    """The last reply to the payment, with the PIN that the terminal opened."""
    shown = shop("pay", "--terminal", "k1", "--payee", "card", "--to", "9161234567", "--amount", "500.00", "--json",
                 "--number", str(number), *more)  # fmt: skip
    told: dict[str, object] = json.loads(shown.out.splitlines()[-1])
    return told


def test_a_reserved_voucher_is_sold_and_its_pin_reaches_the_terminal(shop: Kassa) -> None:
    reserved = shop("voucher", "reserve", "--terminal", "k1", "--payee", "card", "--amount", "500.00", "--number", "1")
    assert (reserved.code, reserved.says("reserved until", "pay with --number 1")) == (0, True), reserved
    told = pay(shop, 1)
    assert (told["state"], told["pin"]) == ("POSTED", PINS[str(told["serial"])])
    entries = shop("payment", "show", "k1.1", "--from-ledger")
    assert entries.says("HELD", "POSTED", "voucher-stock:card.b1 +480.00", "agent:shop +10.00", "reward +10.00"), (
        entries
    )


def test_the_same_pin_is_printed_again_by_its_terminal_alone(shop: Kassa) -> None:
    told = pay(shop, 2)
    again = shop("voucher", "reprint", "k1.2")
    assert (again.code, again.says(f"PIN {told['pin']}", f"serial {told['serial']}", "payment k1.2")) == (0, True), (
        again
    )
    repeated = pay(shop, 2)
    assert (repeated["again"], repeated["pin"]) == (True, told["pin"])
    never = shop("voucher", "reprint", "k2.9")
    assert (never.code, never.says("there is no payment k2.9")) == (1, True), never


def test_a_file_given_again_loads_nothing_and_what_is_wrong_with_one_is_said_by_line(shop: Kassa) -> None:
    again = shop(*LOAD)
    assert (again.code, again.says("chunks done before")) == (0, True), again
    Path("bad.csv").write_text("serial;pin\nA1;secret-1\nA1;secret-2\nA 3;secret-3\nA4;\nA5\n")
    bad = shop(*LOAD[:3], "bad.csv", *LOAD[4:])
    assert (bad.code, bad.says("line 3, column serial: A1 stands in line 2 already", "line 4", "line 5, column pin",
                               "line 6", "has 4 errors: nothing was loaded")) == (2, True), bad  # fmt: skip
    assert "secret" not in bad.out + bad.err
    Path("twice.csv").write_text("serial;pin\nSN0007;x\n")
    twice = shop(*LOAD[:3], "twice.csv", "--batch", "b2", *LOAD[6:])
    assert (twice.code, twice.says("serial SN0007 is there already", "nothing of the batch is for sale")) == (1, True)


def test_a_terminal_without_a_sealing_key_is_sold_none(shop: Kassa) -> None:
    assert shop("terminal", "enroll", "k3", "--agent", "shop").code == 0
    settings = broker_settings()
    bare = terminals(settings)["k3"].model_copy(update={"sealing": None})
    give(settings, SetTerminal(id="bare", issued_at=now(), terminal=bare), None, 10)
    shown = shop("pay", "--terminal", "k3", "--payee", "card", "--to", "9161234567", "--amount", "500.00")
    assert (shown.code, shown.says("DECLINED", "k3 has no sealing key on file")) == (1, True), shown
    refused = shop("voucher", "reserve", "--terminal", "k3", "--payee", "card", "--amount", "500.00")
    assert (refused.code, refused.says("k3 has no sealing key on file")) == (1, True), refused


def test_a_blocked_batch_is_not_sold_and_the_payment_is_void(shop: Kassa) -> None:
    assert shop("voucher", "block", "card", "b1", "--reason", "stolen").code == 0
    told = pay(shop, 3)
    assert (told["state"], told["code"], told["reason"]) == ("VOIDED", 1, "no voucher of 500.00 RUB is left of card")
    assert shop("voucher", "unblock", "card", "b1", "--reason", "found").code == 0
    assert pay(shop, 4)["state"] == "POSTED"


def test_stock_report_and_alert_tell_what_was_sold(shop: Kassa) -> None:
    pay(shop, 5)
    paid = shop("voucher", "pay-supplier", "card", "--supplier", "cardhouse", "--amount", "480.00", "--document", "9",
                "--id", "supplier")  # fmt: skip
    assert (paid.code, paid.says("480.00 RUB paid to cardhouse for card")) == (0, True), paid

    def told() -> bool:
        stock = json.loads(shop("voucher", "stock", "--json").out.splitlines()[0])
        sold = [json.loads(line) for line in shop("voucher", "report", "--json").out.splitlines()]
        count = 300 - stock["unsold"]
        return bool(sold) and sold[0]["sold"] == count > 0 and sold[0]["cost"] == 48_000 * count

    eventually(told, within_s=20)
    assert shop("voucher", "stock").says("card", "500.00", "b1", "cardhouse", "300", "2100-01-01 00:00")
    eventually(lambda: shop("alerts").says("LOW_STOCK", "card/50000"), within_s=20)


def test_the_audit_passes_and_looks_at_vouchers(shop: Kassa) -> None:
    pay(shop, 6)

    def passed() -> bool:
        shown = shop("audit")
        return shown.code == 0 and shown.says("vouchers.pins", "vouchers.payments", "vouchers.stock")

    eventually(passed, within_s=30)


def test_no_pin_is_on_any_topic_in_the_warehouse_or_in_a_log(shop: Kassa, stack: Stack) -> None:
    """Last of all, when everything has been done with PINs that can be."""
    pin = str(pay(shop, 7)["pin"])
    assert pin.endswith("-4711")
    places = {topic.name: _all_of(stack.settings, topic) for topic in ALL}
    assert b"SN0001" in places["ledger"], "the ledger was looked at"
    assert b'"secret":"' in places["replies"], "replies were looked at"
    logs = {str(path): path.read_bytes() for path in stack.settings.dir.rglob("*.log")}
    assert logs
    with open_warehouse(stack.settings) as client:
        entries = rows(client, "SELECT toString(tuple(*)) FROM entries")
        rejects = rows(client, "SELECT toString(tuple(*)) FROM rejects")
    warehouse = "".join(str(row) for row in [*entries, *rejects]).encode()
    assert b"SN0001" in warehouse
    snapshots = b"".join(path.read_bytes() for path in stack.settings.snapshots.rglob("*") if path.is_file())
    for place, content in {**places, **logs, "warehouse": warehouse, "snapshots": snapshots}.items():
        assert b"-4711" not in content, place


def _all_of(settings: Settings, topic: Topic) -> bytes:
    """Every value, and of what is signed the payload too: in a JWS it is not readable."""
    found = []
    for message in read_to_end(settings, topic, time_out_s=20):
        value = message.value() or b""
        found.append(value)
        with suppress(EnvelopeError):
            found.append(open_envelope(value).payload)
    return b"\n".join(found)
