"""What the ledger is asked to decide. Everything it may look at is in here or in its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.command import DirectoryCommand, TreeCommand
from schemas.gateway import RetrySchedule
from schemas.outcome import GatewayOutcome
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from schemas.registry import RegistryDelivery
from schemas.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Place:
    """A verified payment order with the directory's facts of that moment.

    book: the tree (root agent's id). digest: `order.digest()`. by: the key id that signed it. payee None: there is
    no such payee. tariff None: no fee, no processing, no reward. backlog_max: how many payments may wait for the
    payee's gateway on this partition. is_sealed: the terminal has a sealing key on file, so PINs can be sent to it.
    unwell: gateways that are known not to work at the moment.
    """

    book: str
    order: PaymentOrder
    digest: str
    by: str
    payee: Payee | None
    tariff: Tariff | None
    backlog_max: int
    is_sealed: bool = False
    unwell: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reversible:
    """What the directory lets be reversed at that moment.

    payees: those that give payments back, and for how many seconds after posting. gateways: those that can ask.
    """

    payees: Mapping[str, int]
    gateways: frozenset[str]


@dataclass(frozen=True, slots=True)
class Product:
    """What the directory, the settings and the key files say of a voucher product at that moment.

    payee: None: there is none. reserve_ms: how long a voucher is kept for a payment. kids: the keys the workers have.
    is_sealed: as in Place, of the terminal that signed.
    """

    payee: Payee | None
    reserve_ms: int = 0
    kids: frozenset[str] = frozenset()
    is_sealed: bool = False


@dataclass(frozen=True, slots=True)
class RegistryTerms:
    """How the directory wants a payee's registry when it is cut: its file's form, and the zone of its times.

    currency: the payee's; of a registry without lines.
    """

    form: str = "tsv"
    time_zone: str = "UTC"
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Instruct:
    """A verified command. book: `schemas.command.book_of(command)`. digest: `command.digest()`. by: the key id.

    terminal: whose key that is, "" for an operator's. reversible: with a reversal. four_eyes_above: up to how many
    minor units one operator is enough for a correction. product: with an order of vouchers. registry: with a command
    about registries, when their payee is served offline.
    """

    book: str
    command: TreeCommand | DirectoryCommand
    digest: str
    by: str
    terminal: str = ""
    reversible: Reversible | None = None
    four_eyes_above: int = 0
    product: Product | None = None
    registry: RegistryTerms | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """A gateway's answer about one open payment: from dispatch, in memory, not from a topic.

    sent_before: an earlier pay request may have left that the ledger knows nothing of (the worker was restarted).
    is_last: the payee can be asked about it no more, neither again nor for its status. not_before: the payee is left
    alone until then, ms UTC; 0: it is not. technical: the result codes of a check by which that gateway speaks of
    itself, so that another may be asked.
    """

    book: str
    payment: str
    outcome: GatewayOutcome
    retry: RetrySchedule
    sent_before: bool
    is_last: bool = False
    technical: frozenset[str] = frozenset()
    not_before: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """A pay that must not be repeated is about to leave: from dispatch, in memory, not from a topic."""

    book: str
    payment: str


@dataclass(frozen=True, slots=True)
class Rouse:
    """Time has passed: what waits for funds in this book may have them now. From a timer, not from a topic."""

    book: str


@dataclass(frozen=True, slots=True)
class WindowDue:
    """A moment of a schedule has come: from a timer, in memory, not from a topic.

    subject: a payee's id, "" for the tree's own window. number: of the window that is to be closed. due_at: that
    moment, ms UTC.
    """

    book: str
    subject: str
    number: int
    due_at: int


@dataclass(frozen=True, slots=True)
class ChangeDue:
    """Time has passed: change of this book that nobody touched for so many days expires. From a timer, in memory."""

    book: str
    days: int


@dataclass(frozen=True, slots=True)
class FeeDue:
    """A period of a plan has begun: from a timer, in memory, not from a topic. Amounts in minor units.

    period: the one to be charged, such as "2026-11"; since: the first the plan would charge this agent for now.
    terminals: how many the agent has. plan_digest: of the plan's record.
    """

    book: str
    plan: str
    agent: str
    period: str
    since: str
    currency: str
    fixed: int
    per_terminal: int
    terminals: int
    plan_digest: str


@dataclass(frozen=True, slots=True)
class VoucherDue:
    """Time has passed: reservations in this product's book are over. From a timer, in memory, not from a topic."""

    book: str


@dataclass(frozen=True, slots=True)
class RegistryDue:
    """A payee's cut-off has come: from a timer, in memory, not from a topic.

    book: of the payee's registries. number: of the one that is to be cut. due_at: the cut-off, ms UTC.
    """

    book: str
    payee: str
    number: int
    due_at: int
    terms: RegistryTerms


@dataclass(frozen=True, slots=True)
class RegistryDelivered:
    """A registry has reached its payee: from the courier, in memory, not from a topic."""

    book: str
    payee: str
    number: int
    delivery: RegistryDelivery


LedgerCommand = (
    Place | Instruct | Settle | Send | Rouse | WindowDue | ChangeDue | FeeDue | VoucherDue | RegistryDue
    | RegistryDelivered
)  # fmt: skip
