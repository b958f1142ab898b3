"""Where subscribers are in the payee's list, its gateway is asked no check; and which list may be put in force."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.asking import Asking
from agents.gateways.capabilities import Capabilities
from agents.listed import Listed
from schemas.command import SetSubscribers
from schemas.entry import EntryKind, PaymentFacts
from schemas.ids import ms_instant
from schemas.outcome import GatewayOutcome, Verdict
from streams.ledger.payments import PaymentState
from tests.builders import AT, NOW, a_state, an_instruct, decided
from tests.builders_subscribers import a_list
from tests.gateway_builders import a_payment


class PayOnly:
    """A payee that has no check, and tells what it was asked."""

    capabilities = Capabilities(check=False)

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def pay(self, facts: PaymentFacts) -> GatewayOutcome:
        self.asked.append("pay")
        return GatewayOutcome("pay", Verdict.PAID, "0")


async def answered(said: GatewayOutcome) -> tuple[GatewayOutcome, list[str]]:
    """What comes of a payment's first turn where the list says this, and what the payee was asked."""
    payee, facts = PayOnly(), a_payment()
    state = PaymentState(facts.id, "A", b"", EntryKind.HELD, facts.txn, AT, facts=facts)

    async def never() -> bool:
        raise AssertionError("it is idempotent")

    gateway: Any = Listed(payee, lambda _: said)  # type: ignore[arg-type]
    answer = await Asking(gateway, state, facts, False, never, lambda: True).answer(wants_check=True)
    assert answer is not None
    return answer.outcome, payee.asked


@pytest.mark.parametrize("verdict", [Verdict.FATAL, Verdict.NOT_SENT])
async def test_who_is_not_found_is_not_paid(verdict: Verdict) -> None:
    said = GatewayOutcome("check", verdict, "5")
    assert await answered(said) == (said, [])


async def test_who_is_found_is_paid_at_the_payee_though_it_has_no_check() -> None:
    outcome, asked = await answered(GatewayOutcome("check", Verdict.CHECKED))
    assert (outcome.verdict, asked) == (Verdict.PAID, ["pay"])


def set_list(command_id: str = "list-1", **changes: Any) -> Any:
    return an_instruct(SetSubscribers(id=command_id, issued_at=NOW, list=a_list(**changes)))


def test_a_list_is_as_of_when_it_is_decided_if_it_does_not_say() -> None:
    entry = decided(a_state(), set_list(as_of=None))
    assert (entry.kind, entry.book) == (EntryKind.DIRECTORY_SET, "subscriber_lists/mobile")
    assert entry.record is not None
    assert entry.record.value["as_of"] == NOW.isoformat().replace("+00:00", "Z")
    earlier = NOW - timedelta(days=3)
    entry = decided(a_state(), set_list(as_of=earlier))
    assert entry.record is not None
    assert entry.record.value["as_of"] == earlier.isoformat().replace("+00:00", "Z")


def test_a_list_as_of_a_time_to_come_is_refused() -> None:
    entry = decided(a_state(), set_list(as_of=ms_instant(AT + 1)))
    assert (entry.kind, entry.reason) == (EntryKind.REFUSED, "the list of mobile is as of a time to come")
