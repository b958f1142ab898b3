"""The reference's vouchers: a shelf of serials for each batch, and where each one went. No ciphertext, no marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.ids import instant_ms
from schemas.voucher_command import BlockBatch, DropBatch, LoadVouchers, PaySupplier, ReserveVoucher, UnblockBatch
from streams.ledger.commands import Instruct

if TYPE_CHECKING:
    from tests.reference_ledger import Sold

CARD = "card"
RESERVED_AT_MOST = 10


@dataclass
class Shelf:
    """A batch; free: in the order in which they will go."""

    worth: int
    cost: int
    expires_at: int
    count: int
    chunks: int
    said: tuple[object, ...]
    free: list[str] = field(default_factory=list)
    loaded: list[int] = field(default_factory=list)
    is_open: bool = False
    is_blocked: bool = False
    is_dropped: bool = False

    def sells(self, worth: int, at: int) -> bool:
        expired = self.expires_at and self.expires_at <= at
        return bool(self.is_open and not self.is_blocked and not expired and self.worth == worth)


@dataclass
class VoucherReference:
    """A part of Reference. One product, in roubles."""

    sold: dict[str, Sold] = field(default_factory=dict)
    shelves: dict[str, Shelf] = field(default_factory=dict)
    kept: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # payment -> batch, serial, until
    pins: dict[str, tuple[str, str]] = field(default_factory=dict)  # payment -> batch, serial
    paid_to_supplier: int = 0

    def loaded(self, order: LoadVouchers, at: int) -> str:
        said = order.denomination, order.cost, order.expires_at, order.count, order.chunks
        shelf = self.shelves.get(order.batch)
        expires_at = instant_ms(order.expires_at) if order.expires_at is not None else 0
        serials = [serial for serial, _ in order.pins]
        is_wrong = order.denomination not in (500, 1_000) or order.cost > order.denomination
        is_wrong = is_wrong or 0 < expires_at <= at or len(set(serials)) < len(serials)
        if shelf is not None:
            is_wrong = is_wrong or shelf.is_open or shelf.is_dropped or shelf.said != said
            is_wrong = is_wrong or order.chunk in shelf.loaded
        there = (len(shelf.free) if shelf is not None else 0) + len(serials)
        is_last = (len(shelf.loaded) if shelf is not None else 0) + 1 == order.chunks
        if is_wrong or set(serials) & self.serials() or there > order.count or (is_last and there < order.count):
            return "REFUSED"
        if shelf is None:
            shelf = Shelf(order.denomination, order.cost, expires_at, order.count, order.chunks, said)
            self.shelves[order.batch] = shelf
        shelf.free += serials
        shelf.loaded.append(order.chunk)
        shelf.is_open = is_last
        return "VOUCHER_BATCH_OPENED" if is_last else "VOUCHERS_LOADED"

    def serials(self) -> set[str]:
        """All there ever were, but of batches that were given up."""
        on_shelves = {serial for shelf in self.shelves.values() if not shelf.is_dropped for serial in shelf.free}
        return (
            on_shelves | {serial for _, serial, _ in self.kept.values()} | {serial for _, serial in self.pins.values()}
        )

    def standing_of(self, order: BlockBatch | UnblockBatch | DropBatch) -> str:
        shelf = self.shelves.get(order.batch)
        is_gone = shelf is None or shelf.is_dropped or (shelf.is_open and self.unsold(order.batch) == 0)
        if shelf is None or is_gone:
            return "REFUSED"
        if isinstance(order, DropBatch):
            shelf.is_dropped = not shelf.is_open
            return "VOUCHER_BATCH_DROPPED" if shelf.is_dropped else "REFUSED"
        if shelf.is_blocked == isinstance(order, BlockBatch):
            return "REFUSED"
        shelf.is_blocked = not shelf.is_blocked
        return "VOUCHER_BATCH_BLOCKED" if shelf.is_blocked else "VOUCHER_BATCH_UNBLOCKED"

    def unsold(self, batch: str) -> int:
        return self.shelves[batch].count - sum(of == batch for of, _ in self.pins.values())

    def next_of(self, worth: int, at: int) -> str | None:
        """The batch from which the next one comes."""
        there = [(shelf.expires_at or 10**15, place, name) for place, (name, shelf) in enumerate(self.shelves.items())
                 if shelf.free and shelf.sells(worth, at)]  # fmt: skip
        return min(there)[2] if there else None

    def reserved(self, command: Instruct, at: int) -> int:
        """The code; 0: one is kept."""
        order, product = command.command, command.product
        assert isinstance(order, ReserveVoucher)
        assert product is not None
        terminal = order.payment.rpartition(".")[0]
        if command.terminal != terminal:
            return 133
        if not product.is_sealed:
            return 155
        if order.denomination not in (500, 1_000):
            return 7
        if order.payment in self.kept:
            return 300
        if sum(payment.rpartition(".")[0] == terminal for payment in self.kept) >= RESERVED_AT_MOST:
            return 1
        batch = self.next_of(order.denomination, at)
        if batch is None:
            return 1
        self.kept[order.payment] = batch, self.shelves[batch].free.pop(0), at + product.reserve_ms
        return 0

    def lapsed(self, at: int) -> list[str]:
        """The payments that did not come in time; what was kept for them is back, before all others."""
        over = [payment for payment, (_, _, until) in self.kept.items() if until <= at]
        for payment in over:
            self.put_back(payment)
        return over

    def put_back(self, payment: str) -> None:
        if payment in self.kept:
            batch, serial, _ = self.kept.pop(payment)
            self.shelves[batch].free.insert(0, serial)

    def bought(self, payment: str, worth: int, at: int) -> str | None:
        """The serial that the payment gets; None: there is none."""
        mine = self.kept.get(payment)
        if mine is not None and self.shelves[mine[0]].sells(worth, at):
            del self.kept[payment]
            self.pins[payment] = mine[:2]
            return mine[1]
        batch = self.next_of(worth, at)
        if batch is not None:
            self.pins[payment] = batch, self.shelves[batch].free.pop(0)
        self.put_back(payment)
        return self.pins[payment][1] if payment in self.pins else None

    def concluded(self, payment: str) -> str:
        """What the stock said of it has come to its tree."""
        sold = self.sold[payment]
        if payment not in self.pins:
            sold.state = "VOIDED"
        else:
            sold.state = "POSTED"
            sold.reward = sold.amount - self.shelves[self.pins[payment][0]].cost
        return sold.state

    def bought_from_supplier(self) -> int:
        """What was ever owed for batches, minor units."""
        return sum(shelf.cost * shelf.count for shelf in self.shelves.values() if shelf.is_open)

    def supplier_paid(self, order: PaySupplier) -> str:
        if self.bought_from_supplier() - self.paid_to_supplier < order.amount or not self.bought_from_supplier():
            return "REFUSED"
        self.paid_to_supplier += order.amount
        return "SUPPLIER_PAID"
