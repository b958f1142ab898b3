"""Cash in terminals: what payments put in is expected, and a collection says what was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from console.cash import denominations
from console.errors import BadInput
from schemas.alert import AlertKind
from schemas.cash import CollectCash
from schemas.delivery import delivery_id
from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from streams.ledger.commands import Instruct, LedgerCommand
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.perform import perform
from streams.ledger.replies import reply_to
from streams.ledger.state import State
from streams.settings import Settings
from streams.watch import Watch
from streams.watch_cash import shortages
from tests.audit_ledgers import audited, failed, rechained
from tests.builders import (
    AT,
    NOW,
    a_deposit,
    a_place,
    a_resolve,
    a_retry,
    a_settle,
    a_tree,
    balances,
    block,
    decided,
    folded,
    legs,
    open_agent,
    performed,
    window_due,
)
from tests.builders_cash import a_collection

CODE = "0" * 32


def expected(state: State, terminal: str = "kiosk-1", agent: str = "S") -> int:
    till = state.books["A"].tills.get((terminal, agent, "RUB"))
    return till.expected if till is not None else 0


PUT_IN: list[tuple[str, list[LedgerCommand], int]] = [
    ("a cashier takes amount and fee once the payee has it", [a_place(), a_settle()], 100_000),
    ("a cashier takes nothing before", [a_place()], 0),
    ("nor of what is voided", [a_place(), a_settle(verdict=Verdict.FATAL, step="check")], 0),
    (
        "an operator says it was paid",
        [a_place(), a_settle(verdict=Verdict.UNCLEAR, retry=a_retry(budget=1)), a_resolve()],
        100_000,
    ),
    ("cash in the box at the receipt", [a_place(collected=100_000)], 100_000),
    ("with the change in it", [a_place(collected=100_700, change_to=CODE)], 100_700),
    ("and it stays there", [a_place(collected=100_000), a_settle()], 100_000),
    ("voided, too", [a_place(collected=100_000), a_settle(verdict=Verdict.FATAL, step="check")], 100_000),
    ("declined, and kept for the payer", [a_place(collected=100_000), a_place(number=2, fee=1, collected=95_001)],
     195_001),
    ("declined, and given back", [a_place(agent="nobody", collected=100_000)], 0),
    ("waiting for funds", [a_place(number=1, amount=285_000, fee=15_000, collected=300_000)], 300_000),
    (
        "held when they come, it is not put in twice",
        [a_place(amount=285_000, fee=15_000, collected=300_000), a_deposit("S", 500_000, id="more"), a_settle()],
        300_000,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("commands", "amount"), [row[1:] for row in PUT_IN], ids=[row[0] for row in PUT_IN])
def test_what_is_expected_in_a_terminal(commands: list[LedgerCommand], amount: int) -> None:
    state = a_tree()
    for command in commands:
        assert isinstance(perform(state, command, AT), list)
    assert expected(state) == amount


def test_what_is_given_up_was_in_the_box_from_its_receipt() -> None:
    state = a_tree(money=100_000)
    decided(state, a_place(collected=100_700, change_to=CODE))  # and not 95950 + 700 … but for 96650
    decided(state, a_place(number=2, amount=5_000, fee=0, tariff=None, collected=5_000, change_to=CODE))
    before = expected(state)
    assert decided(state, a_deposit("S", 5_000, id="more")).kind is EntryKind.DEPOSITED
    assert expected(state) == before == 105_700


def a_day() -> State:
    """200000 should be in kiosk-1: two payments of 100000."""
    state = a_tree()
    for command in a_place(number=1), a_settle("kiosk-1.1"), a_place(number=2, collected=100_000):
        decided(state, command)
    return state


def test_a_collection_that_is_short_leaves_its_shortage_on_the_terminals_account() -> None:
    state = a_day()
    entry = decided(state, a_collection({"100000": 1, "5000": 19}, comment="one note torn"))
    assert (entry.kind, entry.document, entry.reason) == (EntryKind.CASH_COLLECTED, "Bag 17", "one note torn")
    assert entry.cash is not None
    assert (entry.cash.number, entry.cash.expected, entry.cash.counted) == (1, 200_000, 195_000)
    assert entry.cash.shortage == 5_000
    assert entry.cash.denominations == ((100_000, 1), (5_000, 19))
    assert (entry.cash.first_entry, entry.cash.last_entry) == (1, entry.seq)
    assert legs(entry) == [
        ("cash:kiosk-1", -200_000), ("cash-taken:S", 200_000), ("cash:kiosk-1", 195_000), ("cash-taken:S", -195_000),
    ]  # fmt: skip
    assert (balances(state)["cash:kiosk-1"], balances(state)["cash-taken:S"]) == (-5_000, 5_000)
    reply = reply_to(entry)
    assert reply is not None
    assert (reply.state, reply.final) == ("DONE", True)


def test_the_next_collection_begins_from_nothing() -> None:
    state = a_day()
    first = decided(state, a_collection(200_000))
    assert "cash:kiosk-1" not in balances(state)
    decided(state, a_place(number=3, collected=9_500, amount=9_000, fee=473, change_to=CODE))
    second = decided(state, a_collection(9_600, id="second"))
    assert second.cash is not None
    assert (second.cash.number, second.cash.expected, second.cash.shortage) == (2, 9_500, -100)
    assert second.cash.first_entry == first.seq + 1
    assert balances(state)["cash:kiosk-1"] == 100
    empty = decided(state, a_collection(0, id="third"))
    assert (empty.kind, empty.legs, empty.cash.counted if empty.cash else None) == (EntryKind.CASH_COLLECTED, (), 0)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (a_collection(1, "kiosk-9"), "terminal kiosk-9 has taken no cash in tree A"),
        (a_collection(1, tree="B"), "terminal kiosk-1 has taken no cash in tree B"),
        (a_collection(1, agent="A"), "terminal kiosk-1 took cash for agent S, not for A"),
        (a_collection(1, currency="USD"), "terminal kiosk-1 took RUB, and never USD"),
        (a_collection({"1000000000": 1_000, "1": 1}), "10000000000.01 is more than any count, 10000000000.00"),
    ],
)
def test_a_collection_of_what_never_was_there_is_refused(command: Instruct, why: str) -> None:
    state = a_day()
    entry = decided(state, command)
    assert (entry.kind, entry.refusal, entry.reason) == (EntryKind.REFUSED, 300, why)
    assert expected(state) == 200_000


@pytest.mark.parametrize(
    "counted",
    [{"0": 1}, {"-5": 1}, {"01": 1}, {"1.5": 1}, {"": 1}, {"١": 1}, {"5": 0}, {"5": -1}, {"5": 10**6 + 1},
     {"9" * 14: 1}, {str(n): 1 for n in range(1, 102)}],
    ids=str,
)  # fmt: skip
def test_what_is_no_denomination_is_no_command(counted: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        CollectCash(id="1", issued_at=NOW, tree="A", terminal="k", agent="S", currency="RUB", counted=counted, bag="1")


def test_an_agent_that_is_blocked_or_closed_has_its_terminals_emptied() -> None:
    state = a_day()
    decided(state, block("S"))
    assert decided(state, a_collection(200_000)).kind is EntryKind.CASH_COLLECTED
    agent = state.books["A"].agents["S"]
    agent.take(replace(agent.terms, status="closed"))
    assert decided(state, a_collection(0, id="again")).kind is EntryKind.CASH_COLLECTED


def test_memo_accounts_are_in_no_settlement_window() -> None:
    state = a_day()
    decided(state, a_collection(0))
    entry = decided(state, window_due())
    assert entry.window is not None
    assert {one.account.partition(":")[0] for one in entry.window.positions} >= {"agent", "bank"}
    assert not any(one.account.startswith("cash") for one in entry.window.positions)


def test_what_is_expected_goes_into_a_snapshot() -> None:
    state = a_day()
    decided(state, a_collection(100_000))
    decided(state, a_place(number=3, collected=9_500, amount=9_000, fee=473, change_to=CODE))
    images = TypeAdapter(StateImage)
    again = state_of(images.validate_json(orjson.dumps(image_of(state))))
    assert again.books["A"].tills == state.books["A"].tills
    assert expected(again) == 9_500
    earlier = orjson.loads(orjson.dumps(image_of(state)))
    for book in earlier["books"]:
        del book["tills"]
    assert expected(state_of(images.validate_json(orjson.dumps(earlier)))) == 0


def _a_ledger() -> list[Entry]:
    state, entries = State(0), list[Entry]()
    commands = (
        open_agent("A"), open_agent("S", "A"), a_deposit("S", 500_000), a_place(collected=100_000),
        a_place(number=2), a_settle("kiosk-1.2"), a_collection(190_000), a_place(number=3, collected=100_000),
        a_collection(100_000, id="second"),
    )  # fmt: skip
    for command in commands:
        entries += performed(state, command)
    return entries


def _of_collection(**changes: object) -> Callable[[Entry], Entry]:
    return lambda entry: replace(entry, cash=replace(entry.cash, **changes))  # type: ignore[arg-type,type-var]


# What was done to the first collection, and what the audit says of it.
BROKEN: dict[str, tuple[Callable[[Entry], Entry], str]] = {
    "expected": (_of_collection(expected=190_000, shortage=0), "says expected 190000, should be 200000"),
    "counted": (_of_collection(counted=200_000), "says counted 200000, should be 190000"),
    "shortage": (_of_collection(shortage=0), "says shortage 0, should be 10000"),
    "number": (_of_collection(number=2), "says number 2, should be 1"),
    "entries": (_of_collection(first_entry=2), "says first_entry 2, should be 1"),
    "terminal": (_of_collection(terminal="kiosk-2"), "never took RUB for agent S"),
    "agent": (_of_collection(agent="A"), "never took RUB for agent A"),
    "no collection": (lambda entry: replace(entry, cash=None), "names no collection"),
    "legs": (lambda entry: replace(entry, legs=entry.legs[:2]), "should move"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_audit_finds_a_collection_that_is_not_right(what: str) -> None:
    entries = _a_ledger()
    assert failed(entries) == set()
    assert audited(entries)["cash.collections"].looked_at == 2
    change, told = BROKEN[what]
    at = next(n for n, entry in enumerate(entries) if entry.cash is not None)
    check = audited(rechained([*entries[:at], change(entries[at]), *entries[at + 1 :]]))["cash.collections"]
    assert told in check.failures[0]


@pytest.mark.parametrize("changes", [{"expected": 1}, {"number": 2}, {"first_entry": 2}, {"terminal": "kiosk-2"}])
def test_the_fold_refuses_a_collection_that_does_not_go_on_from_what_was_put_in(changes: dict[str, object]) -> None:
    entries = _a_ledger()
    at = next(n for n, entry in enumerate(entries) if entry.cash is not None)
    with pytest.raises(LedgerCorrupt, match="collection"):
        folded([*entries[:at], _of_collection(**changes)(entries[at])])


@pytest.mark.parametrize(
    ("counted", "above", "told"),
    [(195_000, 0, True), (195_000, 4_999, True), (195_000, 5_000, False), (200_000, 0, False), (200_001, 0, False)],
)
def test_a_shortage_is_told_once_to_the_agent(counted: int, above: int, told: bool) -> None:
    state, watch = a_day(), Watch(Settings(shortage_above=above), 0, {})
    alerts = watch.entry(state, decided(state, a_collection(counted)))
    assert [(one.kind, one.subject, one.agent, one.tree, one.over) for one in alerts] == (
        [(AlertKind.SHORTAGE, "kiosk-1/RUB", "S", "A", False)] if told else []
    )
    if told:
        assert alerts[0].text == (
            "50.00 RUB are missing in terminal kiosk-1 of agent S of tree A: 2000.00 expected, 1950.00 counted, "
            "bag Bag 17"
        )
        assert watch.entry(state, decided(state, a_collection(0, id="second"))) == []  # it is not missing again
        assert watch.look(state, AT) == []


def test_shortages_of_two_currencies_found_at_once_are_delivered_both():
    roubles = decided(a_day(), a_collection(1))
    assert roubles.cash is not None
    dollars = replace(roubles, cash=replace(roubles.cash, currency="USD"))
    alerts = [alert for entry in (roubles, dollars) if entry.cash for alert in shortages(entry, entry.cash, 0)]
    assert len({delivery_id(one, "operator", "mail", "") for one in alerts}) == 2


def test_denominations_are_read_exactly() -> None:
    assert denominations(["1000.00x12", "0.5x3", "10x1"], "RUB") == {"100000": 12, "50": 3, "1000": 1}
    assert denominations([], "RUB") == {}


@pytest.mark.parametrize(
    "texts", [["1000"], ["1000x"], ["x5"], ["10x0"], ["10x-1"], ["10x٣"], ["1x1", "1.00x2"], ["10 x 5"]]
)
def test_what_is_no_denomination_is_refused(texts: list[str]) -> None:
    with pytest.raises((BadInput, ValueError)):
        denominations(texts, "RUB")
