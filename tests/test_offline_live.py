"""A payee served offline on a running stack: from the order to the payee's answer file, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.stack import Stack
from tests.cli_runs import Kassa, Shown, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]


@pytest.fixture
def network(kassa: Kassa, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Kassa:
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    return kassa


def paid(network: Kassa, number: int) -> None:
    shown = network(
        "pay", "--terminal", "k1", "--payee", "water", "--to", "9161234567", "--amount", "10.00", "--number",
        str(number),
    )  # fmt: skip
    assert (shown.code, shown.says("HELD", "QUEUED")) == (0, True), shown


def state_of(network: Kassa, number: int) -> str:
    shown = network("registry", "list", "--payee", "water", "--json")
    found = [json.loads(line) for line in shown.out.splitlines()]
    return next((str(one["state"]) for one in found if one["registry"] == number), "")


def payment(network: Kassa, number: int) -> str:
    shown = network("payment", "show", f"k1.{number}", "--json")
    return str(json.loads(shown.out)["state"]) if shown.code == 0 else ""


def test_a_registry_goes_out_and_its_answer_ends_every_payment(network: Kassa, stack: Stack, tmp_path: Path) -> None:
    field = ("--field", "phone:[0-9]{10}:Phone", "--max", "15000", "--time-zone", "Europe/Moscow")
    done: list[Shown] = [
        network("payee", "add", "water", "--gateway", "registry", *field, "--cut-off", "0 4 1 1 *", "--registry-to",
                "file:water", "--registry-form", "csv"),
        network("agent", "open", "shop"),
        network("agent", "deposit", "shop", "1000.00", "--document", "17"),
        network("terminal", "enroll", "k1", "--agent", "shop"),
    ]  # fmt: skip
    assert [shown.code for shown in done] == [0] * len(done), done
    for number in (1, 2, 3):
        paid(network, number)
    eventually(lambda: network("registry", "list", "--payee", "water").says("open", "30.00"))
    early = network("registry", "answer", str(tmp_path / "none.csv"), "--payee", "water", "--registry", "1", "--yes")
    assert (early.code, early.says("is open: it is not delivered yet")) == (2, True), early

    cut = network("registry", "cut", "--payee", "water", "--registry", "1")
    assert (cut.code, cut.says("registry 1 of payee water is cut")) == (0, True), cut
    again = network("registry", "cut", "--payee", "water", "--registry", "1")
    assert (again.code, again.says("cut already: 2 is open")) == (1, True), again
    eventually(lambda: state_of(network, 1) == "delivered")
    file = stack.directory / "registries" / "water" / "water_000001.csv"
    header, *rows, total = file.read_text().splitlines()
    assert header.startswith("txn_id;date;time;subscriber")
    assert total == "Total:;;;3;;30.00;RUB;"
    txns = [row.split(";")[0] for row in rows]

    answers = tmp_path / "answers.csv"
    answers.write_text(f"txn_id;amount;answer\n{txns[0]};10.00;accepted\n{txns[1]};10.01;accepted\n")
    wrong = network("registry", "answer", str(answers), "--payee", "water", "--registry", "1", "--yes")
    assert (wrong.code, wrong.says("line 3, column amount", "nothing was answered")) == (2, True), wrong
    answers.write_text(
        f"txn_id;amount;answer;reason\n{txns[0]};10.00;accepted;\n{txns[1]};10.00;rejected;No contract\n"
    )
    taken = network("registry", "answer", str(answers), "--payee", "water", "--registry", "1", "--yes")
    assert (taken.code, taken.says("1 accepted, 1 rejected")) == (0, True), taken
    eventually(lambda: (payment(network, 1), payment(network, 2)) == ("POSTED", "VOIDED"))
    eventually(lambda: state_of(network, 1) == "answered in part")
    same = network("registry", "answer", str(answers), "--payee", "water", "--registry", "1", "--yes")
    assert (same.code, same.says("2 of them known before: nothing to do")) == (0, True), same
    answers.write_text(f"txn_id;amount;answer\n{txns[0]};10.00;rejected\n")
    other = network("registry", "answer", str(answers), "--payee", "water", "--registry", "1", "--yes")
    assert (other.code, other.says("was accepted before, and cannot be rejected now")) == (2, True), other

    paid(network, 4)
    eventually(lambda: network("registry", "list", "--payee", "water").says("open", "10.00"))
    shown = network("registry", "show", "--payee", "water", "--registry", "1")
    assert (shown.code, shown.says("No contract", "k1.3", txns[2])) == (0, True), shown
    brought = network(
        "registry", "deliver", "--payee", "water", "--registry", "1", "--evidence", "x", "--out", str(tmp_path)
    )
    assert (brought.code, brought.says("is delivered already")) == (1, True), brought
    assert (tmp_path / "water_000001.csv").read_bytes() == file.read_bytes()
    audit = network("audit")
    assert audit.code == 0, audit
