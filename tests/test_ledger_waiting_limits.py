"""What waited for funds is looked at again when they come: standing, limits, and who may give money away meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.entry import Entry, EntryKind
from schemas.outcome import Verdict
from schemas.tariff import Fee
from sinks.columns import PAYMENT_STATES
from sinks.rows import Place as RowPlace
from sinks.rows import payment_rows
from streams.ledger.commands import Instruct, LedgerCommand, Rouse
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.state import State
from streams.ledger.waiting import ready
from tests.audit_ledgers import audited, failed, find, rechained
from tests.builders import (
    AT,
    a_deposit,
    a_pay_out,
    a_place,
    a_rate,
    a_settle,
    a_tariff,
    a_transfer,
    a_tree,
    a_withdrawal,
    balances,
    block,
    close,
    decided,
    folded,
    legs,
    move,
    open_agent,
    performed,
    set_limit,
    unblock,
)

DAY_MS = 86_400_000
CODE = "c" * 32


def late(number: int = 1, amount: int = 1_000, **changes) -> LedgerCommand:
    """An order whose cash was taken, without tariff unless one is given: it needs its amount."""
    return a_place(number=number, amount=amount, fee=0, tariff=None, collected=amount, **changes)


def capped(agent: str = "S", **caps) -> Instruct:
    return set_limit(agent, None, id=f"cap-{agent}", **caps)


def ends(entries: list[Entry]) -> list[tuple[str, int]]:
    return [(entry.kind.value, entry.refusal) for entry in entries]


def refused(state: State, command: LedgerCommand) -> str:
    (entry,) = performed(state, command)
    assert entry.kind is EntryKind.REFUSED
    return entry.reason


# --- refusals that money does not cure


@pytest.mark.parametrize(("limit", "refusal"), [
    (capped(payment_max=999), 252), (capped(daily_max=999), 16), (capped("A", monthly_max=999), 16),
    (capped(payees=("other",)), 155), (block("S"), 133), (block("A"), 133),
])  # fmt: skip
def test_cash_of_what_is_beyond_a_limit_is_the_payers_at_once_and_nothing_waits(limit, refusal):
    state = a_tree(money=5_000)
    decided(state, limit)
    entry = decided(state, late())
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, refusal)
    assert legs(entry) == [("agent:S", -1_000), ("change:payment:kiosk-1.1", 1_000)]
    assert (entry.payment.day, entry.payment.chain, entry.payment.held) == ("", (), 0)
    assert not state.waiting


@pytest.mark.parametrize(("limit", "refusal"), [
    (capped(payment_max=999), 252), (capped(daily_max=999), 16), (capped("A", monthly_max=999), 16),
    (capped(payees=("other",)), 155), (block("S"), 133), (block("A"), 133),
])  # fmt: skip
def test_limits_and_standing_are_looked_at_again_when_the_money_comes(limit, refusal):
    """Never held beyond a limit: the cash is the payer's change."""
    state = a_tree(money=0)
    entries = performed(state, late()) + performed(state, limit)
    assert ends(entries) == [("WAITING_FUNDS", 220), (entries[1].kind.value, 0)]
    _, end = performed(state, a_deposit("S", 1_000, id="more"))
    assert (end.kind, end.refusal, end.cause.by) == (EntryKind.DECLINED, refusal, "funds")
    assert end.reason
    assert legs(end) == [("agent:S", -1_000), ("change:payment:kiosk-1.1", 1_000)]
    assert balances(state) == {"bank": -1_000, "change:payment:kiosk-1.1": 1_000}


def test_of_two_that_wait_a_daily_maximum_lets_one_be_held_and_the_other_is_declined():
    state = a_tree(money=0)
    decided(state, capped(daily_max=1_500))
    assert ends([decided(state, late(1)), decided(state, late(2))]) == [("WAITING_FUNDS", 220)] * 2
    assert ends(performed(state, a_deposit("S", 2_000, id="1"))) == [("DEPOSITED", 0), ("HELD", 0), ("DECLINED", 16)]


def test_payers_who_share_a_limit_above_take_turns_by_their_ids():
    state = a_tree(money=0)
    decided(state, open_agent("R", "A"))
    decided(state, capped("A", daily_max=1_500))
    decided(state, late(1, agent="S"))
    decided(state, late(2, agent="R"))
    decided(state, a_deposit("R", 5_000, id="1"))
    decided(state, a_deposit("S", 5_000, id="2"))
    payers = [(entry.payment.payer_agent, entry.kind.value) for entry in performed(state, Rouse("A"))]
    assert payers == [("R", "HELD"), ("S", "DECLINED")]


# --- what is fixed at the hold


def test_what_is_held_later_counts_for_that_day_and_its_price_is_the_receipts():
    state = a_tree(money=0)
    order = a_place(collected=100_000)
    (waits,) = performed(state, order)
    _, hold = performed(state, a_deposit("S", 95_950, id="more"), AT + 3 * DAY_MS)
    first, then = waits.payment, hold.payment
    assert (first.day, first.chain, first.txn, first.held_at) == ("", (), 0, 0)
    assert (then.day, then.chain, then.held_at) == ("2026-01-04", ("S", "A"), AT + 3 * DAY_MS)
    assert replace(then, day="", chain=(), txn=0, held_at=0) == first
    assert (then.tariff_version, then.tariff_rule, then.processing) == (first.tariff_version, "", 950)
    agents = state.books["A"].agents
    assert [(agents[name].day, agents[name].sold_day) for name in ("A", "S")] == [("2026-01-04", 95_000)] * 2


def test_the_limit_of_yesterday_is_not_in_the_way_of_what_is_held_today():
    """The fee is more than the processing, so to give the cash back takes more than to hold: until then it waits."""
    state = a_tree(money=0)
    tariff = a_tariff(fee=Fee(rate_bps=500, base="collected"), processing=a_rate(0))
    decided(state, capped(daily_max=95_000))
    decided(state, a_place(number=1, collected=100_000, tariff=tariff))
    decided(state, a_place(number=2, collected=100_000, tariff=tariff))
    assert ends(performed(state, a_deposit("S", 190_000, id="1"))) == [("DEPOSITED", 0), ("HELD", 0)]
    assert not ready(state, AT)
    assert ready(state, AT + DAY_MS) == ["A"]
    assert ends(performed(state, Rouse("A"), AT + DAY_MS)) == [("HELD", 0)]


@pytest.mark.parametrize("fact", [{"amount": 999}, {"processing": 1}, {"tariff_rule": "night"}, {"payer_agent": "A"}])
def test_no_other_fact_changes_at_the_hold_and_fold_and_audit_both_say_so(fact):
    state = State(0)
    commands = open_agent("A"), open_agent("S", "A"), late(), a_deposit("S", 1_000)
    entries = [entry for command in commands for entry in performed(state, command)]
    assert not failed(entries)
    place = find(entries, "kiosk-1.1", EntryKind.HELD)
    entries[place] = replace(entries[place], payment=replace(entries[place].payment, **fact))
    with pytest.raises(LedgerCorrupt, match=r"facts of payment kiosk-1\.1 changed"):
        folded(entries)
    assert "payments.facts" in failed(entries)


def test_the_warehouse_shows_no_time_of_a_hold_for_what_was_declined_in_the_end():
    state = a_tree(money=0)
    performed(state, late())
    performed(state, block("S"))
    _, end = performed(state, a_deposit("S", 1_000, id="more"))
    (row,) = payment_rows(RowPlace(0, 7, AT), end)
    shown = dict(zip(PAYMENT_STATES.names, row, strict=True))
    assert (shown["state"], shown["held_at"], shown["day"], shown["refusal"]) == ("DECLINED", 0, "", 133)


# --- how money comes


def _reward(state: State) -> list[Entry]:
    """S's share of a payment that A's money pays."""
    performed(state, open_agent("T", "S"))
    performed(state, a_deposit("T", 100_000, id="for-T"))
    tariff = a_tariff(reward=a_rate(100), reward_shares_bps=(0, 10_000))
    performed(state, a_place(number=9, agent="T", amount=1_000, fee=0, tariff=tariff.model_copy(update={"fee": Fee()})))
    return performed(state, a_settle("kiosk-1.9"))


WAYS: dict[str, Callable[[State], list[Entry]]] = {
    "transfer": lambda state: performed(state, a_transfer("A", "S", 1_000)),
    "overdraft": lambda state: performed(state, set_limit("S", 1_000)),
    "change paid out": lambda state: performed(state, a_pay_out("", "S", 1_000, payment="kiosk-1.8")),
    "reward": _reward,
}


@pytest.mark.parametrize("way", list(WAYS))
def test_money_comes_by_more_ways_than_a_deposit(way):
    state = a_tree(money=1_000, root_money=5_000)
    decided(state, capped(payment_max=1_000))
    decided(state, late(8, 1_001)) if way == "change paid out" else None
    if way == "change paid out":
        decided(state, a_deposit("S", 1, id="one"))
        assert ends(performed(state, Rouse("A"))) == [("DECLINED", 252)]
    else:
        decided(state, a_withdrawal("S", 1_000))
    decided(state, late())
    *_, hold = WAYS[way](state)
    assert (hold.kind, hold.payment.id, hold.cause.by) == (EntryKind.HELD, "kiosk-1.1", "funds")


def test_a_void_makes_room_in_a_limit_above_for_another_payers_payment():
    """R is short of the cash to give back, and A's day is full; R's is held when S's payment is voided."""
    state = a_tree(money=1_000)
    decided(state, open_agent("R", "A"))
    decided(state, capped("A", daily_max=95_000))
    waits = a_place(number=2, agent="R", collected=100_000, tariff=a_tariff(processing=a_rate(0)))
    assert ends(performed(state, waits) + performed(state, late(1))) == [("WAITING_FUNDS", 220), ("HELD", 0)]
    assert ends(performed(state, a_deposit("R", 95_000, id="1"))) == [("DEPOSITED", 0)]
    void = performed(state, a_settle("kiosk-1.1", Verdict.FATAL, "check", code="5"))
    assert ends(void) == [("VOIDED", 5), ("HELD", 0)]


# --- who waits comes first


def test_an_agent_gives_no_money_away_while_payments_wait_for_it():
    state = a_tree(money=900, root_money=500)
    decided(state, late())
    why = "1 payments whose cash is taken wait for the money of S first"
    assert refused(state, a_withdrawal("S", 1)) == why
    assert refused(state, a_transfer("S", "A", 1)) == why
    assert ends(performed(state, a_transfer("A", "S", 100))) == [("TRANSFERRED", 0), ("HELD", 0)]


def test_the_audit_finds_money_that_went_away_although_a_payment_waited_for_it():
    state = State(0)
    commands = open_agent("A"), a_deposit("A", 900), a_withdrawal("A", 100), late(agent="A")
    entries = [entry for command in commands for entry in performed(state, command)]
    assert not failed(entries)
    entries[2:] = entries[:1:-1]
    checks = audited(rechained(entries))
    assert checks["payments.waiting"].failures == [
        "partition 0 offset 3: book A entry 4 (WITHDRAWN): 100 left agent:A, for which kiosk-1.1 waited"
    ]


def test_an_agent_does_not_move_while_a_payment_sold_below_it_waits():
    state = a_tree(money=0)
    decided(state, open_agent("T", "S", funding="shared"))
    decided(state, open_agent("R", "A"))
    decided(state, late(agent="T"))
    why = "1 payments sold by {} or below it wait for funds; they must be held or declined before"
    assert refused(state, move("T", "R")) == why.format("T")
    assert refused(state, move("S", "R", id="move-2")) == why.format("S")
    assert ends(performed(state, move("R", "S", id="move-3"))) == [("AGENT_MOVED", 0)]
    performed(state, a_deposit("S", 1_000, id="more"))
    assert ends(performed(state, move("T", "R", id="move-4"))) == [("AGENT_MOVED", 0)]


def test_nobody_is_closed_with_payments_waiting_nor_a_root_while_the_tree_keeps_change():
    state = a_tree(money=0)
    decided(state, late())
    assert refused(state, close("S")) == "agent S has 1 open payments, or a share in them; they must end before"
    performed(state, block("S"))
    performed(state, a_deposit("S", 1_000, id="more"))
    assert ends(performed(state, close("S", id="close-2"))) == [("AGENT_CLOSED", 0)]
    why = "tree A keeps 10.00 RUB of payers' change, which nobody could hand out any more"
    assert refused(state, close("A")) == why
    assert refused(state, a_pay_out("", "S", 1_000, payment="kiosk-1.1")) == "agent S is closed"


def test_a_blocked_agent_hands_out_change_which_is_the_payers():
    state = a_tree(money=1_000)
    decided(state, block("S"))
    decided(state, late())
    entry = decided(state, a_pay_out("", "S", 1_000, payment="kiosk-1.1"))
    assert (entry.kind, balances(state)["agent:S"]) == (EntryKind.CHANGE_PAID_OUT, 1_000)
    assert decided(state, unblock("S")).kind is EntryKind.AGENT_UNBLOCKED
