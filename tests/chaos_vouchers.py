"""Vouchers in the random histories: batches in pieces, reservations, sales, and whatever stands in their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from schemas.ids import ms_instant
from streams.ledger.commands import Instruct, LedgerCommand, Place, VoucherDue
from streams.ledger.state import State
from tests.builders import AT, a_place, an_order
from tests.builders_vouchers import (
    BOOK,
    a_card_tariff,
    a_load,
    a_product,
    a_reprint,
    a_reservation,
    block_batch,
    drop_batch,
    pay_supplier,
    unblock_batch,
)

PRODUCT = a_product(gateway="none", denominations=(500, 1_000), min_amount=1)
_TARIFF = a_card_tariff()


def vouchers_steps(state: State, rng: Random, number: int) -> Iterator[LedgerCommand]:
    """One thing or a few. number: how many commands were given, for ids and payments."""
    there = _batches(state)
    pick = rng.random()
    if not there or pick < 0.2:
        yield from _a_batch(rng, number)
    elif pick < 0.55:
        yield _a_sale(rng, number)
    elif pick < 0.75:
        worth = rng.choice((500, 500, 500, 1_000, 700))
        order = a_reservation(number + rng.choice((1, 1, 2)), payee=PRODUCT, denomination=worth, id=f"command-{number}",
                              is_sealed=rng.random() < 0.95)  # fmt: skip
        yield replace(order, by="kiosk-2:1", terminal="kiosk-2") if rng.random() < 0.05 else order
        if rng.random() < 0.5:
            yield _a_sale(rng, number + 1, worth)
    elif pick < 0.85:
        yield VoucherDue(BOOK)
    else:
        yield _what_stands_in_the_way(state, rng, f"command-{number}", there)


def _batches(state: State) -> list[str]:
    book = state.books.get(BOOK)
    return list(book.stock.batches) if book is not None and book.stock is not None else []


def _a_batch(rng: Random, number: int) -> Iterator[Instruct]:
    """Whole or not, in order or not, with a serial too many, too few, or seen before."""
    sizes = [rng.randint(1, 3) for _ in range(rng.choice((1, 1, 2, 3)))]
    worth, batch = rng.choice((500, 500, 1_000)), f"b{number}"
    count = sum(sizes) + (rng.random() < 0.1)
    expires = rng.choice((None, None, ms_instant(AT + rng.choice((1, 10**7, 10**9)))))
    chunks = list(enumerate(sizes, 1))
    rng.shuffle(chunks)
    for step, (chunk, size) in enumerate(chunks[: len(chunks) - (rng.random() < 0.2)]):
        serials = [f"n{number}-{chunk}-{place}" for place in range(size)]
        if rng.random() < 0.1:
            serials[0] = f"n{max(0, number - rng.randint(0, 60))}-1-0"
        yield a_load(
            *serials, payee=PRODUCT, batch=batch, denomination=worth, cost=worth * rng.choice((96, 96, 96, 101)) // 100,
            count=count, chunks=len(sizes), chunk=chunk, expires_at=expires, id=f"command-{number + step}",
        )  # fmt: skip


def _a_sale(rng: Random, number: int, worth: int = 0) -> Place:
    tree, agent = rng.choice((("A", "S"), ("A", "S"), ("A", "T"), ("A", "A"), ("C", "C")))
    amount = worth or rng.choice((500, 500, 500, 1_000, 700))
    order = an_order(number + 1, agent=agent, payee="card", amount=amount, fee=0, made_at=ms_instant(AT),
                     collected=rng.choice((0, amount)))  # fmt: skip
    placed = a_place(order, book=tree, payee=PRODUCT, tariff=_TARIFF)
    return replace(placed, is_sealed=rng.random() < 0.95)


def _what_stands_in_the_way(state: State, rng: Random, id: str, there: list[str]) -> Instruct:
    if rng.random() < 0.4:
        sold = [name for name, one in state.payments.items() if one.posted is not None and one.posted.voucher]
        payment = rng.choice(sold or list(state.payments) or ["kiosk-1.1"])
        tree = state.payments[payment].book if payment in state.payments else "A"
        order = a_reprint(int(payment.rpartition(".")[2]), by=rng.choice(("kiosk-1", "kiosk-1", "kiosk-2", "")), id=id)
        command = order.command.model_copy(update={"tree": tree})
        return replace(order, book=tree, command=command, digest=command.digest())
    if rng.random() < 0.2:
        return pay_supplier(rng.choice((1, 480, 10**6)), id=id)
    name = rng.choice(there)
    stock = state.books[BOOK].stock
    assert stock is not None  # there has batches
    batch = stock.batches[name]
    fits = unblock_batch if batch.is_blocked else block_batch if batch.is_open else drop_batch
    what = rng.choice((fits, fits, fits, block_batch, unblock_batch, drop_batch))
    return what("none" if rng.random() < 0.05 else name, id=id)
