"""The fold: what it refuses to believe, what it keeps, and what it tells the world."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import get_args

import pytest

from schemas.entry import FINAL, Entry, EntryKind, Leg
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from schemas.reply import ReplyState
from schemas.reversal import Posted
from streams.ledger.balances import balance_of, touched_agents
from streams.ledger.decide import Duplicate, decide
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import MAY_FOLLOW, evolve
from streams.ledger.payments import Payments, PaymentState
from streams.ledger.replies import replies_to, reply_again, reply_to
from streams.ledger.state import State
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_resolve,
    a_send,
    a_settle,
    a_state,
    a_tree,
    decided,
    folded,
    open_agent,
    set_limit,
    set_payee,
)
from tests.sink_builders import facts


def a_log() -> list[Entry]:
    """A tree, its money, a posted payment and a held one."""
    state = State(0)
    commands = (open_agent(), open_agent("S", "A"), a_deposit("S", 300_000), a_place(), a_settle(), a_place(number=2))
    return [decided(state, command) for command in commands]


DEPOSITED, HELD, POSTED = 2, 3, 4  # positions in a_log


def with_leg(entry: Entry, position: int, **changes) -> Entry:
    legs = list(entry.legs)
    legs[position] = replace(legs[position], **changes)
    return replace(entry, legs=tuple(legs))


def with_facts(entry: Entry, **changes) -> Entry:
    assert entry.payment is not None
    return replace(entry, payment=replace(entry.payment, **changes))


@pytest.mark.parametrize(
    ("position", "damage", "words"),
    [
        (HELD, lambda entry: replace(entry, seq=entry.seq + 1), "entry 5 follows entry 3"),
        (HELD, lambda entry: replace(entry, seq=entry.seq - 1), "entry 3 follows entry 3"),
        (HELD, lambda entry: with_leg(entry, 0, seq=3), "does not continue"),
        (HELD, lambda entry: with_leg(entry, 0, balance=0), "does not continue"),
        (HELD, lambda entry: with_leg(entry, 1, amount=1, balance=1), "do not sum to zero"),
        (HELD, lambda entry: with_leg(entry, 1, currency="USD"), "do not sum to zero"),
        (HELD, lambda entry: replace(entry, legs=entry.legs[:1]), "do not sum to zero"),
        (POSTED, lambda entry: replace(entry, legs=(entry.legs[1], entry.legs[0], *entry.legs[2:-1])), "sum to zero"),
        (HELD, lambda entry: with_facts(entry, txn=1_000_000_000_000_002), "the next is 1000000000000001"),
        (HELD, lambda entry: replace(entry, kind=EntryKind.UNKNOWN), "is not known, not UNKNOWN"),
        (POSTED, lambda entry: replace(entry, kind=EntryKind.HELD), "is HELD, not HELD"),
        (POSTED, lambda entry: with_facts(entry, id="kiosk-1.7"), "is not known, not POSTED"),
    ],
)
def test_a_damaged_entry_stops_the_fold(position, damage, words):
    log = a_log()
    state = folded(log[:position])
    with pytest.raises(LedgerCorrupt, match=words):
        evolve(state, damage(log[position]))


@pytest.mark.parametrize("missing", range(5))
def test_a_missing_entry_stops_the_fold(missing):
    log = a_log()
    with pytest.raises(LedgerCorrupt):
        folded([*log[:missing], *log[missing + 1 :]])


@pytest.mark.parametrize("doubled", range(6))
def test_a_doubled_entry_stops_the_fold(doubled):
    log = a_log()
    with pytest.raises(LedgerCorrupt):
        folded([*log[: doubled + 1], log[doubled]])


def test_an_entry_of_another_partition_stops_the_fold():
    with pytest.raises(LedgerCorrupt, match="the next is 2000000000000001"):
        folded(a_log(), partition=1)


def test_what_was_decided_before_stops_the_fold_when_it_is_decided_again():
    log = a_log()
    deposited = log[DEPOSITED]
    assert deposited.legs
    again = tuple(
        Leg(leg.account, leg.currency, leg.amount, leg.seq + 1, leg.balance + leg.amount) for leg in deposited.legs
    )
    with pytest.raises(LedgerCorrupt, match="decided before"):
        folded([*log[: DEPOSITED + 1], replace(deposited, seq=4, legs=again)])


@pytest.mark.parametrize(
    ("kind", "agent"), [(EntryKind.AGENT_OPENED, "S"), (EntryKind.LIMIT_SET, "X"), (EntryKind.AGENT_OPENED, "below")]
)
def test_terms_that_do_not_fit_the_tree_stop_the_fold(kind, agent):
    log = a_log()
    entry = log[1]
    assert entry.agent is not None
    terms = replace(entry.agent, agent=agent, parent="nobody" if agent == "below" else "A")
    with pytest.raises(LedgerCorrupt):
        folded([*log, replace(entry, seq=len(log) + 1, kind=kind, agent=terms, cause=replace(entry.cause, id="x"))])


def test_a_payment_cannot_change_in_another_book():
    log = a_log()
    state = folded(log)
    evolve(state, replace(decided(a_state(), open_agent("B", tree="B")), book="B"))
    stray = replace(log[POSTED], book="B", seq=2, legs=(), payment=log[-1].payment)
    with pytest.raises(LedgerCorrupt, match="is in book A"):
        evolve(state, stray)


def test_folding_changes_the_state_in_place():
    state = State(0)
    assert evolve(state, a_log()[0]) is state


# --- payments in memory


@pytest.mark.parametrize("kind", sorted(FINAL))
@pytest.mark.parametrize("reason", ["", "Абонент не найден"])
def test_a_final_payment_is_kept_packed_and_comes_back_whole(kind, reason):
    payments = Payments()
    was = PaymentState("k.1", "A", bytes(range(16)), kind, 257 * 10**15 - 1, AT, 300, reason, 100)
    if kind == "POSTED":  # and may be reversed
        was.facts, was.posted = facts(id="k.1", terminal="k", txn=was.txn), Posted(AT - 1, reason)
    payments.put(was)
    assert payments["k.1"] == payments.find("k.1") == was
    assert payments["k.1"].is_final
    assert (len(payments), list(payments), "k.1" in payments, payments.open) == (1, ["k.1"], True, {})


def test_a_payment_is_open_until_it_is_final():
    payments = Payments()
    payment = PaymentState("k.1", "A", bytes(16), EntryKind.HELD, 1, AT)
    payments.put(payment)
    assert (payments["k.1"], len(payments), list(payments)) == (payment, 1, ["k.1"])
    payment.state = EntryKind.VOIDED
    payments.put(payment)
    assert (list(payments.open), len(payments)) == ([], 1)
    assert payments.find("k.2") is None
    with pytest.raises(KeyError):
        payments["k.2"]


def test_a_state_survives_pickling():
    """Snapshots may be taken of it; what is one account stays one account."""
    log = a_log()
    copy = pickle.loads(pickle.dumps(folded(log[:-1])))
    assert evolve(copy, log[-1]) == folded(log)
    assert copy.books["A"].agents["S"].money is copy.books["A"].accounts["agent:S", "RUB"]


# --- what the world is told


def test_a_payment_is_answered_by_its_state():
    state = a_tree()
    reply = reply_to(decided(state, a_place()))
    assert reply is not None
    assert (reply.id, reply.state, reply.code, reply.final, reply.retryable, reply.again, reply.at) == (
        ("kiosk-1.1", "HELD", 0, False, False, False, ms_instant(AT))
    )  # fmt: skip
    assert reply.txn == 1_000_000_000_000_001
    reply = reply_to(decided(state, a_settle(verdict=Verdict.FATAL, code="5"), AT + 5))
    assert reply is not None
    assert (reply.state, reply.code, reply.final) == ("VOIDED", 5, True)
    assert reply.reason == Refusal.SUBSCRIBER_NOT_FOUND.sentence


def test_a_refusal_says_whether_a_repeat_can_help():
    reply = reply_to(decided(a_tree(money=0), a_place()))
    assert reply is not None
    assert (reply.state, reply.code, reply.retryable, reply.txn) == ("DECLINED", 220, True, 0)


def test_what_is_deferred_is_no_news():
    state = a_tree()
    decided(state, a_place())
    entry = decided(state, a_settle(verdict=Verdict.NOT_SENT))
    assert (entry.kind, reply_to(entry), replies_to(entry)) == (EntryKind.DEFERRED, None, [])


def test_what_is_sent_is_no_news_and_who_asks_meanwhile_hears_that_it_is_held():
    state = a_tree()
    decided(state, a_place())
    entry = decided(state, a_send(), AT + 7)
    assert (entry.kind, reply_to(entry), replies_to(entry)) == (EntryKind.SENT, None, [])
    again = decide(state, a_place(), AT + 99)
    assert isinstance(again, Duplicate)
    reply = reply_again(again)
    assert (reply.state, reply.at, reply.again) == ("HELD", ms_instant(AT + 7), True)


@pytest.mark.parametrize(("amount", "state", "code"), [(5, "DONE", 0), (6, "REFUSED", 300)])
def test_a_command_is_answered_done_or_refused(amount, state, code):
    ledger = a_tree()
    command = a_deposit("S" if amount == 5 else "nobody", amount, id="d")
    entry = decided(ledger, command)
    (told,) = replies_to(entry)
    assert told[0] == "chief"
    assert (told[1].state, told[1].code, told[1].final) == (state, code, True)
    assert bool(told[1].reason) == (state == "REFUSED")
    again = decide(ledger, command, AT + 9)
    assert isinstance(again, Duplicate)
    assert reply_again(again) == told[1].model_copy(update={"again": True})


def test_a_payment_resolved_by_hand_is_news_to_the_terminal_and_to_the_operator():
    state = a_tree()
    for command in (a_place(), a_settle(verdict=Verdict.UNCLEAR), a_settle(verdict=Verdict.FATAL)):
        decided(state, command)
    told = replies_to(decided(state, a_resolve(paid=False)))
    assert [(who, reply.id, reply.state) for who, reply in told] == [
        ("kiosk-1", "kiosk-1.1", "VOIDED"),
        ("chief", "resolve-kiosk-1.1", "DONE"),
    ]


@pytest.mark.parametrize(
    "steps",
    [[], [Verdict.UNCLEAR], [Verdict.UNCLEAR, Verdict.FATAL], [Verdict.PAID], [Verdict.FATAL]],
    ids=["HELD", "UNKNOWN", "MANUAL", "POSTED", "VOIDED"],
)
def test_a_duplicate_hears_the_same_again(steps):
    state = a_tree()
    entry = decided(state, a_place())
    for verdict in steps:
        entry = decided(state, a_settle(verdict=verdict, code="79"), AT + 7)
    again = decide(state, a_place(), AT + 99)
    assert isinstance(again, Duplicate)
    reply = reply_to(entry)
    assert reply is not None
    assert reply_again(again) == reply.model_copy(update={"again": True})


def test_every_state_of_a_payment_can_be_told():
    states = set[str]().union(*MAY_FOLLOW.values()) - {EntryKind.DEFERRED, EntryKind.REROUTED, EntryKind.SENT}
    assert states <= set(get_args(ReplyState))


def touched(state: State, entry: Entry) -> set[str]:
    return {agent for agent, _ in touched_agents(state.books[entry.book], entry)}


def test_balances_follow_money_holds_and_limits():
    state = a_tree(money=100_000, overdraft=5)
    held = decided(state, a_place())
    assert touched(state, held) == {"S"}
    balance = balance_of(state.books["A"], "S", held.at)
    assert (balance.tree, balance.agent, balance.parent, balance.name, balance.currency, balance.funding) == (
        ("A", "S", "A", "Agent S", "RUB", "own")
    )  # fmt: skip
    assert (balance.balance, balance.held, balance.overdraft, balance.available) == (4_050, 95_950, 5, 4_055)
    assert (balance.seq, balance.at) == (held.seq, ms_instant(AT))
    assert touched(state, decided(state, a_settle())) == {"S", "A"}
    assert touched(state, decided(state, set_limit("A", 7))) == {"A"}
    assert touched(state, decided(state, open_agent("T", "A"))) == {"T"}
    assert touched(state, decided(state, set_payee())) == set()
    with pytest.raises(KeyError):
        balance_of(state.books["A"], "nobody", AT)


def test_a_hold_that_ends_without_a_reward_still_changes_what_is_shown():
    state = a_tree()
    decided(state, a_place(fee=0, tariff=None))
    posted = decided(state, a_settle())
    assert touched(state, posted) == {"S"}
    assert balance_of(state.books["A"], "S", posted.at).held == 0
