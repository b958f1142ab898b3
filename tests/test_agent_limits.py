"""What an agent may sell: its maxima and payees, everyone's above it, by the tree's calendar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from schemas.calendar import day_of
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.ids import instant_ms
from schemas.outcome import Verdict
from schemas.refusal import Refusal
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.state import State
from tests.audit_ledgers import audited
from tests.builders import a_deposit, a_payee, a_place, a_settle, decided, folded, open_agent, set_limit


def moment(text: str) -> int:
    return instant_ms(datetime.fromisoformat(text))


NOON = moment("2026-03-12T12:00+03:00")
HOUR = 3_600_000


class Tree:
    """A over S over T, in Moscow, with money; T shares S's limit."""

    def __init__(self, zone: str | None = "Europe/Moscow") -> None:
        self.state = State(0)
        self.log: list[Entry] = []
        self.sold = 0
        self.do(open_agent("A", time_zone=zone), open_agent("S", "A"), open_agent("T", "S", funding="shared"))
        self.do(a_deposit("A", 10**9), a_deposit("S", 10**9))

    def do(self, *commands, at: int = NOON) -> Entry:
        for command in commands:
            self.log.append(decided(self.state, command, at))
        return self.log[-1]

    def limit(self, agent: str, at: int = NOON, **limits) -> Entry:
        return self.do(set_limit(agent, None, id=f"limit-{len(self.log)}", **limits), at=at)

    def sell(self, amount: int, agent: str = "T", at: int = NOON, payee: str = "mobile") -> Entry:
        self.sold += 1
        return self.do(a_place(number=self.sold, agent=agent, amount=amount, fee=0, tariff=None,
                               payee=a_payee(payee)), at=at)  # fmt: skip


def code(entry: Entry) -> int:
    return entry.refusal


# --- a single payment


@pytest.mark.parametrize("limited", ["T", "S", "A"])
def test_a_payment_above_anybody_s_maximum_in_the_line_is_declined_and_names_whose(limited):
    tree = Tree()
    tree.limit(limited, payment_max=50_000)
    assert code(tree.sell(50_000)) == 0
    entry = tree.sell(50_001)
    assert code(entry) == Refusal.TERMINAL_MAXIMUM.code
    assert entry.reason == f"agent {limited} takes at most 500.00 RUB a payment"


def test_a_limit_of_an_agent_below_does_not_touch_those_above():
    tree = Tree()
    tree.limit("T", payment_max=100, daily_max=100, payees=("other",))
    assert code(tree.sell(50_000, "S")) == 0


@pytest.mark.parametrize("limited", ["T", "S", "A"])
def test_only_permitted_payees_are_paid(limited):
    tree = Tree()
    tree.limit(limited, payees=("mobile", "water"))
    assert code(tree.sell(500)) == 0
    entry = tree.sell(500, payee="casino")
    assert code(entry) == Refusal.PAYEE_UNAVAILABLE.code
    assert entry.reason == f"payee casino is not among those permitted to agent {limited}"
    tree.limit(limited, payees=())
    assert code(tree.sell(500, payee="casino")) == 0


# --- a day, a month


@pytest.mark.parametrize("limited", ["T", "S", "A"])
def test_a_day_is_full_to_the_last_minor_unit_and_counts_for_all_above(limited):
    tree = Tree()
    tree.limit(limited, daily_max=100_000)
    assert [code(tree.sell(amount)) for amount in (60_000, 40_001, 40_000, 100)] == [0, 16, 0, 16]
    reason = tree.log[-1].reason
    assert reason == f"agent {limited} sold 1000.00 RUB of at most 1000.00 RUB on 2026-03-12"


def test_what_others_below_sold_counts_for_the_agent_above():
    tree = Tree()
    tree.do(open_agent("X", "A"), a_deposit("X", 10**6))
    tree.limit("A", daily_max=100_000)
    assert [code(tree.sell(60_000, "S")), code(tree.sell(60_000, "X")), code(tree.sell(40_000, "X"))] == [0, 16, 0]


@pytest.mark.parametrize(
    ("zone", "at", "still"),
    [
        ("Europe/Moscow", "2026-03-12T20:59:59.999+00:00", True),
        ("Europe/Moscow", "2026-03-12T21:00+00:00", False),
        (None, "2026-03-12T23:59:59.999+00:00", True),
        (None, "2026-03-13T00:00+00:00", False),
        ("America/New_York", "2026-03-13T03:59:59.999+00:00", True),
        ("America/New_York", "2026-03-13T04:00+00:00", False),
    ],
)
def test_the_day_ends_at_midnight_of_the_tree_s_time_zone(zone, at, still):
    tree = Tree(zone)
    tree.limit("S", daily_max=100_000)
    assert code(tree.sell(100_000, at=moment("2026-03-12T15:00+00:00"))) == 0
    assert code(tree.sell(100_000, at=moment(at))) == (16 if still else 0)


def test_a_month_adds_up_its_days_and_the_next_begins_anew():
    tree = Tree()
    tree.limit("S", daily_max=60_000, monthly_max=100_000)
    last = moment("2026-03-31T23:59:59.999+03:00")
    assert [code(tree.sell(50_000, at=at)) for at in (NOON, NOON + 24 * HOUR)] == [0, 0]
    entry = tree.sell(100, at=last)
    assert entry.reason == "agent S sold 1000.00 RUB of at most 1000.00 RUB in 2026-03"
    assert code(tree.sell(60_000, at=last + 1)) == 0


def test_a_voided_payment_gives_its_day_and_month_their_part_back():
    tree = Tree()
    tree.limit("A", daily_max=100_000, monthly_max=100_000)
    tree.sell(100_000)
    assert code(tree.sell(100)) == 16
    tree.do(a_settle("kiosk-1.1", Verdict.FATAL))
    assert code(tree.sell(100_000)) == 0


def test_one_voided_on_a_later_day_gives_back_its_month_alone():
    tree = Tree()
    tree.limit("S", daily_max=70_000, monthly_max=100_000)
    tree.sell(70_000)
    assert code(tree.sell(30_000, at=NOON + 24 * HOUR)) == 0
    assert code(tree.sell(100, at=NOON + 24 * HOUR)) == 16
    tree.do(a_settle("kiosk-1.1", Verdict.FATAL), at=NOON + 25 * HOUR)
    assert [code(tree.sell(amount, at=NOON + 25 * HOUR)) for amount in (40_001, 40_000)] == [16, 0]


def test_one_voided_in_a_later_month_gives_nothing_back():
    tree = Tree()
    tree.limit("S", daily_max=70_000)
    tree.sell(70_000)
    later = NOON + 40 * 24 * HOUR
    tree.sell(70_000, at=later)
    tree.do(a_settle("kiosk-1.1", Verdict.FATAL), at=later)
    assert code(tree.sell(100, at=later)) == 16
    assert tree.state.books["A"].agents["S"].sold_month == 70_000


def test_a_day_that_is_over_does_not_come_back_when_clocks_step_back():
    """Two partitions, two brokers, two clocks: a payment stamped a moment before midnight may come after it."""
    tree = Tree()
    tree.limit("S", daily_max=100_000)
    midnight = moment("2026-03-13T00:00+03:00")
    tree.sell(60_000, at=midnight)
    entry = tree.sell(60_000, at=midnight - 1)
    assert (code(entry), entry.reason[-10:]) == (16, "2026-03-13")
    assert tree.sell(40_000, at=midnight - 1).payment.day == "2026-03-13"


def test_the_day_and_the_line_it_counts_for_are_data_in_the_entry():
    facts = Tree().sell(500, at=moment("2026-03-12T22:00+00:00")).payment
    assert (facts.day, facts.chain) == ("2026-03-13", ("T", "S", "A"))
    tree = Tree()
    tree.limit("S", daily_max=100)
    declined = tree.sell(500).payment
    assert (declined.day, declined.chain) == ("", ())


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"])
def test_a_day_is_that_of_the_zone_s_calendar(zone):
    from zoneinfo import ZoneInfo

    for at in range(NOON, NOON + 400 * 24 * HOUR, 7 * HOUR + 61_001):
        assert day_of(at, zone) == datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).date().isoformat()


# --- setting limits


def test_a_limit_that_is_not_named_stays_and_one_is_lifted():
    tree = Tree()
    tree.limit("S", payment_max=100, daily_max=200, monthly_max=300, payees=("mobile",))
    tree.do(set_limit("S", 7, id="x"))
    terms = tree.limit("S", daily_max=250, lift=("payment_max",)).agent
    assert (terms.overdraft, terms.payment_max, terms.daily_max, terms.monthly_max, terms.payees) == (
        (7, None, 250, 300, ("mobile",))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "limits", "words"),
    [
        (
            "S",
            {"daily_max": 501},
            "daily maximum of agent S, 5.01 RUB, would be above the monthly maximum, 5.00 RUB",
        ),
        (
            "S",
            {"payment_max": 501},
            "maximum of a payment of agent S, 5.01 RUB, would be above the monthly maximum",
        ),
        ("S", {"payment_max": 2, "daily_max": 1}, "0.02 RUB, would be above the daily maximum, 0.01 RUB"),
        ("S", {"monthly_max": 1, "lift": ("monthly_max",)}, "both sets and lifts monthly_max"),
        ("S", {}, "names no limit"),
        ("nobody", {"daily_max": 1}, "no agent nobody"),
    ],
)
def test_impossible_limits_are_refused_in_words(agent, limits, words):
    tree = Tree()
    tree.limit("S", monthly_max=500)
    entry = tree.limit(agent, **limits)
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, Refusal.OTHER.code)
    assert words in entry.reason


def test_a_shared_agent_has_maxima_but_no_overdraft():
    tree = Tree()
    assert tree.limit("T", daily_max=5).kind is EntryKind.LIMIT_SET
    assert tree.do(set_limit("T", 5, id="x")).reason == "agent T spends the money of S: set the limit there"


def test_a_tree_has_one_time_zone():
    tree = Tree()
    assert {agent.time_zone for agent in tree.state.books["A"].agents.values()} == {"Europe/Moscow"}
    entry = tree.do(open_agent("Z", "A", time_zone="UTC"))
    assert entry.reason == "agent Z has the time zone of its tree, Europe/Moscow; leave it out"


def test_an_unknown_time_zone_cannot_be_ordered():
    with pytest.raises(ValueError, match="unknown time zone 'Mars/Olympus'"):
        open_agent("A", time_zone="Mars/Olympus")


# --- the fold


def test_a_snapshot_keeps_what_was_sold():
    tree = Tree()
    tree.limit("S", daily_max=100_000)
    tree.sell(60_000)
    tree.state = state_of(image_of(tree.state))
    assert [code(tree.sell(amount)) for amount in (40_001, 40_000)] == [16, 0]


def test_payments_of_an_older_release_count_for_nothing():
    """They have neither day nor line; voiding one takes nothing from what counts."""
    tree = Tree()
    tree.sell(60_000)
    held = tree.log[-1]
    older = Entry.decode(held.encode().replace(b',"day":"2026-03-12","chain":["T","S","A"]', b""))
    assert (older.payment.day, older.payment.chain) == ("", ())
    state = folded([*tree.log[:-1], older])
    voided = decided(state, a_settle("kiosk-1.1", Verdict.FATAL))
    assert voided.payment == older.payment
    assert state.books["A"].agents["S"].sold_day == 0


# --- the audit


def failures(entries: Iterable[Entry]) -> str:
    return " ".join(audited(entries)["agents.limits"].failures)


def sold_twice() -> list[Entry]:
    tree = Tree()
    tree.sell(60_000)
    tree.sell(40_000, at=NOON + 24 * HOUR)
    return tree.log


def limited(entries: list[Entry], **limits) -> list[Entry]:
    """As if these limits of S had been in force from the beginning."""
    opened = entries[1]
    return [entries[0], replace(opened, agent=replace(opened.agent, **limits)), *entries[2:]]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({}, ""),
        ({"payment_max": 60_000, "daily_max": 60_000, "monthly_max": 100_000, "payees": ("mobile",)}, ""),
        ({"payment_max": 59_999}, "of 60000 is above agent S's maximum of a payment, 59999"),
        ({"daily_max": 59_999}, "brings agent S to 60000 in 2026-03-12, above its maximum of 59999"),
        ({"monthly_max": 99_999}, "brings agent S to 100000 in 2026-03, above its maximum of 99999"),
        ({"payees": ("water",)}, "is to mobile, which is not permitted to agent S"),
    ],
)
def test_the_audit_finds_what_was_sold_beyond_a_limit(limits, words):
    found = failures(limited(sold_twice(), **limits))
    assert words in found
    assert bool(words) == bool(found)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chain": ("T", "A")}, "counts for T, A, not for T, S, A"),
        ({"chain": ()}, "counts for nobody"),
        ({"day": "2026-03-11"}, "is of day 2026-03-11, after 2026-03-12"),
        ({"day": ""}, "is of day none, after 2026-03-12"),
    ],
)
def test_the_audit_finds_a_wrong_day_and_a_wrong_line(changes, words):
    *entries, last = sold_twice()
    facts: PaymentFacts = replace(last.payment, **changes)
    assert words in failures([*entries, replace(last, payment=facts)])


def test_the_audit_gives_back_what_was_voided():
    tree = Tree()
    tree.limit("S", daily_max=100_000)
    tree.sell(100_000)
    tree.do(a_settle("kiosk-1.1", Verdict.FATAL))
    tree.sell(100_000)
    found = audited(tree.log)
    assert [check.failures for check in found.values() if not check.passed] == []
    assert found["agents.limits"].looked_at == 2
    assert evolve(State(0), tree.log[0]).books["A"].agents["A"].time_zone == "Europe/Moscow"
