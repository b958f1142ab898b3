"""Random tariffs: those accepted never tie at a payment, and both ways to compute agree to the last minor unit.

The judge is console.audit_prices, which shares nothing with the core: it tries every rule with calendars and fractions.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

import tests.hypothesis_profiles  # noqa: F401
from console.audit_prices import fee_in, winners, worked_out
from schemas.ids import ms_instant
from schemas.money import MAX_MINOR
from schemas.tariff import Fee, Rate, Tariff, TariffRule
from schemas.week import WEEKDAYS
from streams.ledger.fees import fee_within, processing_of, rewards_of
from streams.ledger.state import Account, AgentState
from streams.ledger.tariff_choice import Choice
from streams.ledger.tariff_ties import first_tie
from tests.builders import AT, a_tariff

AGENTS = ("A/A", "A/S", "A/T", "B/B")
ZONES = ("UTC", "Europe/Moscow", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe")
SPRING = 1_774_746_000_000  # 2026-03-29T01:00Z, when clocks of Berlin go from 02:00 to 03:00
EDGES = ("00:00", "01:30", "02:00", "02:30", "03:00", "06:00", "12:00", "18:00", "23:59")

rates = st.builds(
    Rate,
    rate_bps=st.integers(0, 10_000),
    min_minor=st.integers(0, 50),
    max_minor=st.none() | st.integers(50, 10**6),
    rounding=st.sampled_from([None, "down", "up", "half"]),
)
fees = st.builds(
    Fee,
    rate_bps=st.integers(0, 10_000),
    min_minor=st.integers(0, 50),
    max_minor=st.none() | st.integers(50, 10**6),
    rounding=st.sampled_from([None, "down", "up", "half"]),
    base=st.sampled_from(["amount", "collected"]),
)
edges = st.sampled_from([99, 100, 101, 199, 200, 201, 300])
shares = st.lists(st.integers(0, 2_500), max_size=4).map(tuple)
moments = st.one_of(
    st.integers(AT, AT + 7 * 86_400_000),
    st.integers(SPRING - 7_200_000, SPRING + 7_200_000),
    st.integers(0, 24 * 14).map(lambda half_hours: AT + half_hours * 1_800_000),
)


@st.composite
def rules(draw: st.DrawFn, name: str) -> TariffRule:
    """Few values for each condition, so that rules meet."""
    whom = draw(st.sampled_from([{}, {}, {"agent": "A/S"}, {"agent": "A/T"}, {"group": "g"}, {"group": "h"}]))
    conditions: dict[str, object] = dict(whom)
    if draw(st.booleans()):
        conditions["weekdays"] = tuple(sorted(draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1, max_size=3))))
    if draw(st.booleans()):
        begins, ends = draw(st.lists(st.sampled_from(EDGES), min_size=2, max_size=2, unique=True))
        conditions |= {"time_from": begins, "time_to": ends}
    if draw(st.booleans()):
        low = draw(st.sampled_from([0, 100, 200]))
        conditions |= {"amount_from": low, "amount_to": draw(st.sampled_from([None, low + 1, low + 100]))}
    if draw(st.booleans()):
        since = ms_instant(draw(st.sampled_from([AT, SPRING])) + draw(st.integers(0, 96)) * 1_800_000)
        until = draw(st.sampled_from([None, since + timedelta(hours=1), since + timedelta(days=2)]))
        conditions |= {"valid_from": since, "valid_until": until}
    prices = {"fee": draw(st.none() | fees), "processing": draw(st.none() | rates), "reward": draw(st.none() | rates)}
    return TariffRule(name=name, **conditions, **prices, reward_shares_bps=draw(st.none() | shares))


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    count = draw(st.integers(1, 8))
    return a_tariff(
        time_zone=draw(st.sampled_from(ZONES)),
        groups={"g": ("A/S", "A/A"), "h": ("A/S", "A/T")},
        rules=tuple(draw(rules(f"r{number}")) for number in range(count)),
        fee=draw(fees),
        reward_shares_bps=draw(shares),
    )


@given(tariff=tariffs(), agent=st.sampled_from(AGENTS), amount=st.integers(1, 400), at=moments)
def test_an_accepted_tariff_never_ties_and_the_narrowest_rule_is_chosen(tariff, agent, amount, at):
    best = winners(tariff, agent, amount, at)
    if first_tie(tariff, AT) is None:
        assert len(best) <= 1
        chosen = Choice(tariff).of(agent, amount, at)
        assert (chosen.name if chosen else "") == (best[0].name if best else "")


@given(tariff=tariffs(), asked=st.lists(st.tuples(st.sampled_from(AGENTS), edges, moments), min_size=2, max_size=30))
def test_what_was_found_for_one_payment_is_not_kept_for_another(tariff, asked):
    """One prepared tariff for all of them, as a worker has it; amounts on both sides of where bands begin and end."""
    assume(first_tie(tariff, AT) is None)
    choice = Choice(tariff)
    for agent, amount, at in asked:
        best, chosen = winners(tariff, agent, amount, at), choice.of(agent, amount, at)
        assert (chosen.name if chosen else "") == (best[0].name if best else "")


@given(tariff=tariffs())
def test_a_tie_is_shown_by_an_example_that_is_one(tariff):
    tie = first_tie(tariff, AT)
    assume(tie is not None)
    assert tie is not None
    alone = tariff.model_copy(update={"rules": tuple(r for r in tariff.rules if r.name in (tie.first, tie.second))})
    found = winners(alone, tie.agent or "nobody/nobody", tie.amount, tie.at)
    assert {rule.name for rule in found} == {tie.first, tie.second}


@given(tariff=tariffs(), depth=st.integers(1, 6), amount=st.integers(1, 10**9), at=moments)
def test_the_price_is_what_another_accountant_finds(tariff, depth, amount, at):
    assume(first_tie(tariff, AT) is None)
    line = ["S", "A", "B", "C", "D", "E"][:depth]
    chain = [AgentState(name, None, "", "RUB", 0, "own", Account(), Account()) for name in line]
    rule = Choice(tariff).of("A/S", amount, at)
    prices = rule.prices if rule is not None else tariff
    fee = prices.fee.on_top(amount) or 0
    worked = worked_out(tariff, line, "A", amount, fee, at)
    assert worked.rule == (rule.name if rule is not None else "")
    assert worked.fee == fee_within(prices, amount + fee)
    assert worked.processing == processing_of(prices, amount)
    assert worked.rewards == rewards_of(prices, amount, chain)
    assert sum(share for _, share in worked.rewards) == prices.reward.of(amount)


@given(fee=fees, amount=st.integers(1, MAX_MINOR))
def test_the_fee_on_top_is_the_fee_within_the_total(fee, amount):
    on_top = fee.on_top(amount)
    if on_top is None:
        assert (fee.base, fee.rate_bps) == ("collected", 10_000)
        assert all(fee.within(amount + other) != other for other in (0, 1, fee.min_minor, amount, MAX_MINOR))
    else:
        assert fee.within(amount + on_top) == on_top == fee_in(amount + on_top, fee)


@given(fee=fees, total=st.integers(1, MAX_MINOR))
def test_whatever_was_put_in_divides_into_amount_and_fee_without_a_remainder(fee, total):
    within = fee.within(total)
    assert within == fee_in(total, fee)
    if within < total:
        amount = total - within
        assert fee.within(amount + within) == within
