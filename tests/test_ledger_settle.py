"""What a gateway's answer means: every state × verdict × step × sent_before, budgets and schedules."""

from __future__ import annotations

from itertools import product

import pytest

from schemas.entry import EntryKind
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from streams.ledger.decide import Stale, decide
from streams.ledger.settle import refusal_of
from streams.ledger.state import State
from tests.builders import AT, a_place, a_resolve, a_retry, a_send, a_settle, a_tree, balances, decided, legs

PAID, CANCELLED, CHECKED, FATAL, ABSENT, UNCLEAR, NOT_SENT = Verdict

# (verdict, step): what follows when nothing was sent before | when something may have been sent.
ANSWERS = {
    (PAID, "pay"): ("POSTED", "POSTED"),
    (PAID, "check"): ("MANUAL", "POSTED"),
    (FATAL, "pay"): ("VOIDED", "MANUAL"),
    (FATAL, "check"): ("VOIDED", "MANUAL"),
    (UNCLEAR, "pay"): ("UNKNOWN", "UNKNOWN"),
    (UNCLEAR, "check"): ("DEFERRED", "UNKNOWN"),
    (CHECKED, "pay"): ("UNKNOWN", "UNKNOWN"),
    (CHECKED, "check"): ("DEFERRED", "UNKNOWN"),
    (CANCELLED, "pay"): ("UNKNOWN", "UNKNOWN"),
    (CANCELLED, "check"): ("DEFERRED", "UNKNOWN"),
    (NOT_SENT, "pay"): ("DEFERRED", "UNKNOWN"),
    (NOT_SENT, "check"): ("DEFERRED", "UNKNOWN"),
    (ABSENT, "pay"): ("UNKNOWN", "UNKNOWN"),
    (ABSENT, "check"): ("DEFERRED", "UNKNOWN"),
    (PAID, "status"): ("MANUAL", "POSTED"),
    (FATAL, "status"): ("VOIDED", "VOIDED"),
    **{(verdict, "status"): ("DEFERRED", "UNKNOWN") for verdict in (ABSENT, CANCELLED, CHECKED, NOT_SENT, UNCLEAR)},
}
# The same when the retry budget is spent with this answer.
LAST_ANSWERS = ANSWERS | {
    (UNCLEAR, "pay"): ("MANUAL", "MANUAL"),
    (UNCLEAR, "check"): ("VOIDED", "MANUAL"),
    (CHECKED, "pay"): ("MANUAL", "MANUAL"),
    (CHECKED, "check"): ("VOIDED", "MANUAL"),
    (CANCELLED, "pay"): ("MANUAL", "MANUAL"),
    (CANCELLED, "check"): ("VOIDED", "MANUAL"),
    (NOT_SENT, "pay"): ("VOIDED", "MANUAL"),
    (NOT_SENT, "check"): ("VOIDED", "MANUAL"),
    (ABSENT, "pay"): ("MANUAL", "MANUAL"),
    (ABSENT, "check"): ("VOIDED", "MANUAL"),
    **{(verdict, "status"): ("VOIDED", "MANUAL") for verdict in (ABSENT, CANCELLED, CHECKED, NOT_SENT, UNCLEAR)},
}
# How a payment gets into each state that waits for an answer.
WAITING = {
    "HELD": [],
    "HELD, deferred": [a_settle(verdict=NOT_SENT, step="check")],
    "SENT": [a_send()],
    "SENT, after a network error": [a_settle(verdict=NOT_SENT), a_send()],
    "UNKNOWN": [a_settle(verdict=UNCLEAR)],
    "UNKNOWN, not reached since": [a_settle(verdict=UNCLEAR), a_settle(verdict=NOT_SENT)],
}
WAITING_FOR_NONE = {
    "MANUAL": [a_settle(verdict=UNCLEAR), a_settle(verdict=FATAL)],
    "POSTED": [a_settle()],
    "VOIDED": [a_settle(verdict=FATAL)],
    "POSTED by hand": [a_settle(verdict=UNCLEAR), a_settle(verdict=FATAL), a_resolve()],
}
LEGS = {
    "POSTED": ["hold:S", "payee:mobile", "fee", "payee:mobile", "agent:S", "agent:A", "reward"],
    "VOIDED": ["hold:S", "agent:S"],
}


def a_payment_in(steps) -> State:
    state = a_tree()
    for command in (a_place(), *steps):
        decided(state, command)
    return state


def test_the_table_is_complete():
    assert set(ANSWERS) == set(product(Verdict, ("check", "pay", "status")))


@pytest.mark.parametrize("sent_before", [False, True])
@pytest.mark.parametrize("step", ["check", "pay", "status"])
@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("waiting", WAITING)
@pytest.mark.parametrize(("budget", "table"), [(9, ANSWERS), (1, LAST_ANSWERS)])
def test_every_answer_in_every_state(waiting, verdict, step, sent_before, budget, table):
    state = a_payment_in(WAITING[waiting])
    is_counted = waiting.startswith("SENT") and step == "pay"  # what is answered is the request that was SENT
    may_have_been_sent = sent_before or waiting.startswith("UNKNOWN") or (waiting.startswith("SENT") and step != "pay")
    was = state.payments["kiosk-1.1"]
    tries = max(was.tries - is_counted, int(sent_before))
    command = a_settle(verdict=verdict, step=step, code="5", sent_before=sent_before, retry=a_retry(budget=budget))

    entry = decided(state, command, AT + 1)

    kind = table[verdict, step][may_have_been_sent]
    assert entry.kind == kind
    assert [leg.account for leg in entry.legs] == LEGS.get(kind, [])
    assert (entry.due_at > AT + 1) == (kind in ("UNKNOWN", "DEFERRED"))
    left = step == "pay" and verdict is not NOT_SENT
    assert entry.tries == tries + left
    assert (entry.cause.id, entry.cause.digest, entry.cause.by) == ("kiosk-1.1", "", "dispatch")
    assert entry.outcome == command.outcome
    assert (entry.refusal != 0) == (kind == "VOIDED")
    assert (entry.reason != "") == (kind == "MANUAL" or (kind == "VOIDED" and verdict is not FATAL))
    now = state.payments["kiosk-1.1"]
    assert now.state == ("HELD" if kind == "DEFERRED" else kind)
    assert now.is_final == (kind in ("POSTED", "VOIDED"))
    assert (now.facts is None) == (kind == "VOIDED")  # what is posted may be reversed


@pytest.mark.parametrize("sent_before", [False, True])
@pytest.mark.parametrize("step", ["check", "pay", "status"])
@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("steps", WAITING_FOR_NONE.values(), ids=WAITING_FOR_NONE)
def test_an_answer_nobody_waits_for_is_stale(steps, verdict, step, sent_before):
    state = a_payment_in(steps)
    command = a_settle(verdict=verdict, step=step, sent_before=sent_before)
    if state.payments["kiosk-1.1"].state is EntryKind.MANUAL and step == "status" and verdict in (PAID, FATAL):
        return  # see below
    assert isinstance(decide(state, command, AT), Stale)


@pytest.mark.parametrize("sent_before", [False, True])
@pytest.mark.parametrize(("verdict", "kind", "refusal"), [(PAID, "POSTED", 0), (FATAL, "VOIDED", 300)])
@pytest.mark.parametrize("last", [a_settle(verdict=FATAL), a_settle(verdict=UNCLEAR, retry=a_retry(budget=1))])
def test_what_the_payee_says_of_the_payment_itself_ends_a_doubt(last, verdict, kind, refusal, sent_before):
    state = a_payment_in([a_settle(verdict=UNCLEAR), last])
    tries = state.payments["kiosk-1.1"].tries
    told = a_settle(verdict=verdict, step="status", code="statement", sent_before=sent_before)
    entry = decided(state, told)
    assert (entry.kind, entry.refusal, entry.tries) == (EntryKind(kind), refusal, tries)
    assert (entry.cause.by, entry.outcome) == ("dispatch", told.outcome)
    assert [leg.account for leg in entry.legs] == LEGS[kind]
    assert isinstance(decide(state, told, AT), Stale)


@pytest.mark.parametrize("verdict", [PAID, FATAL])
@pytest.mark.parametrize("sent_before", [False, True])
def test_a_number_that_is_not_ours_alone_stays_an_operators(verdict, sent_before):
    """Nothing was sent, and the payee said "paid": whatever it says of the number may be about another's payment."""
    state = a_payment_in([a_settle(verdict=PAID, step="check")])
    told = a_settle(verdict=verdict, step="status", sent_before=sent_before)
    assert isinstance(decide(state, told, AT), Stale)


def test_an_answer_about_a_payment_that_is_not_there_is_stale():
    state = a_tree(money=1)
    decided(state, a_place())  # declined
    for command in (a_settle(), a_settle("kiosk-1.2"), a_settle(book="B")):
        assert isinstance(decide(state, command, AT), Stale)
    decided(a_tree(), a_place())
    assert isinstance(decide(state, a_settle(book="B"), AT), Stale)


def test_unclear_answers_are_asked_about_on_the_gateways_schedule_until_the_budget_is_spent():
    state = a_payment_in([])
    command = a_settle(verdict=UNCLEAR, retry=a_retry(interval_ms=60_000, factor_pct=200, budget=4))
    course = [decided(state, command, AT) for _ in range(4)]
    assert [(entry.kind, entry.tries, entry.due_at - AT) for entry in course[:3]] == [
        (EntryKind.UNKNOWN, 1, 60_000),
        (EntryKind.UNKNOWN, 2, 120_000),
        (EntryKind.UNKNOWN, 3, 240_000),
    ]
    assert (course[3].kind, course[3].tries, course[3].due_at) == (EntryKind.MANUAL, 4, 0)


def test_network_errors_are_no_tries_and_count_in_a_row():
    retry = a_retry(interval_ms=100, factor_pct=200, budget=4)
    state = a_payment_in([])
    answers = [UNCLEAR, NOT_SENT, NOT_SENT, UNCLEAR, NOT_SENT, NOT_SENT, NOT_SENT, NOT_SENT]
    course = [decided(state, a_settle(verdict=answer, retry=retry), AT) for answer in answers]
    assert [(entry.tries, entry.deferrals, entry.due_at - AT) for entry in course[:-1]] == [
        (1, 0, 100),
        (1, 1, 100),
        (1, 2, 200),
        (2, 0, 200),
        (2, 1, 100),
        (2, 2, 200),
        (2, 3, 400),
    ]
    assert (course[-1].kind, course[-1].due_at) == (EntryKind.MANUAL, 0)


def test_a_network_error_before_a_pay_is_sent_counts_with_those_after_it():
    state, retry = a_payment_in([]), a_retry(interval_ms=100, factor_pct=200, budget=3)
    course = []
    for _ in range(3):
        sent = decided(state, a_send())
        course += [sent, decided(state, a_settle(verdict=NOT_SENT, retry=retry))]
    assert [(entry.kind, entry.tries, entry.deferrals) for entry in course] == [
        (EntryKind.SENT, 1, 0),
        (EntryKind.DEFERRED, 0, 1),
        (EntryKind.SENT, 1, 1),
        (EntryKind.DEFERRED, 0, 2),
        (EntryKind.SENT, 1, 2),
        (EntryKind.VOIDED, 0, 3),
    ]


@pytest.mark.parametrize("steps", [[a_send()], [a_settle(verdict=UNCLEAR)], *WAITING_FOR_NONE.values()])
def test_a_pay_that_must_not_be_repeated_is_sent_once(steps):
    assert isinstance(decide(a_payment_in(steps), a_send(), AT), Stale)


@pytest.mark.parametrize(("verdict", "step"), [(UNCLEAR, "pay"), (UNCLEAR, "status"), (NOT_SENT, "status")])
def test_where_nobody_can_be_asked_again_an_operator_decides_at_once(verdict, step):
    entry = decided(a_payment_in([a_send()]), a_settle(verdict=verdict, step=step, is_last=True))
    assert (entry.kind, entry.tries, entry.due_at) == (EntryKind.MANUAL, 1, 0)
    assert entry.reason == "it is not clear whether the payee was paid, and it can be asked no more"


def test_what_was_never_sent_is_voided_when_the_payee_stays_out_of_reach():
    state = a_payment_in([])
    retry = a_retry(interval_ms=100, factor_pct=200, budget=3)
    course = [decided(state, a_settle(verdict=NOT_SENT, step="check", retry=retry), AT) for _ in range(3)]
    assert [entry.kind for entry in course] == [EntryKind.DEFERRED, EntryKind.DEFERRED, EntryKind.VOIDED]
    assert [entry.due_at - AT for entry in course[:2]] == [100, 200]
    assert course[2].refusal == Refusal.CANNOT_CHECK.code
    assert course[2].tries == 0
    assert balances(state) == {"bank": -200_000, "agent:S": 200_000}


def test_after_a_restart_even_an_unreachable_payee_leaves_the_payment_unclear():
    """Once the ledger has it that something may have been sent, no later answer takes that back."""
    state = a_payment_in([a_settle(verdict=NOT_SENT, step="check", sent_before=True)])
    assert state.payments["kiosk-1.1"].state is EntryKind.UNKNOWN
    assert decided(state, a_settle(verdict=FATAL, code="5")).kind is EntryKind.MANUAL


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("5", Refusal.SUBSCRIBER_NOT_FOUND),
        ("241", Refusal.TOO_SMALL),
        ("300", Refusal.OTHER),
        ("220", Refusal.OTHER),  # our code for an agent without funds: not a payee's to say
        ("251", Refusal.OTHER),
        ("timeout", Refusal.OTHER),
        ("-5", Refusal.OTHER),
        ("٥", Refusal.OTHER),
        ("5" * 5_000, Refusal.OTHER),
        ("", Refusal.OTHER),
    ],
)
def test_a_payees_code_in_our_words(code, refusal):
    assert refusal_of(code) is refusal


def test_the_payees_own_words_are_the_reason():
    entry = decided(a_payment_in([]), a_settle(verdict=FATAL, code="5", comment="No such subscriber"))
    assert (entry.refusal, entry.reason) == (5, "No such subscriber")


@pytest.mark.parametrize(("paid", "kind"), [(True, EntryKind.POSTED), (False, EntryKind.VOIDED)])
def test_an_operator_ends_manual_with_evidence(paid, kind):
    state = a_payment_in(WAITING_FOR_NONE["MANUAL"])
    entry = decided(state, a_resolve(paid=paid, evidence="Payee's letter 4"))
    assert (entry.kind, entry.reason, entry.cause.by) == (kind, "Payee's letter 4", "chief:1")
    assert [account for account, _ in legs(entry)] == LEGS[kind]
    assert "hold:S" not in balances(state)
    assert "kiosk-1.1" not in state.open


def test_who_waits_for_an_answer_and_who_is_due():
    state = a_tree(money=10**6)
    for number in range(1, 6):
        decided(state, a_place(number=number))

    def answer(number: int, verdict: Verdict, at: int) -> None:
        decided(state, a_settle(f"kiosk-1.{number}", verdict, retry=a_retry(interval_ms=100)), at)

    answer(2, UNCLEAR, AT + 50)  # due at 150
    answer(3, NOT_SENT, AT)  # due at 100
    answer(4, UNCLEAR, AT)  # would be due at 100, but
    answer(4, PAID, AT)
    answer(5, UNCLEAR, AT)
    answer(5, FATAL, AT)
    assert [payment.id for payment in state.outstanding()] == ["kiosk-1.1", "kiosk-1.2", "kiosk-1.3"]
    assert list(state.open) == ["kiosk-1.1", "kiosk-1.2", "kiosk-1.3", "kiosk-1.5"]
    assert state.due_before(AT + 99) == []
    assert [payment.id for payment in state.due_before(AT + 100)] == ["kiosk-1.3"]
    assert [payment.id for payment in state.due_before(AT + 1_000)] == ["kiosk-1.2"]
    assert state.due_before(AT + 10_000) == []
