"""The audit against a real simulator's own book: paid once, to the right subscriber, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.audit_payee import GatewayAddresses, NoSimulator, PayeeAudit, books
from console.audit_payments import PaymentAudit
from console.audit_report import Check
from schemas.entry import EntryKind
from tests.audit_ledgers import POSTED, RESOLVED, VOIDED, a_ledger

LATER = 10**15  # ms: an audit that begins then knows of everything that was paid
_numbers = count(1)


class Payee:
    """One payee of the simulator, with a ledger whose gateway leads there."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.name = f"mobile-{next(_numbers)}"
        simulator.behave(self.name, Behaviour())
        self.audit, self.gateways = PaymentAudit(), GatewayAddresses()
        for offset, entry in enumerate(a_ledger(simulator.url_of(self.name))):
            self.audit.see(0, offset, entry)
            self.gateways.see(entry)

    def number(self, payment: str) -> int:
        """The payment's number at the payee."""
        index = self.audit.index
        return next(txn for txn, number in index.by_txn.items() if index.ids[number] == payment)

    def pay(self, txn: int, account: str = "9161234567", amount: str = "950.00") -> None:
        wanted = {"command": "pay", "txn_id": str(txn), "account": account, "sum": amount}
        reply = httpx.get(self.simulator.url_of(self.name), params=wanted, trust_env=False).raise_for_status()
        assert "<result>0</result>" in reply.text

    def audited(self, began_at: int = LATER, at: str = "") -> tuple[Check, Check]:
        """(payee.posted, payee.paid)."""
        audit = PayeeAudit(self.audit.index, self.gateways.at(at or self.simulator.url), began_at)
        for paid in books(self.simulator.url):
            if paid.book == self.name:
                audit.see(paid)
        posted, paid_check = audit.checks()
        return posted, paid_check


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("payees"), {}) as running:
        yield running


@pytest.fixture
def payee(simulator: Simulator) -> Payee:
    """It was paid exactly what the ledger has as POSTED."""
    made = Payee(simulator)
    for payment in (POSTED, RESOLVED):
        made.pay(made.number(payment))
    return made


def test_what_was_posted_and_paid_once_passes_and_open_payments_are_counted(payee: Payee):
    posted, paid = payee.audited()
    assert (posted.verdict, posted.looked_at, posted.note) == ("ok", 2, "3 still open")
    assert (paid.verdict, paid.looked_at) == ("ok", 2)


def test_asking_again_under_the_same_number_is_still_one_payment(payee: Payee):
    payee.pay(payee.number(POSTED))
    assert all(check.passed for check in payee.audited())


def twice(payee: Payee) -> None:
    payee.pay(payee.number(POSTED) + 1_000)


def given_back(payee: Payee) -> None:
    payee.pay(payee.number(VOIDED))


@pytest.mark.parametrize(
    ("do", "told"), [(twice, "the ledger knows no such payment"), (given_back, "the ledger has it VOIDED")]
)
def test_what_was_paid_and_not_posted_is_found(payee: Payee, do: Callable[[Payee], None], told: str):
    do(payee)
    posted, paid = payee.audited()
    assert posted.passed
    (failure,) = paid.failures
    assert failure.startswith(f"payee {payee.name} number ")
    assert failure.endswith(told)


def test_what_was_paid_since_the_audit_began_may_be_unknown_to_it(payee: Payee):
    twice(payee)
    _, paid = payee.audited(began_at=0)
    assert (paid.passed, paid.note) == (True, "1 since the audit began")


@pytest.mark.parametrize("wrong", [{"account": "9160000000"}, {"amount": "950.01"}, {"amount": "9500.0"}])
def test_another_subscriber_or_sum_is_found_and_the_subscriber_is_not_shown(
    simulator: Simulator, wrong: dict[str, str]
):
    payee = Payee(simulator)
    payee.pay(payee.number(POSTED), **wrong)
    payee.pay(payee.number(RESOLVED))
    posted, paid = payee.audited()
    assert paid.passed
    (failure,) = posted.failures
    assert f"payment {POSTED} was paid with another subscriber or sum" in failure
    assert "916" not in failure


def test_a_posted_payment_that_was_never_paid_is_found(simulator: Simulator):
    payee = Payee(simulator)
    payee.pay(payee.number(POSTED))
    posted, _ = payee.audited()
    (failure,) = posted.failures
    offset = next(
        offset for offset, entry in enumerate(a_ledger(simulator.url_of(payee.name)))
        if entry.payment is not None and (entry.payment.id, entry.kind) == (RESOLVED, EntryKind.POSTED)
    )  # fmt: skip
    assert failure == f"partition 0 offset {offset}: payment {RESOLVED} is POSTED, and the payee was never paid"


def test_a_payment_at_another_payee_is_found(simulator: Simulator, payee: Payee):
    other = Payee(simulator)
    other.gateways, other.audit = payee.gateways, payee.audit
    other.pay(payee.number(POSTED))
    posted, _ = other.audited()
    assert any("not here" in failure for failure in posted.failures)


def test_payments_by_gateways_that_lead_elsewhere_are_not_looked_at(payee: Payee):
    posted, _ = payee.audited(at="http://127.0.0.1:9")
    assert posted.looked_at == 0


def test_an_address_nobody_can_be_asked_under_is_passed_over(payee: Payee):
    for entry in a_ledger("http://[::1"):  # which a record may have had
        payee.gateways.see(entry)
    assert payee.gateways.at(payee.simulator.url).popitem()[1] == {payee.name}


def test_a_simulator_that_does_not_answer_is_no_verdict():
    with pytest.raises(NoSimulator, match="no simulator answers"):
        list(books("http://127.0.0.1:9"))
