"""Settlement windows: what a closing fixes and pays, that it happens once, and that the next one goes on from there."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from pydantic import TypeAdapter

from schemas.change import CHANGE, mark_of
from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from schemas.window import ALL_CHANGE, WindowPosition
from streams.ledger import windows
from streams.ledger.decide import Conflict, Duplicate, Stale, decide
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.replies import replies_to
from streams.ledger.state import State
from streams.topics import LEDGER
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_place,
    a_settle,
    a_transfer,
    a_tree,
    a_withdrawal,
    an_order,
    balances,
    block,
    close,
    close_window,
    decided,
    folded,
    legs,
    move,
    open_agent,
    window_due,
)

IMAGES: TypeAdapter[StateImage] = TypeAdapter(StateImage)


def paid(state: State, number: int = 1, **changes: object) -> Entry:
    decided(state, a_place(number=number, **changes))
    return decided(state, a_settle(f"kiosk-1.{number}"))


def position(entry: Entry, account: str, currency: str = "RUB") -> WindowPosition:
    assert entry.window is not None
    return next(one for one in entry.window.positions if (one.account, one.currency) == (account, currency))


def test_example_1_a_payee_is_paid_what_its_window_owes_it():
    state = a_tree()
    paid(state)
    entry = decided(state, window_due("mobile", due_at=AT - 5))
    assert entry.kind is EntryKind.WINDOW_CLOSED
    assert legs(entry) == [("payee:mobile", -93_100), ("bank", 93_100)]
    assert entry.window.positions == (WindowPosition("payee:mobile", "RUB", 0, 0, 1, 3, 93_100),)
    assert (entry.window.number, entry.window.due_at, entry.window.closed_at) == (1, AT - 5, AT)
    assert (entry.window.first_entry, entry.window.last_entry) == (1, entry.seq)
    assert "payee:mobile" not in balances(state)


def test_a_payment_posted_late_is_in_the_next_window():
    state = a_tree(money=500_000)
    paid(state)
    decided(state, a_place(number=2))
    decided(state, a_settle("kiosk-1.2", Verdict.UNCLEAR))
    first = decided(state, window_due("mobile"))
    decided(state, a_settle("kiosk-1.2"))
    second = decided(state, window_due("mobile", 2), AT + 1)
    assert [position(entry, "payee:mobile").settled for entry in (first, second)] == [93_100, 93_100]
    assert (position(second, "payee:mobile").first, second.window.opened_at) == (4, AT)
    assert second.window.first_entry == first.seq + 1


def test_what_a_payee_owes_is_carried_over_and_nothing_is_paid():
    state = a_tree()
    state.books["A"].account("payee:mobile", "RUB").balance -= 100_000  # as after a reversal of what was settled
    paid(state)
    entry = decided(state, window_due("mobile"))
    assert legs(entry) == []
    assert (position(entry, "payee:mobile").closing, position(entry, "payee:mobile").settled) == (-6_900, 0)


def test_a_payee_is_settled_in_every_currency_it_is_owed_in():
    state = a_tree()
    paid(state)
    book = state.books["A"]
    book.account("payee:mobile", "USD").balance, book.accounts["payee:mobile", "USD"].seq = 700, 1
    book.account("bank", "USD").balance, book.accounts["bank", "USD"].seq = -700, 1
    entry = decided(state, window_due("mobile"))
    assert [(leg.account, leg.currency, leg.amount) for leg in entry.legs] == [
        ("payee:mobile", "RUB", -93_100),
        ("bank", "RUB", 93_100),
        ("payee:mobile", "USD", -700),
        ("bank", "USD", 700),
    ]


def test_the_trees_window_fixes_all_accounts_and_moves_nothing():
    state = a_tree()
    paid(state)
    entry = decided(state, window_due())
    assert legs(entry) == []
    closing = {one.account: one.closing for one in entry.window.positions if one.closing}
    assert closing == balances(state)
    assert sum(closing.values()) == 0
    assert (position(entry, "hold:S").first, position(entry, "hold:S").last) == (1, 2)
    decided(state, a_deposit("S", 500, id="more"))
    after = decided(state, window_due(number=2))
    moved = [one for one in after.window.positions if one.last >= one.first]
    assert [(one.account, one.closing - one.opening) for one in moved] == [("agent:S", 500), ("bank", -500)]
    for one in after.window.positions:
        assert one.opening == position(entry, one.account).closing
    assert "hold:S" not in {one.account for one in after.window.positions}, "nothing moved and nothing is there"


def test_windows_close_over_agents_that_moved_gave_away_their_money_and_were_closed():
    state = folded([])
    for command in (
        open_agent("A"), open_agent("S", "A"), open_agent("T", "A"), a_deposit("S", 10_000),
        a_transfer("S", "T", 4_000), move("S", "T"), a_withdrawal("S", 6_000), close("S"), block("A"),
    ):  # fmt: skip
        assert decided(state, command).refusal == 0
    entry = decided(state, window_due())
    assert position(entry, "agent:S") == WindowPosition("agent:S", "RUB", 0, 0, 1, 3, 0)
    assert position(entry, "agent:T") == WindowPosition("agent:T", "RUB", 0, 4_000, 1, 1, 0)
    assert position(entry, "bank") == WindowPosition("bank", "RUB", 0, -4_000, 1, 2, 0)
    assert entry.window.last_entry == 10


def test_a_window_without_anything_in_it_closes_too():
    state = a_tree()
    entry = decided(state, window_due("nobody"))
    assert (entry.window.positions, legs(entry)) == ((), [])
    assert decided(state, window_due("nobody", 2)).window.number == 2


def test_however_often_the_timer_fires_a_window_is_closed_once():
    state = a_tree()
    paid(state)
    decided(state, window_due("mobile"))
    for late in (window_due("mobile"), window_due("mobile", 3), window_due("mobile", book="B")):
        assert isinstance(decide(state, late, AT + 1), Stale)
    assert balances(state)["bank"] == -200_000 + 93_100


def test_the_timer_tells_nobody_and_an_operator_is_answered():
    state = a_tree()
    assert replies_to(decided(state, window_due())) == []
    ((recipient, reply),) = replies_to(decided(state, close_window(number=2)))
    assert (recipient, reply.state, reply.code) == ("chief", "DONE", 0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (close_window(number=1), "window 1 of the tree is closed already: 2 is open"),
        (close_window(number=3), "window 3 of the tree is not open yet: 2 is open"),
        (close_window("mobile", 2), "window 2 of payee mobile is not open yet: 1 is open"),
        (close_window(tree="B"), "there is no tree B"),
    ],
)
def test_an_operator_closes_the_open_window_and_no_other(command, words):
    state = a_tree()
    decided(state, window_due())
    entry = decided(state, command)
    assert (entry.kind, entry.legs, entry.window) == (EntryKind.REFUSED, (), None)
    assert entry.reason == words


def test_an_order_to_close_that_comes_again_is_answered_and_not_repeated():
    state = a_tree()
    decided(state, close_window("mobile"))
    assert isinstance(decide(state, close_window("mobile"), AT + 1), Duplicate)
    assert isinstance(decide(state, replace(close_window("mobile"), digest="00" * 16), AT + 1), Conflict)


def test_a_window_that_would_not_fit_into_a_record_stays_open(monkeypatch):
    monkeypatch.setattr(windows, "MAX_POSITIONS", 2)
    state = a_tree()
    paid(state)
    assert isinstance(decide(state, window_due(), AT), Stale)
    assert decided(state, close_window()).reason == "the window has 7 accounts, and may have 2"
    assert decided(state, window_due("mobile")).kind is EntryKind.WINDOW_CLOSED


def test_the_largest_window_fits_into_a_record_of_the_ledger():
    state = a_tree()
    entry = decided(state, window_due())
    name, most = "voucher-stock:" + "p" * 40 + "." + "b" * 40, 10**18
    one = WindowPosition(name, "RUB", -most, -most, 10**12, 10**12, most)
    full = replace(entry, window=replace(entry.window, positions=(one,) * windows.MAX_POSITIONS))
    assert len(full.encode()) + 10_000 < int(LEDGER.config["max.message.bytes"])


def test_all_change_of_a_tree_is_one_line_of_its_window():
    """Three codes, of which one is handed out between the closings."""
    state = a_tree(money=900_000)
    code = "0" * 32
    for number, mark in (1, mark_of(code)), (2, "2" * 32), (3, "3" * 32):
        order = an_order(number, collected=100_000 + 700 * number, change_to=mark)
        decided(state, a_place(order))
    first = decided(state, window_due())
    assert position(first, ALL_CHANGE) == WindowPosition(ALL_CHANGE, "RUB", 0, 4_200, 1, 3)
    assert not [one for one in first.window.positions if one.account.startswith(CHANGE)]
    decided(state, a_pay_out(code, amount=700))
    second = decided(state, window_due(number=2))
    assert position(second, ALL_CHANGE) == WindowPosition(ALL_CHANGE, "RUB", 4_200, 3_500, 4, 4)


def test_a_worker_goes_on_from_a_snapshot_or_the_log_with_the_same_windows():
    state, log = State(0), []

    def keep(command, at=AT):
        log.append(decided(state, command, at))

    for command in (open_agent("A"), open_agent("S", "A"), a_deposit("S", 400_000), a_place(), a_settle()):
        keep(command)
    keep(window_due("mobile"))
    keep(window_due())
    keep(a_place(number=2))
    from_log = folded(Entry.decode(entry.encode()) for entry in log)
    from_image = state_of(IMAGES.validate_json(orjson.dumps(image_of(state))))
    assert state.books == from_log.books == from_image.books
    for other in (from_log, from_image):
        assert decide(other, window_due(number=2), AT + 9) == decide(state, window_due(number=2), AT + 9)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 2},
        {"first_entry": 2},
        {"positions": (WindowPosition("payee:mobile", "RUB", 1, 0, 1, 3, 93_100),)},
        {"positions": (WindowPosition("payee:mobile", "RUB", 0, 0, 2, 3, 93_100),)},
        {"positions": (WindowPosition("payee:mobile", "RUB", 0, 5, 1, 3, 93_100),)},
        {"positions": (WindowPosition("payee:mobile", "RUB", 0, 0, 1, 4, 93_100),)},
    ],
)
def test_a_closing_that_does_not_continue_the_window_stops_the_worker(changes):
    state = a_tree()
    paid(state)
    (entry,) = decide(state, window_due("mobile"), AT)
    with pytest.raises(LedgerCorrupt):
        evolve(state, replace(entry, window=replace(entry.window, **changes)))


def test_an_entry_of_an_older_ledger_has_no_window():
    entry = decided(a_tree(), a_deposit("S", 1, id="old"))
    written = orjson.loads(entry.encode())
    del written["window"]
    assert Entry.decode(orjson.dumps(written)) == entry


def test_payees_windows_do_not_meet():
    state = a_tree(money=1_000_000)
    paid(state)
    decided(state, a_place(an_order(2, payee="water")))
    decided(state, a_settle("kiosk-1.2"))
    assert position(decided(state, window_due("mobile")), "payee:mobile").settled == 93_100
    assert balances(state)["payee:water"] == 93_100
