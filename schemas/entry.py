"""An entry: one record on topic `ledger`, one atomic decision, and the legs by which it moved money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from pydantic import TypeAdapter

from schemas.cash import Collection
from schemas.change import ChangeNote
from schemas.correction import Correction
from schemas.crossing import Crossing
from schemas.outcome import GatewayOutcome
from schemas.plan import Charge
from schemas.record import record
from schemas.registry import RegistryNote
from schemas.reversal import Posted
from schemas.voucher import VoucherNote
from schemas.window import Window


class EntryKind(StrEnum):
    """What was decided. The payment kinds up to SENT double as the payment's state after the entry."""

    HELD = "HELD"  # funds reserved; a gateway may be called
    DECLINED = "DECLINED"  # refused before anything was reserved; final
    UNKNOWN = "UNKNOWN"  # a pay was sent and its outcome is not clear; ask again with the same number
    POSTED = "POSTED"  # the payee has it; the hold became final; final
    VOIDED = "VOIDED"  # the payee has it not and will not; the hold is released; final
    MANUAL = "MANUAL"  # cannot be settled by asking; an operator decides with evidence
    WAITING_FUNDS = "WAITING_FUNDS"  # the cash is in the box, the money is not on the account; held when it comes
    SENT = "SENT"  # a pay that must not be repeated is about to leave for the payee
    DEFERRED = "DEFERRED"  # nothing was sent and it was not possible to ask; still HELD, due again
    REROUTED = "REROUTED"  # nothing was sent, and another of the payee's gateways is asked instead; still HELD
    AGENT_OPENED = "AGENT_OPENED"
    LIMIT_SET = "LIMIT_SET"
    DEPOSITED = "DEPOSITED"
    DIRECTORY_SET = "DIRECTORY_SET"  # a terminal, payee, tariff, gateway or operator record
    CHANGE_PAID_OUT = "CHANGE_PAID_OUT"  # an agent gave a payer cash for change
    WINDOW_CLOSED = "WINDOW_CLOSED"  # a settlement window ended; what was owed to its payee is paid out
    REFUSED = "REFUSED"  # an operator's command that changes nothing, and why
    AGENT_BLOCKED = "AGENT_BLOCKED"
    AGENT_UNBLOCKED = "AGENT_UNBLOCKED"
    AGENT_CLOSED = "AGENT_CLOSED"  # for good
    TRANSFERRED = "TRANSFERRED"  # from one agent of the tree to another
    WITHDRAWN = "WITHDRAWN"  # an agent's money went to its bank
    AGENT_MOVED = "AGENT_MOVED"  # to another place in its tree
    TRANSFER_SENT = "TRANSFER_SENT"  # money left for another tree
    TRANSFER_RECEIVED = "TRANSFER_RECEIVED"  # money came from another tree
    TRANSFER_REJECTED = "TRANSFER_REJECTED"  # money from another tree cannot be taken and goes back
    TRANSFER_RETURNED = "TRANSFER_RETURNED"  # the other tree could not take it, and here it is again
    TRANSFER_CONFIRMED = "TRANSFER_CONFIRMED"  # the other tree has it
    CURRENCY_OPENED = "CURRENCY_OPENED"  # an agent has an account in a further currency
    CHANGE_EXPIRED = "CHANGE_EXPIRED"  # nobody touched it for as long as is written there
    CHANGE_RECLAIMED = "CHANGE_RECLAIMED"  # an agent gave a payer cash for change that had expired
    EXCHANGED = "EXCHANGED"  # an agent's money in one currency became money in another
    FEE_CHARGED = "FEE_CHARGED"  # a period of a plan, to an agent
    CASH_COLLECTED = "CASH_COLLECTED"  # a terminal was emptied and its cash counted
    REVERSING = "REVERSING"  # of a posted payment: the payee is asked to give it back, again while it is not clear
    REVERSED = "REVERSED"  # the payee gave it back; all that was posted is taken back; final
    REVERSAL_REFUSED = "REVERSAL_REFUSED"  # the payee keeps it: the payment is POSTED again
    REVERSAL_MANUAL = "REVERSAL_MANUAL"  # whether the payee gave it back is for an operator to find out
    CHANGE_BLOCKED = "CHANGE_BLOCKED"  # what it came from is in doubt: nothing leaves it
    CHANGE_UNBLOCKED = "CHANGE_UNBLOCKED"
    CORRECTION_PROPOSED = "CORRECTION_PROPOSED"  # by one operator; another must approve it before anything moves
    CORRECTION_DROPPED = "CORRECTION_DROPPED"  # a proposal came to nothing
    CORRECTED = "CORRECTED"  # money was moved by hand
    VOUCHERS_LOADED = "VOUCHERS_LOADED"  # a chunk of a batch; none of it is for sale before the whole batch is there
    VOUCHER_BATCH_OPENED = "VOUCHER_BATCH_OPENED"  # its last chunk came: it is for sale, and owed to its supplier
    VOUCHER_BATCH_DROPPED = "VOUCHER_BATCH_DROPPED"  # it was given up before it was loaded to its end
    VOUCHER_BATCH_BLOCKED = "VOUCHER_BATCH_BLOCKED"  # none of it is reserved or sold
    VOUCHER_BATCH_UNBLOCKED = "VOUCHER_BATCH_UNBLOCKED"
    VOUCHER_RESERVED = "VOUCHER_RESERVED"  # one is kept for a payment that is to come
    VOUCHER_LAPSED = "VOUCHER_LAPSED"  # payments did not come in time: what was kept for them is for sale again
    VOUCHER_SOLD = "VOUCHER_SOLD"  # one is a payment's for good
    VOUCHER_NONE = "VOUCHER_NONE"  # there was none for a payment
    VOUCHER_REPRINTED = "VOUCHER_REPRINTED"  # its terminal was told a PIN again
    SUPPLIER_PAID = "SUPPLIER_PAID"  # for vouchers, from the bank
    QUEUED = "QUEUED"  # of a payment that is HELD: it goes to its payee in a registry
    REGISTRY_LINE = "REGISTRY_LINE"  # a queued payment is in its payee's open registry
    REGISTRY_CUT = "REGISTRY_CUT"  # a registry has its last line, and a total
    REGISTRY_DELIVERED = "REGISTRY_DELIVERED"  # the payee has the registry
    REGISTRY_ANSWERED = "REGISTRY_ANSWERED"  # the payee said of some lines whether it takes them


# POSTED may still be reversed, if the payee permits it; the others are for ever.
FINAL = frozenset({EntryKind.DECLINED, EntryKind.POSTED, EntryKind.VOIDED, EntryKind.REVERSED})
# Kinds that are no state: where the payment stands after them.
STANDS = {
    EntryKind.DEFERRED: EntryKind.HELD,
    EntryKind.REROUTED: EntryKind.HELD,
    EntryKind.REVERSAL_REFUSED: EntryKind.POSTED,
}


@record
class Leg:
    """One line of one account's statement: credit is positive, debit negative, minor units.

    Accounts belong to a book; `seq` counts this account's legs 1, 2, 3, … and `balance` is what it has after this one.
    """

    account: str
    currency: str
    amount: int
    seq: int
    balance: int


@record
class Cause:
    """What the entry answers: a payment order, an operator's command, or a gateway's outcome.

    `by` is the key id that signed it, "dispatch", or "funds" when money came. `digest` is the content hash
    redelivery is judged by.
    """

    id: str
    digest: str
    by: str


@record
class PaymentFacts:
    """All of a payment that does not change after it was received, but for its route. Amounts in minor units, times in
    ms UTC.

    txn: our number at the payee, the same in every request. held: what was reserved of the agent's money, or is to be.
    payer_agent: whose money it is (the agent itself, or the one above whose limit it shares). rewards: account and
    amount of each share of the payee's reward, fixed at receipt. day, chain: once held, the tree's business day
    ("2026-11-24") of that moment and the agents whose limits the payment counts for, from the seller up to the root.
    tariff_version, tariff_rule: what it was priced by; 0: the payee had no tariff; "": the tariff's own prices.
    held_at: when funds were reserved, if that was later than the receipt; it and txn are 0, day and chain empty, for as
    long as the payment waits for funds. change_to: fingerprint of the code under which the payer's money is kept;
    empty: under the payment's id. spent: fingerprint and amount of change that paid for it, once held. served: how its
    payee is (schemas.payee.Served); empty: online, over the gateway. gateway: through which it is paid. routes: others
    it may still be paid through, the next one first. rerouted_from: those that were asked before and let it go.
    """

    id: str
    number: int
    terminal: str
    agent: str
    payee: str
    gateway: str
    subscriber: dict[str, str]
    amount: int
    fee: int
    processing: int
    collected: int
    currency: str
    txn: int
    tariff_version: int
    payer_agent: str
    held: int
    rewards: tuple[tuple[str, int], ...]
    made_at: int
    received_at: int
    day: str = ""
    chain: tuple[str, ...] = ()
    tariff_rule: str = ""
    held_at: int = 0
    change_to: str = ""
    spent: tuple[tuple[str, int], ...] = ()
    served: str = ""
    routes: tuple[str, ...] = ()
    rerouted_from: tuple[str, ...] = ()

    @property
    def from_change(self) -> int:
        """What change paid of amount and fee; minor units."""
        return sum(amount for _, amount in self.spent) if self.spent else 0

    @property
    def change(self) -> int:
        """What was put in beyond amount and fee, change that was spent before cash; minor units."""
        return max(0, self.collected + self.from_change - self.amount - self.fee) if self.collected else 0


@dataclass(frozen=True, slots=True)
class AgentTerms:
    """An agent's terms in one currency after the entry. overdraft in minor units; funding is "own" or "shared".

    Parent, name, funding, status, time zone and payees are the agent's own, in whatever currency.

    status: "open", "blocked" or "closed" (for good). time_zone: the tree's (IANA). payment_max, daily_max, monthly_max:
    the most of a payment, a day, a month, minor units; None: no such limit. payees: those permitted; none: all.
    """

    agent: str
    parent: str | None
    name: str
    currency: str
    overdraft: int
    funding: str
    status: str = "open"
    time_zone: str = "UTC"
    payment_max: int | None = None
    daily_max: int | None = None
    monthly_max: int | None = None
    payees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DirectoryRecord:
    """A directory record as it now stands: its table (= topic), id (= key) and content."""

    table: str
    id: str
    value: dict[str, Any]


@record
class Entry:
    """One decision. Its Kafka key is `book`; `seq` counts the book's entries 1, 2, 3, …; `at` is ms UTC.

    Legs sum to zero per currency. `refusal` is the code of schemas.refusal when there is one. `tries` counts the pay
    requests that may have reached the payee, `deferrals` the attempts since then, in a row, that did not; `due_at` is
    when to ask again, ms UTC. In a reversal these are of its cancel requests; `posted` says how the payment was posted.
    `rate`: of an exchange, units of the currency taken for one of the currency given.
    """

    book: str
    seq: int
    kind: EntryKind
    at: int
    cause: Cause
    legs: tuple[Leg, ...] = ()
    payment: PaymentFacts | None = None
    refusal: int = 0
    reason: str = ""
    tries: int = 0
    deferrals: int = 0
    due_at: int = 0
    outcome: GatewayOutcome | None = None
    agent: AgentTerms | None = None
    record: DirectoryRecord | None = None
    document: str = ""
    window: Window | None = None
    crossing: Crossing | None = None
    change: ChangeNote | None = None
    rate: str = ""
    cash: Collection | None = None
    charge: Charge | None = None
    posted: Posted | None = None
    correction: Correction | None = None
    voucher: VoucherNote | None = None
    registry: RegistryNote | None = None

    def encode(self) -> bytes:
        """The value of the ledger record: JSON."""
        return orjson.dumps(self)

    @staticmethod
    def decode(value: bytes) -> Entry:
        """Read back what `encode` wrote; raises pydantic.ValidationError on anything else."""
        return ENTRY.validate_json(value)


def holds(entries: Iterable[Entry]) -> list[str]:
    """The payments whose payees may be asked from here on."""
    return [
        entry.payment.id
        for entry in entries
        if entry.kind in _ASKED and not entry.due_at and entry.payment is not None and not entry.payment.served
    ]


_ASKED = frozenset({EntryKind.HELD, EntryKind.REROUTED, EntryKind.REVERSING})


ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
