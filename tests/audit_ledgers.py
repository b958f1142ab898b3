"""A small ledger with a payment of every course, made by the real core, and what the audit says of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from console.audit_agents import AgentAudit
from console.audit_cash import CashAudit
from console.audit_clearing import ClearingAudit
from console.audit_core import CoreFold
from console.audit_corrections import CorrectionAudit
from console.audit_fees import FeeAudit
from console.audit_ledger import LedgerAudit
from console.audit_limits import LimitAudit
from console.audit_payments import PaymentAudit
from console.audit_report import Check
from console.audit_vouchers import VoucherAudit
from schemas.entry import Entry, EntryKind, Leg
from schemas.outcome import Verdict
from streams.ledger.commands import LedgerCommand
from streams.ledger.perform import perform
from streams.ledger.state import State
from tests.builders import (
    AT,
    a_deposit,
    a_gateway,
    a_place,
    a_resolve,
    a_retry,
    a_settle,
    open_agent,
    set_gateway,
    set_limit,
)
from tests.builders_cash import a_collection
from tests.builders_clearing import a_transfer_to, called_for_by
from tests.builders_fees import fee_due
from tests.builders_routes import a_payee_with, an_answer
from tests.builders_vouchers import vouchers_words

POSTED, RESOLVED, VOIDED, HELD, DECLINED, UNKNOWN = (f"kiosk-1.{number}" for number in range(1, 7))
REROUTED = "kiosk-1.8"


def commands(gateway_url: str) -> list[LedgerCommand]:
    once = a_retry(budget=1)
    return [
        set_gateway(a_gateway(url=gateway_url)),
        open_agent("A"),
        open_agent("S", "A", overdraft=50_000),
        a_deposit("S", 1_000_000),
        open_agent("B", tree="B"),
        open_agent("C", tree="C"),
        a_deposit("C", 1_000, "C"),
        a_transfer_to("B", "C", "B", 100, "C"),
        a_transfer_to("B", "C", "nobody", 100, "C"),
        a_place(number=1),
        a_settle(POSTED),
        a_place(number=2),
        a_settle(RESOLVED, Verdict.UNCLEAR, retry=once),
        a_resolve(RESOLVED),
        a_place(number=3),
        a_settle(VOIDED, Verdict.FATAL, "check", code="5"),
        a_place(number=4),
        a_settle(HELD, Verdict.NOT_SENT, "check"),
        a_place(number=5, amount=10),
        a_place(number=6),
        a_settle(UNKNOWN, Verdict.UNCLEAR),
        open_agent("W", "A"),
        a_place(number=7, agent="W", collected=100_500, change_to="ab" * 16),
        a_deposit("W", 100_000),
        a_collection(200_000),
        fee_due(),
        a_place(number=8, payee=a_payee_with("osmp-1", "osmp-2")),
        an_answer(payment=REROUTED),
        an_answer(Verdict.FATAL, code="5", payment=REROUTED),
        set_limit("S", 20_000),
    ]


def a_ledger(gateway_url: str = "http://127.0.0.1:9/mobile/", *more: LedgerCommand) -> list[Entry]:
    """The entries of one partition, in order: each state a payment can be in, and every kind of command, then more."""
    state = State(0)
    asked, entries = [*commands(gateway_url), *more], list[Entry]()
    for n, command in enumerate(asked):
        decision = perform(state, command, AT + n)
        if isinstance(decision, list):
            entries += decision
            asked[n + 1 : n + 1] = [*called_for_by(decision), *vouchers_words(decision)]
    return entries


def audited(entries: Iterable[Entry]) -> dict[str, Check]:
    """The checks that look at the ledger alone, by name."""
    ledger, payments, core = LedgerAudit(), PaymentAudit(), CoreFold()
    agents, limits, clearing = AgentAudit(ledger), LimitAudit(), ClearingAudit(ledger)
    cash, fees, corrections, vouchers = CashAudit(), FeeAudit(ledger), CorrectionAudit(), VoucherAudit(ledger)
    core.begin(0, ledger, payments)
    for offset, entry in enumerate(entries):
        ledger.see(0, offset, entry)
        payments.see(0, offset, entry)
        agents.see(0, offset, entry)
        limits.see(0, offset, entry)
        clearing.see(0, offset, entry)
        cash.see(0, offset, entry)
        fees.see(0, offset, entry)
        corrections.see(0, offset, entry)
        vouchers.see(0, offset, entry)
        core.see(0, offset, entry)
    core.end(ledger, payments)
    found = (*ledger.checks(), *payments.checks(ledger), *agents.checks(), *limits.checks(), *clearing.checks())
    found = (*found, *vouchers.checks())
    return {check.name: check for check in (*found, cash.check, fees.check, corrections.check, core.check)}


def failed(entries: Iterable[Entry]) -> set[str]:
    return {name for name, check in audited(entries).items() if not check.passed}


def find(entries: list[Entry], payment: str, kind: EntryKind) -> int:
    """Where in the list the payment's entry of that kind is."""
    return next(n for n, one in enumerate(entries) if one.payment and one.payment.id == payment and one.kind is kind)


def with_leg(entry: Entry, number: int, **changes: object) -> Entry:
    legs = list(entry.legs)
    legs[number] = replace(legs[number], **changes)  # type: ignore[arg-type]
    return replace(entry, legs=tuple(legs))


def rechained(entries: Iterable[Entry]) -> list[Entry]:
    """The same decisions with entries and legs counted and added up anew: only what they mean is wrong now."""
    seqs: dict[str, int] = {}
    ends: dict[tuple[str, str, str], tuple[int, int]] = {}
    sound = []
    for entry in entries:
        seqs[entry.book] = seqs.get(entry.book, 0) + 1
        legs = []
        for leg in entry.legs:
            key = (entry.book, leg.account, leg.currency)
            seq, balance = ends.get(key, (0, 0))
            ends[key] = (seq + 1, balance + leg.amount)
            legs.append(Leg(leg.account, leg.currency, leg.amount, *ends[key]))
        sound.append(replace(entry, seq=seqs[entry.book], legs=tuple(legs)))
    return sound
