"""The audit works out every held payment's price again from the tariffs on the ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.audit_ledger import LedgerAudit
from console.audit_tariffs import TariffAudit
from schemas.entry import Entry, PaymentFacts
from schemas.ids import ms_instant
from tests.builders import AT, a_place, a_state, a_tariff_with_rules, a_tree, decided, open_agent, set_tariff

TARIFF = a_tariff_with_rules(version=3)


def audited(entry: Entry) -> list[str]:
    """What the audit finds about a HELD entry of agent S under A, with the tariff on another partition."""
    ledger, audit = LedgerAudit(), TariffAudit()
    audit.learn(decided(a_state(), set_tariff(TARIFF)))
    state = a_state()
    opened = [decided(state, open_agent("A")), decided(state, open_agent("S", "A"))]
    for seen in (*opened, entry):
        ledger.see(0, 0, seen)
        audit.see(0, 0, seen, ledger)
    assert audit.check.looked_at == 1
    return audit.check.failures


def held(**changes: object) -> Entry:
    order = {"amount": 950, "fee": 67, "collected": 1_017, "made_at": ms_instant(AT - 1)} | changes
    entry = decided(a_tree(), a_place(tariff=TARIFF, **order))
    assert entry.kind == "HELD", entry.reason
    return entry


def test_a_right_price_is_right():
    entry = held()
    assert entry.payment is not None
    assert entry.payment.tariff_rule == "dear-small"
    assert audited(entry) == []


def test_cash_that_was_taken_is_judged_by_when_it_was_taken():
    """At receipt the night rule holds; a day before, in the evening, the one for evenings."""
    entry = held(amount=95_000, fee=5_000, collected=100_000, made_at=ms_instant(AT - 8 * 3_600_000))
    assert entry.payment is not None
    assert entry.payment.tariff_rule == "evening"
    assert audited(entry) == []


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"tariff_rule": "night"}, "has rule 'night', should have 'dear-small'"),
        ({"tariff_rule": ""}, "has rule '', should have 'dear-small'"),
        ({"fee": 65}, "has fee 65, should have 66"),
        ({"processing": 10}, "has processing 10, should have 9"),
        ({"rewards": (("agent:S", 9), ("agent:A", 5), ("reward", 5))}, "should have (('agent:S', 9), ('agent:A', 4)"),
        ({"tariff_version": 2}, "priced by tariff 2 of mobile, which is not on the ledger"),
        ({"tariff_version": 0}, "has rule 'dear-small', should have ''"),
    ],
)
def test_a_price_that_was_altered_is_found(changes: dict[str, object], wrong: str):
    entry = held()
    assert isinstance(entry.payment, PaymentFacts)
    (failure,) = audited(replace(entry, payment=replace(entry.payment, **changes)))
    assert wrong in failure
