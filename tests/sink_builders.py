"""A small bookkeeper that makes sound ledger entries: books that balance, statements that chain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from schemas.entry import AgentTerms, Cause, DirectoryRecord, Entry, EntryKind, Leg, PaymentFacts
from schemas.outcome import GatewayOutcome, Verdict
from schemas.reversal import Posted

NOON = 1_773_316_800_000  # 2026-03-12 12:00:00 UTC, in ms

PAID = GatewayOutcome("pay", Verdict.PAID, "0", "prv-1", "thank you")
UNCLEAR = GatewayOutcome("pay", Verdict.UNCLEAR, "timeout")


def facts(number: int = 1, **changes: object) -> PaymentFacts:
    """Example 1 of the domain: 950.00 to the payee, 50.00 on top, 9.50 of it the operator's."""
    example = PaymentFacts(
        id=f"kiosk-1.{number}",
        number=number,
        terminal="kiosk-1",
        agent="S",
        payee="mobile",
        gateway="osmp",
        subscriber={"phone": "9161234567"},
        amount=95_000,
        fee=5_000,
        processing=950,
        collected=100_000,
        currency="RUB",
        txn=1_000_000 + number,
        tariff_version=3,
        payer_agent="S",
        held=95_950,
        rewards=(("agent:S", 950), ("agent:A", 475), ("reward", 475)),
        made_at=NOON - 60_000,
        received_at=NOON,
    )
    return replace(example, **changes)  # type: ignore[arg-type]


@dataclass
class Bookkeeper:
    """Makes the entries of one book, one after another; keeps them in `entries`."""

    book: str = "A"
    entries: list[Entry] = field(default_factory=list)
    _ends: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def entry(self, kind: EntryKind, movements: list[tuple[str, int]] | None = None, **changes: object) -> Entry:
        """The next entry of the book, with the legs these movements make."""
        currency = str(changes.pop("currency", "RUB"))
        made = Entry(
            book=self.book,
            seq=len(self.entries) + 1,
            kind=kind,
            at=int(str(changes.pop("at", NOON))),
            cause=Cause(f"{self.book}-{len(self.entries) + 1}", "ab" * 16, "kiosk-1:1"),
            legs=tuple(self._leg(account, currency, amount) for account, amount in movements or []),
        )
        made = replace(made, **changes)  # type: ignore[arg-type]
        self.entries.append(made)
        return made

    def open_agent(self, agent: str, overdraft: int = 0) -> Entry:
        terms = AgentTerms(agent, None, f"Agent {agent}", "RUB", overdraft, "own")
        return self.entry(EntryKind.AGENT_OPENED, agent=terms)

    def deposit(self, agent: str, amount: int) -> Entry:
        return self.entry(EntryKind.DEPOSITED, [("bank", -amount), (f"agent:{agent}", amount)], document="PP 17")

    def set_record(self, table: str, id: str, value: dict[str, object]) -> Entry:
        return self.entry(EntryKind.DIRECTORY_SET, record=DirectoryRecord(table, id, value))

    def hold(self, payment: PaymentFacts, at: int | None = None) -> Entry:
        payer = payment.payer_agent
        movements = [(f"agent:{payer}", -payment.held), (f"hold:{payer}", payment.held)]
        return self._about(payment, EntryKind.HELD, at, movements)

    def decline(self, payment: PaymentFacts, refusal: int = 220, at: int | None = None) -> Entry:
        return self._about(payment, EntryKind.DECLINED, at, [], refusal=refusal)

    def unclear(self, payment: PaymentFacts, tries: int = 1, at: int | None = None) -> Entry:
        due = (at or NOON) + 60_000
        return self._about(payment, EntryKind.UNKNOWN, at, [], tries=tries, due_at=due, outcome=UNCLEAR)

    def defer(self, payment: PaymentFacts, deferrals: int = 1, at: int | None = None) -> Entry:
        due = (at or NOON) + 60_000
        return self._about(payment, EntryKind.DEFERRED, at, [], deferrals=deferrals, due_at=due)

    def post(self, payment: PaymentFacts, at: int | None = None, outcome: GatewayOutcome | None = PAID) -> Entry:
        payee = f"payee:{payment.payee}"
        movements = [
            (f"hold:{payment.payer_agent}", -payment.held),
            (payee, payment.amount),
            ("fee", payment.processing),
            (payee, -sum(share for _, share in payment.rewards)),
            *payment.rewards,
        ]
        return self._about(payment, EntryKind.POSTED, at, movements, tries=1, outcome=outcome)

    def void(self, payment: PaymentFacts, at: int | None = None) -> Entry:
        payer = payment.payer_agent
        movements = [(f"hold:{payer}", -payment.held), (f"agent:{payer}", payment.held)]
        return self._about(payment, EntryKind.VOIDED, at, movements, refusal=5)

    def reverse(self, payment: PaymentFacts, at: int, refund: Literal["cash", "change"] = "cash") -> list[Entry]:
        """Asked for and given back in the same moment; it was posted when it was received."""
        posted = Posted(payment.received_at, PAID.provider_ref, refund)
        payee = f"payee:{payment.payee}"
        movements = [
            (payee, -payment.amount),
            ("fee", -payment.processing),
            (f"agent:{payment.payer_agent}", payment.held),
            *((account, -share) for account, share in payment.rewards),
            (payee, sum(share for _, share in payment.rewards)),
        ]
        said = GatewayOutcome("cancel", Verdict.CANCELLED, "0", "cancel-1")
        return [
            self._about(payment, EntryKind.REVERSING, at, [], posted=posted, reason="Wrong number", document="Letter"),
            self._about(payment, EntryKind.REVERSED, at, movements, posted=posted, tries=1, outcome=said),
        ]

    def keep(self, payment: PaymentFacts, at: int) -> list[Entry]:
        """Asked for, and the payee keeps it."""
        posted = Posted(payment.received_at, PAID.provider_ref, "cash")
        said = GatewayOutcome("cancel", Verdict.FATAL, "300", "cancel-2", "Money was spent")
        more: dict[str, object] = {"tries": 1, "refusal": 300, "reason": said.comment, "outcome": said}
        return [
            self._about(payment, EntryKind.REVERSING, at, [], posted=posted),
            self._about(payment, EntryKind.REVERSAL_REFUSED, at, [], posted=posted, **more),
        ]

    def pay(self, payment: PaymentFacts) -> list[Entry]:
        return [self.hold(payment), self.post(payment)]

    def _about(
        self, payment: PaymentFacts, kind: EntryKind, at: int | None, movements: list[tuple[str, int]], **more: object
    ) -> Entry:
        when = payment.received_at if at is None else at
        return self.entry(kind, movements, payment=payment, currency=payment.currency, at=when, **more)

    def _leg(self, account: str, currency: str, amount: int) -> Leg:
        seq, balance = self._ends.get((account, currency), (0, 0))
        leg = Leg(account, currency, amount, seq + 1, balance + amount)
        self._ends[account, currency] = (leg.seq, leg.balance)
        return leg
