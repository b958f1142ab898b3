"""Builders of vouchers. The defaults are domain.md's Ex. 4: face 500.00, cost 480.00, reward 10.00 to the seller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from schemas.entry import Entry
from schemas.payee import Payee
from schemas.tariff import Fee, Rate, Tariff
from schemas.voucher_command import (
    BlockBatch,
    DropBatch,
    LoadVouchers,
    PaySupplier,
    ReprintVoucher,
    ReserveVoucher,
    StockCommand,
    UnblockBatch,
)
from streams.ledger.commands import Instruct, Place, Product
from streams.ledger.state import State
from streams.ledger.voucher_sales import asked_for
from tests.builders import AT, NOW, a_payee, a_place, a_tariff, an_instruct, an_order, performed

RESERVE_MS = 300_000
KIDS = frozenset({"v1"})
BOOK = "vouchers/card"
SERVER = "server:1"


def a_product(payee: str = "card", **changes: Any) -> Payee:
    """Sells vouchers of 500.00 and 1000.00 RUB."""
    return a_payee(payee, **{"served": "vouchers", "denominations": (50_000, 100_000)} | changes)


def a_card_tariff(**changes: Any) -> Tariff:
    """No fee; 2 % of the face value to the seller."""
    values = {"fee": Fee(), "processing": Rate(), "reward": Rate(rate_bps=200), "reward_shares_bps": (10_000,)}
    return a_tariff("card", **values | changes)


def sealed(serial: str) -> str:
    """Looks like a ciphertext and is none: for rules, which look into none."""
    return f"sealed-{serial}-".ljust(56, "x")


def a_load(
    *serials: str, payee: Payee | None = None, kids: frozenset[str] = frozenset({"v1"}), **changes: Any
) -> Instruct:
    """A batch of one chunk with these serials, or a chunk of it."""
    product = payee if payee is not None else a_product()
    values: dict[str, Any] = {
        "payee": product.id, "batch": "b1", "denomination": 50_000, "currency": "RUB", "cost": 48_000,
        "supplier": "cardhouse", "kid": "v1", "count": len(serials), "chunks": 1, "chunk": 1,
        "pins": tuple((serial, sealed(serial)) for serial in serials), "issued_at": NOW,
    }  # fmt: skip
    values |= changes
    values.setdefault("id", f"load.{values['payee']}.{values['batch']}.{values['chunk']}")
    return _of_stock(LoadVouchers(**values), Product(product, RESERVE_MS, kids))


def a_reservation(
    number: int = 1, terminal: str = "kiosk-1", *, payee: Payee | None = None, is_sealed: bool = True, **changes: Any
) -> Instruct:
    """By the terminal, for its payment of this number."""
    product = payee if payee is not None else a_product()
    values: dict[str, Any] = {
        "id": f"reserve-{terminal}.{number}", "issued_at": NOW, "payee": product.id, "tree": "A",
        "payment": f"{terminal}.{number}", "denomination": 50_000, "currency": "RUB",
    }  # fmt: skip
    instruct = _of_stock(ReserveVoucher(**values | changes), Product(product, RESERVE_MS, is_sealed=is_sealed))
    return replace(instruct, by=f"{terminal}:1", terminal=terminal)


def a_sale(number: int = 1, terminal: str = "kiosk-1", **changes: Any) -> Place:
    """The payment for one, cash not taken yet."""
    values: dict[str, Any] = {"payee": "card", "amount": 50_000, "fee": 0, "terminal": terminal}
    order = an_order(number, **values | changes)
    return replace(a_place(order, payee=a_product(), tariff=a_card_tariff(), by=f"{terminal}:1"), is_sealed=True)


def a_reprint(number: int = 1, terminal: str = "kiosk-1", *, by: str | None = None, id: str = "reprint-1") -> Instruct:
    """by: the terminal that signs it, "" for an operator; none: the one that paid."""
    who = terminal if by is None else by
    order = ReprintVoucher(id=id, issued_at=NOW, tree="A", payment=f"{terminal}.{number}")
    return replace(an_instruct(order, f"{who or 'chief'}:1"), terminal=who)


def block_batch(batch: str = "b1", **changes: Any) -> Instruct:
    return _of_batch(BlockBatch, "block", batch, changes)


def unblock_batch(batch: str = "b1", **changes: Any) -> Instruct:
    return _of_batch(UnblockBatch, "unblock", batch, changes)


def drop_batch(batch: str = "b1", **changes: Any) -> Instruct:
    return _of_batch(DropBatch, "drop", batch, changes)


def pay_supplier(amount: int = 48_000, **changes: Any) -> Instruct:
    values: dict[str, Any] = {
        "id": "pay-1",
        "issued_at": NOW,
        "payee": "card",
        "supplier": "cardhouse",
        "amount": amount,
    }
    return an_instruct(PaySupplier(**values | {"currency": "RUB", "document": "Payment order 7"} | changes))


def _of_batch(kind: Any, what: str, batch: str, changes: dict[str, Any]) -> Instruct:
    values = {"id": f"{what}-{batch}", "issued_at": NOW, "payee": "card", "batch": batch, "reason": "Letter 5"}
    return an_instruct(kind(**values | changes))


def _of_stock(order: StockCommand, product: Product) -> Instruct:
    return replace(an_instruct(order), product=product)


def vouchers_words(entries: Iterable[Entry]) -> list[Instruct]:
    """What these entries say to a stock, or a stock to a tree, as it arrives there."""
    return [an_instruct(word, SERVER) for one in entries if (word := asked_for(one)) is not None]


def all_of_it(state: State, command: Instruct | Place, at: int = AT) -> list[Any]:
    """The entries a command leads to, with all that books then say to each other, as the topics would bring it."""
    entries = performed(state, command, at)
    for entry in entries:  # grows while it is gone through
        if (word := asked_for(entry)) is not None:
            entries += performed(state, an_instruct(word, SERVER), at)
    return entries
