"""Reversal: Ex. 6 to the last minor unit, what the payee's answers lead to, and who may ask."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from schemas.change import ChangeSpent, mark_of
from schemas.entry import Entry, EntryKind, holds
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from streams.ledger.commands import LedgerCommand
from streams.ledger.decide import decide
from streams.ledger.decisions import Conflict, Duplicate, Stale
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.memory import leaving, let_go, needed_to_decide, needed_to_evolve, recall
from streams.ledger.perform import perform
from streams.ledger.replies import replies_to
from streams.ledger.state import State
from tests.builders import (
    AT,
    TERMINAL_KID,
    a_deposit,
    a_place,
    a_resolve,
    a_retry,
    a_settle,
    a_tree,
    a_withdrawal,
    balances,
    block,
    close,
    close_window,
    decided,
    folded,
    legs,
    open_agent,
    set_limit,
)
from tests.builders_change import CODE
from tests.builders_reversal import REVERSIBLE, WINDOW_S, a_cancel, a_reversal

ONCE = a_retry(budget=1)
MARK = "0123456789abcdef0123456789abcdef"
EX_6 = [
    ("payee:mobile", -95_000),
    ("fee", -950),
    ("agent:S", 95_950),
    ("agent:S", -950),
    ("agent:A", -475),
    ("reward", -475),
    ("payee:mobile", 1_900),
]


def posted(money: int = 200_000, **order: object) -> State:
    state = a_tree(money=money)
    decided(state, a_place(**order))
    decided(state, a_settle())
    return state


def reversing(*more: LedgerCommand, refund: str = "cash", **order: object) -> State:
    state = posted(**order)
    for command in (a_reversal(refund=refund), *more):
        decided(state, command)
    return state


def test_example_6_reversal() -> None:
    state = posted()
    asked = decided(state, a_reversal())
    assert (asked.kind, asked.legs) == (EntryKind.REVERSING, ())
    entry = decided(state, a_cancel())
    assert (entry.kind, legs(entry)) == (EntryKind.REVERSED, EX_6)
    assert balances(state) == {"agent:S": 200_000, "bank": -200_000}


def test_example_6_with_the_money_back_as_change() -> None:
    """The payer gets back what it put in; the agent gives back its own part of the fee, which it has in cash."""
    state = reversing(refund="change", collected=117_750, change_to=MARK)
    entry = decided(state, a_cancel())
    assert legs(entry) == [*EX_6, ("agent:S", -100_000), (f"change:{MARK}", 100_000)]
    assert balances(state) == {"agent:S": 82_250, f"change:{MARK}": 117_750, "bank": -200_000}
    assert state.payments["kiosk-1.1"].kept == 117_750


def test_cash_back_leaves_the_change_of_what_was_put_in_where_it_is() -> None:
    state = reversing(collected=117_750, change_to=MARK)
    decided(state, a_cancel())
    assert balances(state) == {"agent:S": 182_250, f"change:{MARK}": 17_750, "bank": -200_000}


@pytest.mark.parametrize(("refund", "kept"), [("cash", 0), ("change", 100_000)])
def test_what_change_had_paid_is_given_back_like_the_rest(refund: str, kept: int) -> None:
    state = a_tree(money=300_000)
    decided(state, a_place(collected=117_750, change_to=mark_of(CODE)))
    decided(state, a_settle())
    decided(state, a_place(number=2, change_from=(ChangeSpent(code=CODE, amount=17_750),)))
    decided(state, a_settle("kiosk-1.2"))
    before = balances(state)
    decided(state, a_reversal("kiosk-1.2", refund=refund))
    facts = state.open["kiosk-1.2"].facts
    assert facts is not None
    assert facts.spent == ((mark_of(CODE), 17_750),)
    decided(state, a_cancel("kiosk-1.2"))
    after = balances(state)
    assert after.get("change:payment:kiosk-1.2", 0) == kept
    assert f"change:{mark_of(CODE)}" not in after
    assert after["agent:S"] - before["agent:S"] == 95_000 - kept


def test_asking_opens_the_payment_again_and_its_gateway_is_to_be_asked() -> None:
    state = posted()
    entry = decided(state, a_reversal())
    assert holds([entry]) == ["kiosk-1.1"]
    assert [one.id for one in state.outstanding()] == ["kiosk-1.1"]
    assert state.backlog == {"osmp-1": 1}
    assert {name: reply.state for name, reply in replies_to(entry)} == {"kiosk-1": "REVERSING", "chief": "DONE"}


def test_what_is_refused_is_posted_again_and_may_be_asked_anew() -> None:
    state = reversing()
    entry = decided(state, a_cancel(verdict=Verdict.FATAL, code="300", comment="Money was spent"))
    assert (entry.kind, entry.refusal, entry.reason) == ("REVERSAL_REFUSED", 300, "Money was spent")
    payment = state.payments["kiosk-1.1"]
    assert (payment.state, payment.refusal, payment.reason, state.backlog) == ("POSTED", 0, "", {})
    (reply,) = [reply for _, reply in replies_to(entry)]
    assert (reply.state, reply.code, reply.final) == ("REVERSAL_REFUSED", 300, True)
    decided(state, a_reversal(id="again"))
    assert decided(state, a_cancel()).kind == "REVERSED"


def test_the_window_counts_from_the_posting_however_often_it_was_asked() -> None:
    state = reversing()
    evolve(state, _only(decide(state, a_cancel(verdict=Verdict.FATAL), AT + 50_000_000)))
    late = AT + WINDOW_S * 1000
    assert _only(decide(state, a_reversal(id="in-time"), late)).kind == "REVERSING"
    entry = _only(decide(state, a_reversal(id="too-late"), late + 1))
    assert (entry.refusal, entry.reason) == (
        7, "payee mobile gives a payment back within 86400 s; this one was posted 86400 s ago",
    )  # fmt: skip


def _only(decision: object) -> Entry:
    assert isinstance(decision, list)
    (entry,) = decision
    return entry


def test_an_unclear_answer_is_asked_again_with_the_same_number_and_never_guessed() -> None:
    state = reversing()
    number = state.payments["kiosk-1.1"].txn
    entry = decided(state, a_cancel(verdict=Verdict.UNCLEAR))
    assert (entry.kind, entry.tries, entry.due_at, entry.legs) == ("REVERSING", 1, AT + 60_000, ())
    assert holds([entry]) == []
    assert [one.id for one in state.due_before(AT + 60_000)] == ["kiosk-1.1"]
    assert entry.payment is not None
    assert entry.payment.txn == number
    refused = decided(state, a_cancel(verdict=Verdict.FATAL))
    assert (refused.kind, refused.legs) == ("REVERSAL_MANUAL", ())


def test_a_worker_that_may_have_asked_before_does_not_believe_a_refusal() -> None:
    assert decided(reversing(), a_cancel(verdict=Verdict.FATAL, sent_before=True)).kind == "REVERSAL_MANUAL"


@pytest.mark.parametrize(
    ("verdict", "sent", "kind"),
    [
        (Verdict.UNCLEAR, False, "REVERSAL_MANUAL"),
        (Verdict.NOT_SENT, False, "REVERSAL_REFUSED"),
        (Verdict.NOT_SENT, True, "REVERSAL_MANUAL"),
    ],
)
def test_asking_ends_when_its_budget_is_spent(verdict: Verdict, sent: bool, kind: str) -> None:
    assert decided(reversing(), a_cancel(verdict=verdict, sent_before=sent, retry=ONCE)).kind == kind


@pytest.mark.parametrize(
    ("paid", "kind", "state"), [(True, "REVERSAL_REFUSED", "POSTED"), (False, "REVERSED", "REVERSED")]
)
def test_an_operator_decides_by_evidence_what_nobody_else_can(paid: bool, kind: str, state: str) -> None:
    ledger = reversing(a_cancel(verdict=Verdict.UNCLEAR, retry=ONCE))
    entry = decided(ledger, a_resolve(paid=paid))
    assert (entry.kind, entry.reason, ledger.payments["kiosk-1.1"].state) == (kind, "Payee's letter 4", state)
    assert legs(entry) == ([] if paid else EX_6)


def test_reversed_is_for_ever() -> None:
    state = reversing(a_cancel())
    entry = decided(state, a_reversal(id="again"))
    assert (entry.refusal, entry.reason) == (300, "payment kiosk-1.1 is REVERSED; only one that is POSTED is reversed")
    assert isinstance(decide(state, a_cancel(), AT), Stale)


def test_the_command_again_hears_the_same_and_another_under_its_id_is_a_conflict() -> None:
    state = reversing(a_cancel())
    assert isinstance(decide(state, a_reversal(), AT), Duplicate)
    assert isinstance(decide(state, a_reversal(reason="Another"), AT), Conflict)
    again = decide(state, a_place(), AT)
    assert isinstance(again, Duplicate)
    assert again.payment is not None
    assert again.payment.state == "REVERSED"


def test_the_terminal_that_took_it_may_ask_and_no_other() -> None:
    assert decided(posted(), a_reversal(by=TERMINAL_KID, terminal="kiosk-1")).kind == "REVERSING"
    other = decided(posted(), a_reversal(by="kiosk-2:1", terminal="kiosk-2"))
    assert (other.refusal, other.reason) == (133, "terminal kiosk-2 did not take payment kiosk-1.1")


@pytest.mark.parametrize(("agent", "sentence"), [("S", "agent S is blocked"), ("A", "agent A, above S, is blocked")])
def test_a_terminal_of_who_is_blocked_asks_nothing_back_and_an_operator_does(agent: str, sentence: str) -> None:
    state = posted()
    decided(state, block(agent))
    refused = decided(state, a_reversal(by=TERMINAL_KID, terminal="kiosk-1"))
    assert (refused.refusal, refused.reason) == (133, f"{sentence}: an operator asks its payments back")
    assert decided(state, a_reversal(id="by-operator")).kind == "REVERSING"


REFUSALS: dict[str, tuple[LedgerCommand, int, str]] = {
    "not known": (a_reversal("kiosk-1.2"), 300, "there is no payment kiosk-1.2 in tree A"),
    "the payee never does": (
        a_reversal(reversible=replace(REVERSIBLE, payees={})), 7, "payee mobile gives no payments back",
    ),
    "its gateway cannot": (
        a_reversal(reversible=replace(REVERSIBLE, gateways=frozenset())), 8,
        "gateway osmp-1 cannot ask for a payment back",
    ),
    "nothing is known of the directory": (a_reversal(reversible=None), 7, "payee mobile gives no payments back"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_reversed_is_refused_in_words(case: str) -> None:
    command, code, reason = REFUSALS[case]
    entry = decided(posted(), command)
    assert (entry.kind, entry.refusal, entry.reason) == ("REFUSED", code, reason)
    assert Refusal.by_code(code).code == code


def test_an_answer_to_a_pay_is_none_to_a_cancel_and_the_other_way() -> None:
    assert isinstance(decide(reversing(), a_settle(), AT), Stale)
    state = a_tree()
    decided(state, a_place())
    assert isinstance(decide(state, a_cancel(), AT), Stale)


def test_what_a_closed_agent_earned_the_operator_bears() -> None:
    state = posted()
    for command in (a_withdrawal("S", 105_000), a_withdrawal("A", 475, id="w-A"), close("S")):
        decided(state, command)
    refused = decided(state, a_reversal())
    assert (refused.refusal, refused.reason) == (300, "agent S is closed: it cannot be given its money back")


def test_the_share_of_a_closed_seller_is_the_operators_when_its_parent_pays() -> None:
    state = a_tree(funding="shared")
    decided(state, a_place())
    decided(state, a_settle())
    decided(state, a_withdrawal("S", 950))
    decided(state, close("S"))
    decided(state, a_reversal())
    entry = decided(state, a_cancel())
    assert ("reward", -950) in legs(entry)
    assert sum(amount for account, amount in legs(entry) if account == "agent:S") == 0
    assert balances(state) == {"agent:A": 200_000, "bank": -199_050, "reward": -950}


def test_an_agent_with_a_reversal_under_way_is_not_closed() -> None:
    state = posted()
    decided(state, a_withdrawal("S", 105_000))
    decided(state, a_reversal())
    assert "open payments" in decided(state, close("S")).reason


def test_rewards_are_taken_back_below_the_limit_and_no_payment_is_taken_until_they_are_there() -> None:
    state = posted(money=95_950)
    decided(state, a_withdrawal("A", 475))
    decided(state, a_reversal())
    decided(state, a_cancel())
    assert state.books["A"].agents["A"].balance == -475
    assert decided(state, a_place(number=2)).refusal == 280
    decided(state, a_deposit("A", 475))
    assert decided(state, a_place(number=3)).kind == "HELD"


def test_a_payee_whose_window_was_closed_owes_us_and_the_next_one_carries_it() -> None:
    state = posted()
    decided(state, close_window("mobile"))
    decided(state, a_reversal())
    decided(state, a_cancel())
    assert balances(state)["payee:mobile"] == -93_100
    assert decided(state, close_window("mobile", 2)).legs == ()
    decided(state, a_place(number=2))
    decided(state, a_settle("kiosk-1.2"))
    assert balances(state).get("payee:mobile", 0) == 0


def test_the_day_gets_back_what_counted_for_its_limits() -> None:
    state = a_tree(money=300_000)
    decided(state, set_limit("S", daily_max=95_000))
    decided(state, a_place())
    decided(state, a_settle())
    assert decided(state, a_place(number=2)).refusal == 16
    decided(state, a_reversal())
    decided(state, a_cancel())
    assert decided(state, a_place(number=3)).kind == "HELD"


def test_money_that_comes_back_is_what_another_payment_waited_for() -> None:
    state = posted(money=95_950)
    decided(state, a_place(number=2, collected=100_000))
    decided(state, a_reversal())
    decision = perform(state, a_cancel(), AT)
    assert isinstance(decision, list)
    assert [entry.kind for entry in decision] == ["REVERSED", "HELD"]


def test_months_later_after_a_snapshot_a_reversal_is_as_it_would_have_been() -> None:
    """What left memory comes back from the archive with all that the reversal needs."""
    entries: list[Entry] = []
    state, archive = State(0), dict[bytes, bytes]()
    steps = [*_tree_commands(), a_place(collected=117_750, change_to=MARK), a_settle(), a_reversal(refund="change"),
             a_cancel(verdict=Verdict.UNCLEAR), a_cancel(verdict=Verdict.NOT_SENT), a_cancel()]  # fmt: skip
    for command in steps:
        keys = needed_to_decide(state, [command])
        recall(state, {key: archive[key] for key in keys if key in archive})
        entries.append(decided(state, command))
        archive |= dict(leaving(state))
        let_go(state)
        state = state_of(image_of(state))
    whole = folded(Entry.decode(entry.encode()) for entry in entries)
    assert entries[-1].kind == "REVERSED"
    assert image_of(whole) == image_of(state)
    assert dict(leaving(whole)) == archive


def _tree_commands() -> list[LedgerCommand]:
    return [open_agent("A"), open_agent("S", "A"), a_deposit("S", 300_000)]


def test_a_fold_that_reads_a_reversal_asks_the_archive_for_its_payment() -> None:
    state = posted()
    entry = _only(decide(state, a_reversal(), AT))
    archive = dict(leaving(state))
    let_go(state)
    keys = needed_to_evolve(state, [entry])
    assert b"pkiosk-1.1" in keys
    recall(state, {key: archive[key] for key in keys if key in archive})
    evolve(state, entry)
    assert state.open["kiosk-1.1"].facts == entry.payment


def test_a_posted_payment_keeps_its_facts_in_little_room() -> None:
    """Bytes of one posted payment in memory until it is archived, and in the archive: twice a voided one's at most."""
    state = posted()
    (packed,) = [packed for key, packed in leaving(state) if key == b"pkiosk-1.1"]
    facts = state.payments["kiosk-1.1"].facts
    print(f"{len(packed)} bytes, of which facts {len(packed) - 59}; as JSON with names {len(orjson.dumps(facts))}")
    assert len(packed) < 360


@pytest.mark.parametrize("damage", ["refund", "at", "facts", "missing"])
def test_the_fold_refuses_a_reversal_that_does_not_continue_the_posting(damage: str) -> None:
    state = reversing()
    entry = _only(decide(state, a_cancel(), AT))
    assert entry.posted is not None
    assert entry.payment is not None
    wrong = {
        "refund": replace(entry, posted=replace(entry.posted, refund="change")),
        "at": replace(entry, posted=replace(entry.posted, at=1)),
        "facts": replace(entry, payment=replace(entry.payment, amount=1)),
        "missing": replace(entry, posted=None),
    }[damage]
    with pytest.raises(LedgerCorrupt):
        evolve(state, wrong)
