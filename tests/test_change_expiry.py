"""Change that nobody touched for years is unclaimed, and is still given to whoever comes for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from pydantic import TypeAdapter

from agents.change_clock import ChangeClock
from schemas.change import ChangeNote
from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from streams.arrival import Ask
from streams.clock import Clock
from streams.ledger import change_expiry
from streams.ledger.commands import ChangeDue
from streams.ledger.decide import decide
from streams.ledger.decisions import Stale
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import StateImage, image_of, state_of
from streams.ledger.replies import replies_to
from streams.ledger.state import State
from streams.settings import Settings
from tests.audit_ledgers import failed, rechained, with_leg
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_settle,
    a_tree,
    balances,
    block,
    close,
    decided,
    folded,
    legs,
    open_agent,
)
from tests.builders_change import (
    CHANGE,
    CODE,
    LEFT,
    OTHER_CHANGE,
    OTHER_CODE,
    a_reclaim,
    example_3,
    spending,
    with_change,
)
from tests.clocks import a_worker, ahead, at_work, on_ledger, one_partition
from tests.network import until

DAY = 86_400_000
DAYS = 1_096
LONG = AT + DAYS * DAY
DUE = ChangeDue("A", DAYS)


def expired_change() -> State:
    state = with_change()
    decided(state, DUE, LONG)
    return state


def test_change_that_nobody_touched_for_so_long_is_unclaimed():
    state = with_change()
    entry = decided(state, DUE, LONG)
    assert (entry.kind, entry.change) == (EntryKind.CHANGE_EXPIRED, ChangeNote(days=DAYS))
    assert legs(entry) == [(CHANGE, -17_750), ("unclaimed", 17_750)]
    assert (entry.cause.by, replies_to(entry)) == ("timer", [])


def test_it_expires_not_a_millisecond_early_and_once_however_often_the_timer_fires():
    state = with_change()
    assert isinstance(decide(state, DUE, LONG - 1), Stale)
    decided(state, DUE, LONG)
    assert isinstance(decide(state, DUE, LONG), Stale)
    assert isinstance(decide(state, ChangeDue("nobody", DAYS), LONG), Stale)


@pytest.mark.parametrize("touch", [
    spending((CODE, 1_500), amount=500), a_pay_out(CODE, "S", 1), example_3(number=2),
])  # fmt: skip
def test_whoever_touches_it_keeps_it_for_as_long_again(touch):
    state = with_change(money=200_000)
    decided(state, touch, AT + DAY)
    assert isinstance(decide(state, DUE, LONG), Stale)
    assert decided(state, DUE, LONG + DAY).kind is EntryKind.CHANGE_EXPIRED


def test_what_a_void_gives_back_has_its_days_from_then_on():
    state = with_change()
    decided(state, spending(), AT + DAY)
    assert isinstance(decide(state, DUE, LONG + DAY), Stale)  # it is held for a payment, and not there to expire
    decided(state, a_settle("kiosk-1.9", Verdict.FATAL, "check", code="5"), AT + 2 * DAY)
    assert isinstance(decide(state, DUE, LONG + DAY), Stale)
    assert decided(state, DUE, LONG + 2 * DAY).kind is EntryKind.CHANGE_EXPIRED


def test_a_clock_that_steps_back_lets_nothing_expire_early():
    state = with_change(money=200_000)
    decided(state, example_3(number=2, code=OTHER_CODE), AT - DAY)
    assert isinstance(decide(state, DUE, LONG - 1), Stale)
    assert [account for account, _ in legs(decided(state, DUE, LONG))] == [CHANGE, OTHER_CHANGE, "unclaimed"]


def test_an_entry_takes_so_many_accounts_and_no_more(monkeypatch):
    monkeypatch.setattr(change_expiry, "EXPIRED_MAX", 2)
    state = a_tree(money=500_000)
    for number in range(1, 4):
        decided(state, example_3(number=number, code=f"{number:032x}"), AT + number)
    assert len(decided(state, DUE, LONG + 10).legs) == 3
    assert len(decided(state, DUE, LONG + 10).legs) == 2
    assert isinstance(decide(state, DUE, LONG + 10), Stale)
    assert balances(state)["unclaimed"] == 3 * LEFT


def test_expired_change_is_not_spent_and_not_handed_out():
    state = expired_change()
    for command, asked in ((spending(), LEFT), (a_pay_out(CODE, "S", 1), 1)):
        assert decided(state, command).reason.endswith(f"0 minor units of change are left, not {asked}")


def test_who_comes_for_expired_change_gets_it_through_the_code_it_was_kept_under():
    state = expired_change()
    entry = decided(state, a_reclaim(amount=10_000))
    assert (entry.kind, entry.document) == (EntryKind.CHANGE_RECLAIMED, "Receipt 12")
    assert legs(entry) == [("unclaimed", -10_000), (CHANGE, 10_000), (CHANGE, -10_000), ("agent:S", 10_000)]
    assert balances(state)["unclaimed"] == 7_750
    assert CODE not in entry.encode().decode()


def test_change_without_a_code_is_reclaimed_by_its_payment():
    state = a_tree()
    decided(state, example_3(payee=None, change_to=None, collected=32_250))
    decided(state, DUE, LONG)
    entry = decided(state, a_reclaim("", amount=32_250, payment="kiosk-1.1"))
    assert legs(entry)[1] == ("change:payment:kiosk-1.1", 32_250)


@pytest.mark.parametrize(("command", "why"), [
    (a_reclaim(amount=17_751), "17750 minor units of this change have expired, not 17751"),
    (a_reclaim(OTHER_CODE), "no change in RUB under this has expired in tree A"),
    (a_reclaim(currency="USD"), "no change in USD under this has expired"),
    (a_reclaim(agent="nobody"), "there is no agent nobody"),
    (a_reclaim("", payment="kiosk-1.1"), "no change in RUB under this has expired"),
])  # fmt: skip
def test_change_is_not_reclaimed(command, why):
    entry = decided(expired_change(), command)
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, 300)
    assert why in entry.reason


def test_never_more_is_reclaimed_than_has_expired_under_that_code():
    """There is more on `unclaimed`, but it is another payer's."""
    state = with_change(money=200_000)
    decided(state, example_3(number=2, code=OTHER_CODE))
    decided(state, DUE, LONG)
    assert decided(state, a_reclaim(amount=17_000)).kind is EntryKind.CHANGE_RECLAIMED
    again = decided(state, a_reclaim(amount=751, id="reclaim-2"))
    assert again.reason == "750 minor units of this change have expired, not 751"


def test_a_blocked_agent_gives_it_and_a_closed_one_does_not():
    state = with_change()
    decided(state, open_agent("T", "A"))
    decided(state, close("T"))
    decided(state, DUE, LONG)
    decided(state, block("S"))
    assert decided(state, a_reclaim(amount=1)).kind is EntryKind.CHANGE_RECLAIMED
    assert decided(state, a_reclaim(agent="T", id="reclaim-2")).reason == "agent T is closed"


def test_an_image_has_when_change_was_touched_and_what_has_expired():
    state = with_change(money=200_000)
    decided(state, DUE, LONG)
    decided(state, example_3(number=2, code=OTHER_CODE), LONG + 7)
    images: TypeAdapter[StateImage] = TypeAdapter(StateImage)
    again = state_of(images.validate_json(orjson.dumps(image_of(state))))
    assert again.books["A"].change == state.books["A"].change
    assert again.books["A"].change.touched == {(OTHER_CHANGE, "RUB"): LONG + 7}
    assert again.books["A"].change.expired == {(CHANGE, "RUB"): LEFT}


def _a_ledger() -> list[Entry]:
    state, entries = State(0), list[Entry]()
    steps = [
        (open_agent("A"), AT), (a_deposit("A", 200_000), AT), (example_3(agent="A"), AT), (a_settle(), AT),
        (a_pay_out(CODE, "A", 750), AT + DAY), (DUE, LONG + DAY), (a_reclaim(agent="A", amount=7_000), LONG + 2 * DAY),
        (a_reclaim(agent="A", amount=10_000, id="reclaim-2"), LONG + 2 * DAY),
    ]  # fmt: skip
    for command, at in steps:
        entries.append(decided(state, command, at))
    return entries


def test_the_audit_passes_all_of_it():
    assert failed(_a_ledger()) == set()


def test_the_audit_finds_change_that_expired_early_or_by_somebody():
    for changes in ({"at": LONG}, {"change": ChangeNote(days=DAYS + 1)}, {"change": None}):
        entries = _a_ledger()
        entries[5] = replace(entries[5], **changes)
        assert "ledger.change" in failed(entries), changes
    entries = _a_ledger()
    entries[5] = replace(entries[5], cause=replace(entries[5].cause, by="chief:1", digest="00" * 16))
    assert "ledger.change" in failed(entries)


def test_the_audit_finds_a_reclaim_of_what_had_not_expired():
    entries = _a_ledger()
    assert "ledger.change" in failed(rechained([*entries, _once_more(entries[6])]))
    entries[7] = with_leg(with_leg(entries[7], 1, account=OTHER_CHANGE), 2, account=OTHER_CHANGE)
    assert "ledger.change" in failed(rechained(entries))


def test_the_audit_finds_money_that_went_elsewhere():
    entries = _a_ledger()
    entries[5] = with_leg(entries[5], 1, account="agent:A")
    assert "ledger.movements" in failed(rechained(entries))


def test_the_fold_refuses_a_reclaim_of_more_than_has_expired():
    entries = _a_ledger()
    too_much = rechained([*entries, _once_more(entries[6])])
    with pytest.raises(LedgerCorrupt, match="more reclaimed than had expired"):
        evolve(folded(too_much[:-1]), too_much[-1])


def _once_more(entry: Entry) -> Entry:
    """The same under another command's id."""
    return replace(entry, cause=replace(entry.cause, id="x"))


# --- the clock, on a real shard


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with one_partition(tmp_path) as made:
        yield made


@pytest.mark.integration
async def test_two_clocks_let_change_expire_once_and_a_later_worker_finds_it_so(settings: Settings) -> None:
    at, later = Clock().now_ms(), ahead(settings, 2 * DAY)
    shards = a_worker(settings)
    steps = (open_agent("A"), open_agent("S", "A"), a_deposit("S", 500_000), example_3(), a_settle())
    await shards.decide(0, [Ask(step, at) for step in steps])
    early = ChangeClock(shards, Clock(), 1)
    assert await early.look(0) == 0
    async with at_work(ChangeClock(shards, later, 1), ChangeClock(shards, later, 1)):
        await asyncio.to_thread(until, "change has expired", lambda: _expired(settings))
    successor = a_worker(settings)
    await successor.open(0)
    assert await ChangeClock(successor, later, 1).look(0) == 0
    (entry,) = _expired(settings)
    assert legs(entry) == [(CHANGE, -LEFT), ("unclaimed", LEFT)]


def _expired(settings: Settings) -> list[Entry]:
    return [entry for entry in on_ledger(settings) if entry.kind is EntryKind.CHANGE_EXPIRED]
