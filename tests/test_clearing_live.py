"""Money between trees on a running stack: as people order it, and while the worker is killed again and again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from console.audit_reading import read
from console.audit_run import run_audit
from console.client import Client
from console.requests import command_request
from console.stack import Stack
from schemas.agent_command import Transfer
from schemas.bring_change import BringChange
from schemas.change import new_code
from schemas.entry import Entry, EntryKind
from streams.keyring import load_operator_key, load_terminal_key
from streams.partitioner import partition_of
from streams.topics import LEDGER
from tests.cli_runs import Kassa, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(300)]

TRANSFERS = 120
KILLS = 3


def trees(stack: Stack) -> list[str]:
    """Two on one partition, and one on another."""
    partitions = stack.settings.partitions
    names = [f"tree{number}" for number in range(100)]
    first = partition_of(names[0], partitions)
    alike = [name for name in names if partition_of(name, partitions) == first]
    return [*alike[:2], next(name for name in names if name not in alike)]


def opened(kassa: Kassa, stack: Stack) -> list[str]:
    """The roots, each with 1000.00."""
    names = trees(stack)
    for name in names:
        for command in ["open", name], ["deposit", name, "1000.00", "--document", "bank 17"]:
            shown = kassa("agent", *command)
            assert shown.code == 0, shown
    return names


def balance(kassa: Kassa, agent: str) -> int:
    return int(json.loads(kassa("agent", "show", agent, "--json").out)["balance"])


def test_a_transfer_to_another_tree_arrives_or_comes_back_and_is_shown(on_stack: Kassa, stack: Stack) -> None:
    first, second, other = opened(on_stack, stack)
    for taker in second, other:
        command = ("agent", "transfer", first, taker, "100.00", "--to-tree", taker, "--document", "memo 3")
        shown = on_stack(*command, "--id", f"send-{taker}")
        said = shown.says(f"100.00 RUB from {first} to {taker} of tree {taker}  (command send-")
        assert (shown.code, said) == (0, True), shown
        assert on_stack(*command, "--id", f"send-{taker}").says("done before")
    back = on_stack("agent", "transfer", first, "nobody", "50.00", "--to-tree", other, "--document", "memo 4")
    assert (back.code, back.says("300", f"there is no agent nobody in tree {other}")) == (1, True), back
    assert [balance(on_stack, name) for name in (first, second, other)] == [80_000, 110_000, 110_000]

    def listed() -> list[dict[str, Any]]:
        return [json.loads(line) for line in on_stack("clearing", "list", "--json").out.splitlines()]

    eventually(lambda: len(found := listed()) == 3 and all(one["ended_at"] for one in found))
    states = {(one["target"], one["taker"]): (one["state"], one["why"]) for one in listed()}
    assert states == {
        (second, f"agent:{second}"): ("arrived", ""),
        (other, f"agent:{other}"): ("arrived", ""),
        (other, "agent:nobody"): ("returned", f"there is no agent nobody in tree {other}"),
    }
    assert on_stack("clearing", "list", "--open").out.count(first) == 0
    assert on_stack("clearing", "list", "--tree", second).says("arrived", f"agent:{second}", "100.00")
    (name,) = (f"{one['origin']}.{one['transfer_no']}" for one in listed() if one["state"] == "returned")
    kinds = [one["kind"] for one in json.loads(on_stack("clearing", "show", name, "--json").out)["entries"]]
    assert kinds == ["TRANSFER_SENT", "TRANSFER_REJECTED", "TRANSFER_RETURNED"]
    assert on_stack("clearing", "show", name).says("returned", "50.00 RUB", "TRANSFER_REJECTED")
    assert on_stack("clearing", "show", f"{first}.99").says("no transfer")
    audited = on_stack("audit")
    assert (audited.code, audited.says("clearing.pairs", "checks passed")) == (0, True), audited


def test_change_of_one_tree_is_brought_to_another_by_an_operator_and_by_a_terminal_of_that_one(
    on_stack: Kassa, stack: Stack
) -> None:
    first, _, other = trees(stack)
    code = new_code()
    for command in (
        ["gateway", "add", "away", "--url", "http://127.0.0.1:1/"],
        ["payee", "add", "mobile", "--gateway", "away", "--field", "phone:[0-9]{10}:Phone", "--max", "1000"],
        ["terminal", "enroll", "here", "--agent", first],
        ["terminal", "enroll", "there", "--agent", other],
        ["pay", "--terminal", "here", "--payee", "mobile", "--to", "9161234567", "--amount", "10.00",
         "--put-in", "60.00", "--change", code, "--no-wait"],
        ["change", "bring", "--code", code, "--amount", "20.00", "--from", first, "--to", other],
    ):  # fmt: skip
        shown = on_stack(*command)
        assert shown.code == 0, shown
    assert shown.says(f"20.00 RUB of change from tree {first} to {other}  (command ")
    order = BringChange(
        id="there.bring.1", issued_at=datetime.now(UTC), tree=first, code=code, amount=3_000, currency="RUB",
        to_tree=other,
    )  # fmt: skip
    assert ordered(stack, "there", order) == [("DONE", False), ("DONE", True)]
    assert ordered(stack, "here", order.model_copy(update={"id": "here.bring.1"})) == [("REJECTED", True)]
    paid = on_stack("change", "pay-out", other, "50.00", "--code", code, "--evidence", "receipt here.1")
    assert (paid.code, paid.says("50.00 RUB of change")) == (0, True), paid
    refused = on_stack("change", "bring", "--code", code, "--amount", "0.01", "--from", first, "--to", other)
    assert (refused.code, refused.says("0 minor units of change are left, not 1")) == (1, True), refused


def ordered(stack: Stack, terminal: str, order: BringChange) -> list[tuple[str, bool]]:
    """State and finality of each reply to a command that a terminal signs."""
    request = command_request(order, load_terminal_key(stack.settings, terminal))
    with Client(stack.settings, [terminal]) as client:
        return [(one.reply.state, one.reply.final) for one in client.ask(request, 30, 30)]


def test_nothing_is_lost_or_doubled_while_the_worker_is_killed(on_stack: Kassa, stack: Stack) -> None:
    """Money goes round between three trees; the worker dies again and again, and all of it ends."""
    names, key, number = trees(stack), load_operator_key(stack.settings, "root"), count()
    orders = [
        Transfer(
            id=f"round-{one}", issued_at=datetime.now(UTC), tree=names[one % 3], giver=names[one % 3],
            taker="nobody" if one % 10 == 9 else names[(one + 1) % 3], amount=100 + one, currency="RUB",
            document=f"memo {one}", to_tree=names[(one + 1) % 3],
        )
        for one in range(TRANSFERS)
    ]  # fmt: skip
    total = sum(balance(on_stack, name) for name in names)
    with Client(stack.settings, ["root"], many=True) as client:
        for order in orders:
            client.send(command_request(order, key))
            if next(number) % (TRANSFERS // KILLS) == TRANSFERS // KILLS - 5:
                assert client.flush(60) == 0
                for worker in stack.worker_names:
                    stack.kill(worker)
                    stack.revive(worker)
        assert client.flush(60) == 0
    eventually(lambda: ended(stack) == {order.id for order in orders}, within_s=200)
    assert sum(balance(on_stack, name) for name in names) == total
    report = run_audit(stack.settings, simulator=None, wait_s=90)
    assert report.passed, [f"{check.name}: {failure}" for check in report.checks for failure in check.failures[:3]]
    assert report.check("clearing.pairs").note == ""


def ended(stack: Stack) -> set[str]:
    """The commands whose transfers are known to have arrived, or are back."""
    found: set[str] = set()
    for partition in range(stack.settings.partitions):
        for record in read(stack.settings, LEDGER, partition):
            entry = Entry.decode(record.value or b"")
            if entry.crossing is not None and entry.kind in (EntryKind.TRANSFER_CONFIRMED, EntryKind.TRANSFER_RETURNED):
                found.add(entry.crossing.order)
    return {id for id in found if id.startswith("round-")}
