"""What is ordered about vouchers: by operators, by terminals, and by one book of another.

The stock of a product is a book of its own, so what it is asked is asked under that key, and what it answers goes to
the tree that asked. Those words are the workers' alone (schemas/clearing_command.py says how).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.ids import AgentId, Currency, Grounds, Instant, Minor, PayeeId, PaymentId, PositiveMinor
from schemas.operator_order import OperatorOrder
from schemas.voucher import BatchId, PinKeyId, SealedPin, Serial

COUNT_MAX = 1_000_000  # PINs of one batch
SupplierId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class ProductOrder(OperatorOrder):
    """Base of what is decided in a product's own book."""

    payee: Annotated[PayeeId, Field(description="the product")]


class LoadVouchers(ProductOrder):
    """A chunk of a batch. None of its PINs is sold before all chunks are there; each chunk says all of the batch."""

    kind: Literal["voucher.load"] = "voucher.load"
    batch: BatchId
    denomination: Annotated[PositiveMinor, Field(description="what a payer pays for one")]
    currency: Currency
    cost: Annotated[Minor, Field(description="what one costs us, minor units")]
    supplier: Annotated[SupplierId, Field(description="to whom we owe that")]
    expires_at: Annotated[Instant | None, Field(description="from then on none is sold; none: never")] = None
    kid: PinKeyId
    count: Annotated[int, Field(ge=1, le=COUNT_MAX, description="PINs in the whole batch")]
    chunks: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    chunk: Annotated[int, Field(ge=1, le=COUNT_MAX, description="1, 2, 3, …")]
    pins: Annotated[
        tuple[tuple[Serial, SealedPin], ...], Field(min_length=1, max_length=250, description="serial and ciphertext")
    ]

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.chunk > self.chunks:
            raise ValueError("chunk is beyond chunks")
        return self


class DropBatch(ProductOrder):
    """Give a batch up that was not loaded to its end: its serials may be loaded again, under another batch id."""

    kind: Literal["voucher.drop"] = "voucher.drop"
    batch: BatchId
    reason: Grounds


class BlockBatch(ProductOrder):
    """From now on none of the batch is reserved or sold, what is reserved already included."""

    kind: Literal["voucher.block"] = "voucher.block"
    batch: BatchId
    reason: Grounds


class UnblockBatch(ProductOrder):
    kind: Literal["voucher.unblock"] = "voucher.unblock"
    batch: BatchId
    reason: Grounds


class PaySupplier(ProductOrder):
    """Money that left the bank for whoever sold us this product's vouchers."""

    kind: Literal["supplier.pay"] = "supplier.pay"
    supplier: SupplierId
    amount: PositiveMinor
    currency: Currency
    document: Annotated[Grounds, Field(description="number of the payment order or bank reference behind it")]


class ReserveVoucher(ProductOrder):
    """Before the payer's cash is taken: keep one for the payment that follows under this id. A terminal's to ask."""

    kind: Literal["voucher.reserve"] = "voucher.reserve"
    tree: AgentId
    payment: PaymentId
    denomination: PositiveMinor
    currency: Currency


class SellVoucher(ProductOrder):
    """A tree has taken the money for a voucher: give it one, or say that there is none."""

    kind: Literal["voucher.sell"] = "voucher.sell"
    tree: AgentId
    payment: PaymentId
    denomination: PositiveMinor
    currency: Currency


class ReprintVoucher(OperatorOrder):
    """The terminal that sold it wants its PIN again, sealed anew."""

    kind: Literal["voucher.reprint"] = "voucher.reprint"
    tree: AgentId
    payment: PaymentId


class VoucherSold(OperatorOrder):
    """This PIN is that payment's, and nobody else's ever."""

    kind: Literal["voucher.sold"] = "voucher.sold"
    tree: AgentId
    payee: PayeeId
    payment: PaymentId
    batch: BatchId
    serial: Serial
    denomination: PositiveMinor
    currency: Currency
    cost: Minor
    kid: PinKeyId
    pin: SealedPin


class VoucherNone(OperatorOrder):
    """There is none for that payment."""

    kind: Literal["voucher.none"] = "voucher.none"
    tree: AgentId
    payee: PayeeId
    payment: PaymentId
    refusal: Annotated[int, Field(description="why, as a code")]
    reason: Annotated[str, StringConstraints(max_length=500)]


StockCommand = (
    LoadVouchers | DropBatch | BlockBatch | UnblockBatch | PaySupplier | ReserveVoucher | SellVoucher
)  # fmt: skip
VoucherAnswer = VoucherSold | VoucherNone
# What one book says to another.
VoucherWord = SellVoucher | VoucherAnswer
VoucherCommand = StockCommand | ReprintVoucher | VoucherAnswer
