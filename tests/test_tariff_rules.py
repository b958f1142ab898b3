"""Which rule prices a payment, which tariffs are refused, and by what time a payment is judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from schemas.command import SetTariff
from schemas.entry import EntryKind
from schemas.ids import instant_ms, ms_instant
from schemas.tariff import Fee, Tariff, TariffRule
from streams.ledger.tariff_choice import Choice, choice_of
from tests.builders import (
    AT,
    NOW,
    a_deposit,
    a_place,
    a_rate,
    a_rule,
    a_settle,
    a_state,
    a_tariff,
    a_tariff_with_rules,
    a_tree,
    decided,
    legs,
    open_agent,
    set_tariff,
)

MOSCOW = ZoneInfo("Europe/Moscow")
FRIDAY = datetime(2026, 1, 2, tzinfo=MOSCOW)


def at(day: int, time: str) -> int:
    """Ms UTC of a clock time in Moscow, so many days after Friday 2 January 2026."""
    hour, minute = map(int, time.split(":"))
    return instant_ms(FRIDAY + timedelta(days=day, hours=hour, minutes=minute))


def chosen(*rules: TariffRule, agent: str = "A/S", amount: int = 10_000, moment: int = AT, **changes: object) -> str:
    tariff = a_tariff(time_zone="Europe/Moscow", rules=rules, **changes)
    rule = choice_of(tariff).of(agent, amount, moment)
    return rule.name if rule is not None else ""


GROUPS = {"dear": ("A/S", "A/T")}


@pytest.mark.parametrize(
    ("wider", "narrower"),
    [
        ({}, {"group": "dear"}),
        ({"group": "dear"}, {"agent": "A/S"}),
        ({"group": "dear", "amount_to": 20_000}, {"agent": "A/S"}),  # whom it is for counts before all else
        ({}, {"valid_until": ms_instant(AT + 1)}),
        ({}, {"valid_from": NOW}),
        ({"valid_from": ms_instant(AT - 1)}, {"valid_from": NOW}),  # the later beginning
        ({"weekdays": ("thu",), "amount_to": 20_000}, {"valid_from": NOW}),  # a campaign before what stands
        ({}, {"weekdays": ("thu", "fri")}),
        ({"weekdays": ("thu", "fri")}, {"weekdays": ("thu",)}),
        ({"time_from": "02:00", "time_to": "05:00"}, {"weekdays": ("thu",)}),
        ({}, {"time_from": "02:00", "time_to": "05:00"}),
        ({"time_from": "02:00", "time_to": "05:00"}, {"time_from": "03:00", "time_to": "05:59"}),
        ({"amount_from": 9_000, "amount_to": 11_000}, {"time_from": "22:00", "time_to": "04:00"}),
        ({}, {"amount_from": 1}),
        ({"amount_from": 9_000, "amount_to": 11_000}, {"amount_from": 10_000, "amount_to": 11_000}),
    ],
)
def test_the_narrower_rule_wins_in_whatever_order_they_are_listed(wider: dict, narrower: dict):
    """AT is a Thursday, three in the morning in Moscow; the payment is of 10000 by A/S."""
    rules = a_rule("wider", **wider), a_rule("narrower", **narrower)
    assert chosen(*rules, groups=GROUPS) == "narrower"
    assert chosen(*reversed(rules), groups=GROUPS) == "narrower"
    assert chosen(rules[0], groups=GROUPS) == "wider"


@pytest.mark.parametrize(
    ("rule", "agent", "amount", "moment", "holds"),
    [
        ({"agent": "A/S"}, "A/S", 1, AT, True),
        ({"agent": "A/S"}, "B/S", 1, AT, False),  # of the same name in another tree
        ({"agent": "A/A"}, "A/S", 1, AT, False),  # an agent above: its rule is for its own payments
        ({"group": "dear"}, "A/T", 1, AT, True),
        ({"group": "dear"}, "A/U", 1, AT, False),
        ({"amount_from": 100, "amount_to": 200}, "A/S", 99, AT, False),
        ({"amount_from": 100, "amount_to": 200}, "A/S", 100, AT, True),
        ({"amount_from": 100, "amount_to": 200}, "A/S", 199, AT, True),
        ({"amount_from": 100, "amount_to": 200}, "A/S", 200, AT, False),
        ({"valid_from": NOW, "valid_until": ms_instant(AT + 5)}, "A/S", 1, AT - 1, False),
        ({"valid_from": NOW, "valid_until": ms_instant(AT + 5)}, "A/S", 1, AT, True),
        ({"valid_from": NOW, "valid_until": ms_instant(AT + 5)}, "A/S", 1, AT + 4, True),
        ({"valid_from": NOW, "valid_until": ms_instant(AT + 5)}, "A/S", 1, AT + 5, False),
        ({"time_from": "18:00", "time_to": "24:00"}, "A/S", 1, at(0, "17:59"), False),
        ({"time_from": "18:00", "time_to": "24:00"}, "A/S", 1, at(0, "18:00"), True),
        ({"time_from": "18:00", "time_to": "24:00"}, "A/S", 1, at(0, "23:59"), True),
        ({"time_from": "18:00", "time_to": "24:00"}, "A/S", 1, at(1, "00:00"), False),
        ({"time_from": "18:00", "time_to": "00:00"}, "A/S", 1, at(1, "00:00"), False),
        ({"weekdays": ("sat", "sun")}, "A/S", 1, at(0, "23:59"), False),
        ({"weekdays": ("sat", "sun")}, "A/S", 1, at(1, "00:00"), True),
        ({"weekdays": ("sat", "sun")}, "A/S", 1, at(2, "23:59"), True),
        ({"weekdays": ("sat", "sun")}, "A/S", 1, at(3, "00:00"), False),
        # Friday's night ends on Saturday morning, and Sunday's on Monday's
        ({"weekdays": ("fri",), "time_from": "22:00", "time_to": "06:00"}, "A/S", 1, at(0, "05:59"), False),
        ({"weekdays": ("fri",), "time_from": "22:00", "time_to": "06:00"}, "A/S", 1, at(0, "22:00"), True),
        ({"weekdays": ("fri",), "time_from": "22:00", "time_to": "06:00"}, "A/S", 1, at(1, "05:59"), True),
        ({"weekdays": ("fri",), "time_from": "22:00", "time_to": "06:00"}, "A/S", 1, at(1, "06:00"), False),
        ({"weekdays": ("fri",), "time_from": "22:00", "time_to": "06:00"}, "A/S", 1, at(1, "22:00"), False),
        ({"weekdays": ("sun",), "time_from": "22:00", "time_to": "06:00"}, "A/S", 1, at(3, "05:59"), True),
    ],
)
def test_a_rule_holds_from_its_first_moment_to_before_its_last(rule: dict, agent: str, amount: int, moment: int, holds):
    found = chosen(a_rule("rule", **rule), agent=agent, amount=amount, moment=moment, groups=GROUPS)
    assert found == ("rule" if holds else "")


def test_a_band_follows_the_clocks_when_they_change():
    """Berlin, 29 March 2026: 02:00 becomes 03:00, which is 01:00 UTC."""
    tariff = a_tariff(time_zone="Europe/Berlin", rules=(a_rule("three", time_from="03:00", time_to="04:00"),))
    change = instant_ms(datetime(2026, 3, 29, 1, tzinfo=UTC))
    found = [choice_of(tariff).of("A/S", 1, moment) for moment in (change - 1, change, change + 3_599_999)]
    assert [rule.name if rule else "" for rule in found] == ["", "three", "three"]


@pytest.mark.parametrize(
    ("first", "second", "example"),
    [
        ({}, {}, "1 minor units by any agent on Thu 2026-01-01 03:00 Europe/Moscow"),
        ({"amount_to": 200}, {"amount_from": 100, "amount_to": 300}, "100 minor units by any agent"),
        ({"agent": "A/S"}, {"agent": "A/S"}, "1 minor units by agent A/S"),
        ({"group": "dear"}, {"group": "cheap"}, "1 minor units by agent A/T"),
        ({"weekdays": ("fri", "sat")}, {"weekdays": ("sat", "sun")}, "on Sat 2026-01-03 00:00 Europe/Moscow"),
        (
            {"weekdays": ("fri",), "time_from": "22:00", "time_to": "02:00"},
            {"weekdays": ("sat",), "time_from": "01:00", "time_to": "05:00"},
            "on Sat 2026-01-03 01:00 Europe/Moscow",
        ),
        (
            {"valid_from": ms_instant(AT - 20), "valid_until": ms_instant(AT - 10)},
            {"valid_from": ms_instant(AT - 11), "valid_until": ms_instant(AT - 1)},
            "on Thu 2026-01-01 02:59 Europe/Moscow",  # long ago counts too: late uploads are priced by it
        ),
    ],
)
def test_rules_that_tie_are_refused_with_both_names_and_an_example(first: dict, second: dict, example: str):
    groups = GROUPS | {"cheap": ("A/T", "A/U")}
    rules = a_rule("one", **first), a_rule("two", **second)
    entry = decided(a_state(), set_tariff(a_tariff(time_zone="Europe/Moscow", groups=groups, rules=rules)))
    assert (entry.kind, entry.refusal, entry.record) == (EntryKind.REFUSED, 300, None)
    assert entry.reason.startswith("rules one and two tie: ")
    assert example in entry.reason


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"amount_to": 200}, {"amount_from": 200, "amount_to": 400}),
        ({"agent": "A/S"}, {"agent": "B/S"}),
        ({"group": "dear"}, {"group": "cheap"}),
        ({"weekdays": ("fri",)}, {"weekdays": ("sat",)}),
        (
            {"weekdays": ("fri",), "time_from": "22:00", "time_to": "01:00"},
            {"weekdays": ("sat",), "time_from": "01:00", "time_to": "04:00"},
        ),
        ({"valid_until": NOW}, {"valid_from": NOW}),
        # valid together on a Thursday only, when neither holds
        (
            {"weekdays": ("mon",), "valid_from": NOW, "valid_until": ms_instant(AT + 10**7)},
            {"weekdays": ("mon",), "valid_from": ms_instant(AT + 10**6), "valid_until": ms_instant(AT + 11 * 10**6)},
        ),
    ],
)
def test_rules_that_never_hold_together_do_not_tie(first: dict, second: dict):
    groups = GROUPS | {"cheap": ("A/U",)}
    rules = a_rule("one", **first), a_rule("two", **second)
    tariff = a_tariff(time_zone="Europe/Moscow", groups=groups, rules=rules)
    assert decided(a_state(), set_tariff(tariff)).kind is EntryKind.DIRECTORY_SET


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("9999-12-31T00:00:00Z", None),
        ("9999-12-31T20:00:00Z", None),
        ("9999-12-30T12:00:00Z", "9999-12-31T23:59:59-12:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-02T00:00:00Z"),
        (None, "0001-01-01T00:00:00+14:00"),
    ],
)
def test_rules_put_off_to_the_end_of_time_do_not_tie(zone: str, since: str | None, until: str | None):
    """The first and the last day of the calendar have no time in some zone: to look there ended the worker."""
    ends = (datetime.fromisoformat(one) if one is not None else None for one in (since, until))
    validity = dict(zip(("valid_from", "valid_until"), ends, strict=True))
    tariff = a_tariff(time_zone=zone, rules=(a_rule("one", **validity), a_rule("two", **validity)))
    assert decided(a_state(), set_tariff(tariff)).kind is EntryKind.DIRECTORY_SET


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rules": (("a", {}), ("a", {"amount_to": 1}))}, "two rules have the name a"),
        ({"rules": (("a", {"group": "nobody"}),)}, "does not list"),
        ({"rules": (("a", {"agent": "A/S", "group": "dear"}),)}, "not for both"),
        ({"rules": (("a", {"amount_from": 5, "amount_to": 5}),)}, "ends at 5, before it begins"),
        ({"rules": (("a", {"valid_from": NOW, "valid_until": NOW}),)}, "validity ends before it begins"),
        ({"rules": (("a", {"time_from": "10:00"}),)}, "one end of a time band"),
        ({"rules": (("a", {"time_from": "10:00", "time_to": "10:00"}),)}, "time band is empty"),
        ({"rules": (("a", {"time_from": "24:00", "time_to": "01:00"}),)}, "cannot begin at 24:00"),
        ({"rules": (("a", {"time_from": "10:00", "time_to": "24:01"}),)}, "pattern"),
        ({"rules": (("a", {"weekdays": ("mon", "mon")}),)}, "weekday twice"),
        ({"rules": (("a", {"reward_shares_bps": (5_000, 5_001)}),)}, "more than 10000"),
        ({"rules": (("a", {"fee": {"min_minor": 2, "max_minor": 1}}),)}, "max_minor is below min_minor"),
        ({"time_zone": "Mars/Olympus"}, "unknown time zone"),
        ({"groups": {"dear": ("A/S", "A/S")}}, "lists an agent twice"),
        ({"rules": tuple((f"r{n}", {"amount_from": n}) for n in range(501))}, "500 rules at most"),
    ],
)
def test_a_tariff_that_makes_no_sense_says_why(changes: dict, sentence: str):
    values = {"payee": "mobile", "groups": {"dear": ("A/S",)}} | changes
    values["rules"] = tuple({"name": name} | rule for name, rule in changes.get("rules", ()))
    with pytest.raises(ValidationError, match=sentence):
        Tariff.model_validate(values)


def test_a_payment_is_priced_by_its_rule_and_says_so():
    """Ex. 3: an absolute fee of 1000, of which 300 are the operator's and 700 the agent's."""
    rule = a_rule("flat", agent="A/S", fee=Fee(min_minor=1_000), processing=a_rate(min_minor=300), reward=a_rate())
    state = a_tree()
    held = decided(state, a_place(amount=31_250, fee=1_000, tariff=a_tariff(version=4, rules=(rule,))))
    assert held.payment is not None
    assert (held.payment.tariff_version, held.payment.tariff_rule) == (4, "flat")
    assert legs(held) == [("agent:S", -31_550), ("hold:S", 31_550)]
    posted = decided(state, a_settle())
    assert legs(posted) == [("hold:S", -31_550), ("payee:mobile", 31_250), ("fee", 300)]
    assert 31_550 + 700 == 31_250 + 1_000


def test_the_stated_fee_is_held_against_the_rule_that_holds():
    tariff = a_tariff(rules=(a_rule("flat", agent="A/S", fee=Fee(min_minor=1_000)),))
    entry = decided(a_tree(), a_place(amount=95_000, fee=5_000, tariff=tariff))
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, 255)
    assert entry.reason == "the fee within 1000.00 RUB is 10.00 RUB by rule flat of the tariff, not 50.00 RUB"


def test_prices_a_rule_does_not_give_are_the_tariffs_own():
    tariff = a_tariff(rules=(a_rule("evening", reward=a_rate(4)),))
    entry = decided(a_tree(), a_place(tariff=tariff))
    assert entry.payment is not None
    assert (entry.payment.fee, entry.payment.processing) == (5_000, 950)
    assert entry.payment.rewards == (("agent:S", 1_900), ("agent:A", 950), ("reward", 950))


@pytest.mark.parametrize(
    ("collected", "made_ms", "rule"),
    [
        (0, -3_600_000, "after"),  # the terminal's word does not count while it can still ask another fee
        (100_000, -3_600_000, "before"),  # the cash is in the box, and the fee was printed
        (100_000, 0, "after"),
        (100_000, 3_600_000, "after"),  # a clock ahead of ours buys no price of tomorrow
    ],
)
def test_cash_that_was_taken_is_priced_by_when_it_was_taken(collected: int, made_ms: int, rule: str):
    tariff = a_tariff(
        rules=(
            a_rule("before", valid_until=NOW),
            a_rule("after", valid_from=NOW, valid_until=ms_instant(AT + 60_000)),
            a_rule("tomorrow", valid_from=ms_instant(AT + 60_000)),
        )
    )
    entry = decided(a_tree(), a_place(collected=collected, made_at=ms_instant(AT + made_ms), tariff=tariff))
    assert entry.payment is not None
    assert (entry.kind, entry.payment.tariff_rule) == (EntryKind.HELD, rule)


@pytest.mark.parametrize(
    ("depth", "shares", "rewards"),
    [
        (1, (5_000, 2_500, 1_000), {"agent:A": 950, "reward": 950}),  # shorter than the shares: the rest goes up to us
        (4, (5_000,), {"agent:A3": 950, "reward": 950}),  # longer: those above get nothing
        (4, (3_333, 3_333, 3_333), {"agent:A3": 633, "agent:A2": 633, "agent:A1": 633, "reward": 1}),
        (2, (5_000, 5_000), {"agent:A1": 950, "agent:A": 950}),
    ],
)
def test_shares_meet_chains_that_are_shorter_or_longer(depth: int, shares: tuple[int, ...], rewards: dict[str, int]):
    names = ["A", *(f"A{level}" for level in range(1, depth))]
    opened = [open_agent(name, names[level - 1] if level else None) for level, name in enumerate(names)]
    state = a_state(*opened, a_deposit(names[-1], 200_000))
    entry = decided(state, a_place(agent=names[-1], tariff=a_tariff(reward_shares_bps=shares)))
    assert entry.payment is not None
    assert dict(entry.payment.rewards) == rewards


@pytest.mark.parametrize(
    ("rounding", "base", "fee"),
    [
        (None, "amount", 4_762), ("up", "amount", 4_762), ("down", "amount", 4_761), ("half", "amount", 4_762),
        (None, "collected", 5_000), ("down", "collected", 5_000),
    ],
)  # fmt: skip
def test_five_per_cent_of_100000_rounded(rounding, base: str, fee: int):
    assert Fee(rate_bps=500, base=base, rounding=rounding).within(100_000) == fee


@pytest.mark.parametrize(("rounding", "part"), [(None, 1), ("down", 1), ("half", 2), ("up", 2)])
def test_a_half_goes_where_the_rate_says(rounding, part: int):
    assert a_rate(1, rounding=rounding).of(150) == part
    assert a_rate(1, rounding=rounding).of(149) == (2 if rounding == "up" else 1)


def test_a_flat_tariff_is_written_as_it_always_was():
    """Its digest is on old ledgers: a command delivered again must still be known."""
    command = SetTariff(id="tariff-1", issued_at=NOW, tariff=a_tariff())
    assert set(a_tariff().model_dump(mode="json")) == {
        "payee", "version", "fee", "processing", "reward", "reward_shares_bps"
    }  # fmt: skip
    assert set(a_tariff().fee.model_dump(mode="json")) == {"rate_bps", "min_minor", "max_minor", "base"}
    assert command.digest() == "4d5beaad5f3a4a36abfae434b7ef9f67"


def test_a_tariff_with_rules_survives_being_written():
    tariff = a_tariff_with_rules()
    assert Tariff.model_validate_json(tariff.model_dump_json()) == tariff
    entry = decided(a_state(), set_tariff(tariff))
    assert entry.record is not None
    assert Tariff.model_validate(entry.record.value, strict=False) == tariff


@pytest.mark.parametrize("amounts", [(99, 100, 199, 200), (200, 199, 100, 99)])
def test_a_band_ends_where_it_ends_whichever_payment_came_first(amounts):
    choice = Choice(a_tariff(rules=(a_rule("band", amount_from=100, amount_to=200),)))
    found = {amount: choice.of("A/S", amount, AT) for amount in amounts}
    assert {amount for amount, one in found.items() if one is not None} == {100, 199}
