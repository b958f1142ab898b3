"""When an alert begins and when it is over, entry by entry; and that a restart tells nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from pydantic import ValidationError

from console.schema_docs import schema
from schemas.alert import Alert, AlertKind, Severity
from schemas.contact import Contact, Webhook
from schemas.delivery import delivery_id
from schemas.envelope import SigningKey
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from streams.arrival import Ask, Look, Tell
from streams.compacted import read_all, read_to_end
from streams.embedded import EmbeddedBroker
from streams.ledger.commands import LedgerCommand
from streams.ledger.perform import perform
from streams.ledger.state import State
from streams.settings import Settings
from streams.shard import Shard
from streams.topics import ALERTS, OPEN_ALERTS, create_or_verify
from streams.watch import Watch
from tests.builders import (
    AT,
    a_deposit,
    a_place,
    a_resolve,
    a_retry,
    a_settle,
    a_tree,
    a_withdrawal,
    close,
    decided,
    open_agent,
    set_limit,
)  # fmt: skip
from tests.builders_currency import open_currency
from tests.builders_reversal import a_cancel, a_reversal

MINUTE = 60_000
Told = tuple[AlertKind, str, bool]


def low(amount: int) -> dict[str, Contact]:
    return {"A/S": Contact(id="A/S", low_balance=amount)}


@dataclass
class Partition:
    """A fold that is watched: sub-agent S of tree A has 200000 and wants to hear of it below 100000."""

    contacts: dict[str, Contact] = field(default_factory=lambda: low(100_000))
    state: State = field(default_factory=a_tree)
    settings: Settings = field(default_factory=lambda: Settings(gateway_alert_good=2))
    at: int = AT
    told: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = Watch(self.settings, 3, self.contacts)

    def decide(self, *commands: LedgerCommand) -> list[Told]:
        """What was told of these, in order."""
        before = len(self.told)
        for command in commands:
            self.told += self.watch.entry(self.state, decided(self.state, command, self.at))
        return _short(self.told[before:])

    def look(self) -> list[Told]:
        found = self.watch.look(self.state, self.at)
        self.told += found
        return _short(found)


def _short(alerts: list[Alert]) -> list[Told]:
    return [(one.kind, one.subject, one.over) for one in alerts]


def begins(kind: AlertKind, subject: str = "A/S") -> list[Told]:
    return [(kind, subject, False)]


def ends(kind: AlertKind, subject: str = "A/S") -> list[Told]:
    return [(kind, subject, True)]


LOW, HIT, LONG, OLD, WAITS, FAILING, DIFFERS = (
    AlertKind.LOW_BALANCE,
    AlertKind.LIMIT_HIT,
    AlertKind.PAYMENT_UNKNOWN_LONG,
    AlertKind.PAYMENT_UNKNOWN_OLD,
    AlertKind.WAITING_FUNDS_LONG,
    AlertKind.GATEWAY_FAILING,
    AlertKind.STATEMENT_DIFFERS,
)


# (what S gets or pays, what is told): each row goes on from the one before. A payment of 100 costs 101.
COURSE: list[tuple[int, list[Told]]] = [
    (-99_000, []),  # 100_010 are left
    (-100, begins(LOW)),  # 99_909
    (-100, []),
    (+10_000, []),  # 109_808: more than the threshold and not a tenth more
    (-20_000, []),
    (+20_391, []),  # 109_999
    (+1, ends(LOW)),
    (-20_000, begins(LOW)),
]


def test_a_low_balance_is_told_once_until_a_tenth_more_is_there() -> None:
    partition = Partition()
    for row, (amount, told) in enumerate(COURSE):
        command = (
            a_deposit("S", amount, id=f"d{row}")
            if amount > 0
            else a_place(number=row + 1, amount=-amount, fee=_fee(-amount))
        )
        assert (row, partition.decide(command)) == (row, told)
    first = partition.told[0]
    assert first.text == "agent S of tree A has 999.09 RUB available, which is below 1000.00"
    assert (first.tree, first.agent, first.since) == ("A", "S", first.at)
    assert partition.told[1].since == first.since


def _fee(amount: int) -> int:
    """5 % of what is put in."""
    return amount * 5 // 95 if amount != 100 else 5


def test_funds_given_back_end_a_low_balance_and_a_lower_limit_begins_one() -> None:
    partition = Partition()
    assert partition.decide(a_place(amount=190_000, fee=10_000)) == begins(LOW)
    assert partition.decide(a_settle(verdict=Verdict.FATAL, code="5")) == ends(LOW)
    assert partition.decide(set_limit("S", 50_000), a_place(number=2, amount=142_500, fee=7_500)) == []
    assert partition.decide(set_limit("S", 0, id="limit-2")) == begins(LOW)


def test_a_threshold_that_is_changed_is_looked_at_in_time() -> None:
    partition = Partition(contacts={})
    assert partition.look() == []
    partition.contacts.update(low(300_000))
    assert partition.look() == begins(LOW)
    assert partition.look() == []
    partition.contacts.clear()
    assert partition.look() == ends(LOW)


def test_an_agent_that_spends_anothers_money_has_no_balance_to_watch() -> None:
    partition = Partition(state=a_tree(200_000, funding="shared"))
    assert partition.look() == []
    assert partition.decide(a_place()) == []


def test_what_is_watched_is_the_balance_in_the_trees_own_currency() -> None:
    partition = Partition()
    dollars = {"currency": "USD", "id": "dollars"}
    assert partition.decide(open_currency("A"), open_currency("S"), a_deposit("S", 1, **dollars)) == []


def test_a_limit_that_is_hit_is_one_alert_until_a_payment_passes_after_a_quiet_time() -> None:
    partition = Partition(contacts={})
    large = {"amount": 285_000, "fee": 15_000}
    assert partition.decide(a_place(number=1, **large), a_place(number=2, **large)) == begins(HIT)
    assert partition.decide(a_place(number=3)) == []  # passes, too soon
    partition.at += 14 * MINUTE
    assert partition.decide(a_place(number=4, **large)) == []
    partition.at += 14 * MINUTE
    small = {"amount": 9_500, "fee": 500}
    assert partition.decide(a_place(number=5, **small)) == []
    partition.at += MINUTE
    assert partition.decide(a_place(number=6, **small)) == ends(HIT)
    assert partition.told[-1].count == 3
    assert partition.decide(a_place(number=7, **small)) == []


def test_a_limit_hit_says_whose_limit_it_is() -> None:
    partition = Partition(contacts={})
    partition.decide(set_limit("A", None, payment_max=50_000))
    assert partition.decide(a_place()) == begins(HIT)
    assert partition.told[-1].text.endswith("was refused (252): agent A takes at most 500.00 RUB a payment")


def test_a_payment_that_waits_for_funds_begins_a_limit_hit_and_its_hold_ends_it() -> None:
    partition = Partition(contacts={}, state=a_tree(money=0), settings=Settings(limit_quiet_s=0))
    assert partition.decide(a_place(collected=100_000)) == begins(HIT)
    assert "waits for funds (220)" in partition.told[0].text
    partition.at += 1
    entries = perform(partition.state, a_deposit("S", 95_950, id="more"), partition.at)
    assert isinstance(entries, list)
    told = [alert for entry in entries for alert in partition.watch.entry(partition.state, entry)]
    assert _short(told) == ends(HIT)


def test_a_refusal_that_is_no_limit_is_no_limit_hit() -> None:
    assert Partition(contacts={}).decide(a_place(payee=None), a_place(number=2, fee=1)) == []


def test_a_gateway_fails_and_works_again() -> None:
    partition = Partition(contacts={})
    payments = [a_place(number=number, amount=950, fee=50) for number in range(1, 21)]
    assert partition.decide(*payments) == []
    told = [partition.decide(a_settle(f"kiosk-1.{n}", Verdict.UNCLEAR, retry=a_retry(budget=9))) for n in range(1, 5)]
    told += [partition.decide(a_settle(f"kiosk-1.{n}")) for n in range(5, 10)]  # four of nine are bad
    assert told == [[]] * 9
    assert partition.decide(a_settle("kiosk-1.10", Verdict.NOT_SENT)) == begins(FAILING, "osmp-1/3")
    assert partition.decide(a_settle("kiosk-1.11", Verdict.NOT_SENT)) == []
    assert partition.decide(a_settle("kiosk-1.12"), a_settle("kiosk-1.13", Verdict.UNCLEAR)) == []
    assert partition.decide(a_settle("kiosk-1.14"), a_settle("kiosk-1.15", Verdict.FATAL)) == ends(FAILING, "osmp-1/3")
    assert partition.told[0].agent == ""


def test_payments_open_too_long_are_one_alert_of_their_gateway() -> None:
    partition = Partition(contacts={}, settings=Settings(unknown_alert_s=600))
    partition.decide(*(a_place(number=number, amount=950, fee=50) for number in (1, 2, 3)))
    partition.decide(
        a_settle("kiosk-1.1", Verdict.UNCLEAR), a_settle("kiosk-1.2", Verdict.UNCLEAR, retry=a_retry(budget=1))
    )
    partition.at += 10 * MINUTE - 1
    assert partition.look() == []
    partition.at += 1
    assert partition.look() == begins(LONG, "osmp-1/0")
    assert (partition.told[-1].count, "kiosk-1.1, open for 10 minutes" in partition.told[-1].text) == (2, True)
    assert partition.look() == []
    partition.decide(a_settle("kiosk-1.1"))
    assert partition.look() == []  # the other one is MANUAL
    partition.decide(a_resolve("kiosk-1.2"))
    assert partition.look() == ends(LONG, "osmp-1/0")  # a payment that is HELD is not unclear


def test_what_is_unclear_for_24_times_as_long_is_critical_and_each_step_is_told_once() -> None:
    partition = Partition(contacts={}, settings=Settings(unknown_alert_s=600))
    partition.decide(*(a_place(number=number, amount=950, fee=50) for number in (1, 2)))
    partition.decide(a_settle("kiosk-1.1", Verdict.UNCLEAR, retry=a_retry(budget=1)))
    partition.at += 240 * MINUTE - 1
    assert partition.look() == begins(LONG, "osmp-1/0")
    partition.decide(a_settle("kiosk-1.2", Verdict.UNCLEAR, retry=a_retry(budget=1)))
    assert partition.look() == []
    partition.at += 1
    assert partition.look() == begins(OLD, "osmp-1/0")
    assert (partition.told[-1].severity, partition.told[-1].count) == ("critical", 2)
    assert partition.look() == []
    partition.decide(a_resolve("kiosk-1.1"), a_resolve("kiosk-1.2"))
    assert partition.look() == [*ends(LONG, "osmp-1/0"), *ends(OLD, "osmp-1/0")]


def test_a_reversal_in_doubt_grows_old_from_when_the_doubt_began() -> None:
    partition = Partition(contacts={}, settings=Settings(unknown_alert_s=600))
    partition.decide(a_place(), a_settle())
    partition.at += 23 * 60 * MINUTE
    once = a_retry(budget=1)
    partition.decide(a_reversal("kiosk-1.1"), a_cancel("kiosk-1.1", Verdict.UNCLEAR, retry=once))
    assert partition.state.payments["kiosk-1.1"].state == "REVERSAL_MANUAL"
    partition.at += 10 * MINUTE - 1
    assert partition.look() == []
    partition.at += 1
    assert partition.look() == begins(LONG, "osmp-1/0")
    partition.decide(a_resolve("kiosk-1.1"))
    assert partition.look() == ends(LONG, "osmp-1/0")


def test_a_reversal_that_is_asked_for_again_and_again_grows_old_too() -> None:
    partition = Partition(contacts={}, settings=Settings(unknown_alert_s=600))
    partition.decide(a_place(), a_settle())
    partition.at += 23 * 60 * MINUTE
    partition.decide(a_reversal("kiosk-1.1"))
    assert partition.look() == []
    for _ in range(2):
        partition.at += 5 * MINUTE - 1
        partition.decide(a_cancel("kiosk-1.1", Verdict.UNCLEAR, retry=a_retry(budget=9)))
        assert partition.look() == []
    assert partition.state.payments["kiosk-1.1"].state == "REVERSING"
    partition.at += 2
    assert partition.look() == begins(LONG, "osmp-1/0")
    partition.decide(a_cancel("kiosk-1.1"))
    assert partition.look() == ends(LONG, "osmp-1/0")


def test_cash_that_waits_too_long_is_one_alert_of_whose_money_it_waits_for() -> None:
    partition = Partition(contacts={}, state=a_tree(money=0), settings=Settings(waiting_alert_s=600, limit_quiet_s=0))
    partition.decide(a_place(number=1, collected=100_000), a_place(number=2, collected=100_000))
    partition.at += MINUTE
    partition.decide(a_place(number=3, collected=100_000), a_place(number=4, agent="A", collected=100_000))
    partition.at += 9 * MINUTE - 1
    assert partition.look() == []
    partition.at += 1
    assert partition.look() == begins(WAITS)
    alert = partition.told[-1]
    assert (alert.tree, alert.agent, alert.count) == ("A", "S", 2)
    assert alert.text == (
        "2 payments whose cash was taken wait for the money of agent S of tree A; "
        "the oldest is kiosk-1.1, received 10 minutes ago"
    )
    assert partition.look() == []
    partition.at += MINUTE
    assert partition.look() == begins(WAITS, "A/A")
    perform(partition.state, a_deposit("S", 2 * 95_950, id="more"), partition.at)
    assert partition.look() == []  # the third waits for eleven minutes, too
    perform(partition.state, a_deposit("S", 95_950, id="yet-more"), partition.at)
    assert partition.look() == ends(WAITS)


def an_alert(payment: str = "kiosk-1.1") -> Alert:
    at = ms_instant(AT)
    return Alert(kind=DIFFERS, subject=payment, severity=Severity.CRITICAL, text="has it twice", at=at, since=at)


@pytest.mark.parametrize("paid", [True, False])
def test_what_a_statement_has_otherwise_is_told_once_until_the_payment_is_final(paid: bool) -> None:
    partition = Partition(contacts={})
    unclear, refused = a_settle(verdict=Verdict.UNCLEAR), a_settle(verdict=Verdict.FATAL)
    partition.decide(a_place(), unclear)
    assert _short(partition.watch.tell(an_alert())) == begins(DIFFERS, "kiosk-1.1")
    assert partition.watch.tell(an_alert()) == []
    assert partition.decide(refused) == []  # MANUAL: it is in doubt still
    assert _short(partition.watch.tell(an_alert("kiosk-1.2"))) == begins(DIFFERS, "kiosk-1.2")
    assert partition.decide(a_resolve(paid=paid)) == ends(DIFFERS, "kiosk-1.1")


def test_what_begins_twice_in_a_millisecond_is_delivered_twice() -> None:
    partition = Partition()
    partition.decide(a_place(number=1), a_place(number=2), a_deposit("S", 200_000, id="more"), a_place(number=3))
    partition.decide(a_place(number=4), a_deposit("S", 200_000, id="yet-more"))
    assert _short(partition.told) == 2 * (begins(LOW) + ends(LOW))
    assert len({delivery_id(one, "operator", "mail", "") for one in partition.told}) == 4


def test_an_agent_that_is_closed_is_not_short_of_money() -> None:
    partition = Partition()
    assert partition.decide(a_withdrawal("S", 200_000)) == begins(LOW)
    assert partition.decide(close("S")) == ends(LOW)
    assert partition.look() == []


def test_begins_and_ends_take_turns_whatever_happens() -> None:
    seed = Random().randrange(10**9)
    print(f"seed {seed}")
    rng, partition = Random(seed), Partition()
    for number in range(1, 400):
        partition.at += rng.randrange(10 * MINUTE)
        amount = rng.choice((950, 9_500, 95_000, 285_000))
        order = a_place(number=number, amount=amount, fee=amount // 19)
        partition.decide(a_deposit("S", amount, id=f"d{number}") if rng.random() < 0.2 else order)
        waiting = [one for one in partition.state.outstanding() if one.deferrals < 5 and one.tries < 5]
        if waiting:
            verdict = rng.choice([Verdict.PAID, Verdict.FATAL, Verdict.UNCLEAR, Verdict.NOT_SENT])
            partition.decide(a_settle(rng.choice(waiting).id, verdict, retry=a_retry(budget=9)))
        partition.look()
    assert {one.kind for one in partition.told} >= {LOW, HIT}
    for kind, subject in {(one.kind, one.subject) for one in partition.told}:
        course = [one for one in partition.told if (one.kind, one.subject) == (kind, subject)]
        assert [one.over for one in course] == [bool(place % 2) for place in range(len(course))], (seed, kind)
        assert all(begin.since == end.since for begin, end in zip(course[::2], course[1::2], strict=False)), seed


# --- on a broker: what was told is known to whoever has the partition next


@dataclass
class Desk:
    settings: Settings
    contacts: dict[str, Contact]

    def open(self) -> Shard:
        """A worker that takes the partition over, from whoever has it."""
        shard = Shard(self.settings, 0, SigningKey.generate("server:1"))
        shard.watch = Watch(self.settings, 0, self.contacts)
        shard.open()
        return shard

    def founds_a_tree(self, shard: Shard) -> None:
        """S has 200000, and wants to hear of it below 100000."""
        decide(shard, open_agent("A"), open_agent("S", "A"), a_deposit("S", 200_000))
        self.contacts.update(low(100_000))

    def alerts(self) -> list[tuple[str, bool]]:
        found = [Alert.model_validate_json(one.value() or b"") for one in read_to_end(self.settings, ALERTS)]
        return [(one.kind.value, one.over) for one in found]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with EmbeddedBroker.start(tmp_path / "run") as running:
        settings = Settings(
            dir=tmp_path, kafka=running.bootstrap, partitions=1, embedded=True, snapshot_every=0, log_level="error",
            unknown_alert_s=60,
        )  # fmt: skip
        create_or_verify(settings)
        yield Desk(settings, {})


def decide(shard: Shard, *commands: LedgerCommand) -> None:
    shard.commit(shard.decide([Ask(command, AT) for command in commands])[1])


@pytest.mark.integration
def test_what_was_told_is_not_told_again_by_the_next_owner(desk: Desk) -> None:
    first = desk.open()
    desk.founds_a_tree(first)
    decide(first, a_place(number=1), a_place(number=2))  # 8100 are left
    assert desk.alerts() == [("LOW_BALANCE", False)]
    shard = desk.open()
    decide(shard, a_place(number=3, amount=950, fee=50), a_place(number=4))
    assert desk.alerts() == [("LOW_BALANCE", False), ("LIMIT_HIT", False)]
    decide(shard, a_settle("kiosk-1.1", Verdict.UNCLEAR))
    shard.commit(shard.decide([Look(AT + 60_000)])[1])
    shard = desk.open()
    shard.commit(shard.decide([Look(AT + 70_000), Tell(an_alert())])[1])
    assert desk.alerts()[2:] == [("PAYMENT_UNKNOWN_LONG", False), ("STATEMENT_DIFFERS", False)]
    assert set(read_all(desk.settings, OPEN_ALERTS)) == {
        "LOW_BALANCE/A/S", "LIMIT_HIT/A/S", "PAYMENT_UNKNOWN_LONG/osmp-1/0", "STATEMENT_DIFFERS/kiosk-1.1",
    }  # fmt: skip
    shard = desk.open()
    shard.commit(shard.decide([Tell(an_alert())])[1])
    decide(shard, a_deposit("S", 500_000, id="more"), a_settle("kiosk-1.1"))
    shard.commit(shard.decide([Look(AT + 80_000)])[1])
    ended = ["LOW_BALANCE", "PAYMENT_UNKNOWN_LONG", "STATEMENT_DIFFERS"]
    assert sorted(desk.alerts()[4:]) == [(kind, True) for kind in ended]
    assert set(read_all(desk.settings, OPEN_ALERTS)) == {"LIMIT_HIT/A/S"}
    shard.drop()


@pytest.mark.integration
def test_an_alert_whose_entry_was_not_committed_was_not_told(desk: Desk) -> None:
    shard = desk.open()
    desk.founds_a_tree(shard)
    shard.decide([Ask(a_place(number=1), AT), Ask(a_place(number=2), AT)])  # and the worker dies
    shard = desk.open()
    assert desk.alerts() == []
    decide(shard, a_place(number=1), a_place(number=2))
    assert desk.alerts() == [("LOW_BALANCE", False)]
    shard.drop()


# --- contact records


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "shop"},
        {"id": "A/B/C"},
        {"id": "operator", "low_balance": 1},
        {"mail": ("no-at.example",)},
        {"mail": ("a@b.example\r\nBcc: x@y.example",)},
        {"mail": ("a@b.example\n",)},
        {"mail": ("Anna <a@b.example>",)},
        {"low_balance": -1},
    ],
)
def test_a_contact_that_cannot_be_used_is_none(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Contact.model_validate({"id": "A/S"} | changes)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example",
        "https://user:pw@x.example/",
        "https://x.example/#part",
        "https://",
        "x.example",
        "https://a b",
    ],
)
def test_a_webhook_has_a_plain_address(url: str) -> None:
    with pytest.raises(ValidationError):
        Webhook(url=url, secret="hook")
    assert Webhook(url="https://x.example:8443/kassa?to=1", secret="hook").secret == "hook"


def test_the_schema_of_contacts_is_published() -> None:
    assert set(schema("contacts")["properties"]) == {"id", "mail", "webhooks", "low_balance"}
