"""A product's stock as plain data, and back: what a snapshot keeps of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from schemas.voucher import BatchTerms
from streams.ledger.serials import Serials
from streams.ledger.stock import Batch, Reservation, Stock


@dataclass(frozen=True, slots=True)
class BatchImage:
    """As in Batch; `free` is its PINs, serial and ciphertext in a line each, for tens of thousands are many objects."""

    terms: BatchTerms
    is_open: bool
    is_blocked: bool
    sold: int
    free: str
    loaded: tuple[int, ...]
    marks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StockImage:
    """reserved: payment, batch, packed PIN, until, tree. serials: as Serials packs them."""

    batches: tuple[BatchImage, ...]
    reserved: tuple[tuple[str, str, str, int, str], ...]
    ended: tuple[str, ...]
    serials: str


def stock_image(stock: Stock) -> StockImage:
    batches = tuple(
        BatchImage(
            one.terms, one.is_open, one.is_blocked, one.sold, b"\n".join(one.free).decode(), tuple(sorted(one.loaded)),
            tuple(sorted(one.marks)),
        )
        for one in stock.batches.values()
    )  # fmt: skip
    reserved = tuple(
        (payment, one.batch, one.packed.decode(), one.until, one.tree) for payment, one in stock.reserved.items()
    )
    return StockImage(batches, reserved, tuple(sorted(stock.ended)), stock.serials.pack())


def stock_of(image: StockImage) -> Stock:
    """The stock again."""
    stock = Stock(ended=set(image.ended), serials=Serials(image.serials))
    for one in image.batches:
        lines = one.free.split("\n") if one.free else []
        free = deque(f"{serial}\n{pin}".encode() for serial, pin in zip(lines[::2], lines[1::2], strict=True))
        stock.batches[one.terms.batch] = Batch(
            one.terms, one.is_open, one.is_blocked, one.sold, free, set(one.loaded), set(one.marks)
        )  # fmt: skip
    for payment, batch, packed, until, tree in image.reserved:
        stock.reserved[payment] = Reservation(batch, packed.encode(), until, tree)
    return stock
