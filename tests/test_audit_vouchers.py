"""The audit against vouchers: a sound stock passes, and each way in which one can be wrong is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.entry import Entry, EntryKind
from streams.ledger.state import State
from tests.audit_ledgers import audited, failed, rechained, with_leg
from tests.builders import a_deposit, open_agent
from tests.builders_vouchers import (
    a_load,
    a_reprint,
    a_reservation,
    a_sale,
    all_of_it,
    block_batch,
    drop_batch,
    pay_supplier,
)

OURS = {"vouchers.pins", "vouchers.payments", "vouchers.stock"}


def the_ledger() -> list[Entry]:
    """Batches, one of them dropped; a reservation, two sales, one that finds nothing, a reprint, the supplier paid."""
    state, log = State(0), list[Entry]()
    for command in (
        open_agent("A"),
        open_agent("S", "A"),
        a_deposit("S", 1_000_000),
        a_load("n1", "n2", chunks=2, count=3),
        a_load("n3", chunks=2, chunk=2, count=3),
        a_load("m1", batch="b2", chunks=2, count=2),
        drop_batch("b2"),
        a_load("m1", batch="b3", denomination=100_000, cost=90_000),
        a_reservation(1),
        a_sale(1),
        a_sale(2),
        block_batch(),
        a_sale(3),
        a_reprint(1),
        pay_supplier(),
    ):
        log += all_of_it(state, command)
    return log


def of(log: list[Entry], kind: EntryKind, number: int = 0) -> int:
    """Where in the log the entry of that kind is."""
    return [place for place, one in enumerate(log) if one.kind is kind and one.voucher is not None][number]


def changed(log: list[Entry], kind: EntryKind, number: int = 0, **changes: object) -> list[Entry]:
    place = of(log, kind, number)
    log[place] = replace(log[place], voucher=replace(log[place].voucher, **changes))  # type: ignore[type-var]
    return log


def a_pin_twice(log: list[Entry]) -> list[Entry]:
    first = log[of(log, EntryKind.VOUCHER_SOLD)].voucher
    assert first is not None
    return changed(log, EntryKind.VOUCHER_SOLD, 1, serial=first.serial, pin=first.pin)


def a_pin_never_loaded(log: list[Entry]) -> list[Entry]:
    return changed(log, EntryKind.VOUCHER_SOLD, serial="n9")


def a_serial_loaded_twice_and_sold_before(log: list[Entry]) -> list[Entry]:
    load = log[of(log, EntryKind.VOUCHER_BATCH_OPENED)]
    assert load.voucher is not None
    assert load.voucher.terms is not None
    sold = log[of(log, EntryKind.VOUCHER_SOLD)].voucher
    assert sold is not None
    terms = replace(load.voucher.terms, batch="b9", count=1, chunks=1)
    note = replace(load.voucher, batch="b9", terms=terms, chunk=1, pins=((sold.serial, sold.pin),))
    legs = with_leg(with_leg(load, 0, account="voucher-stock:card.b9", amount=-48_000), 1, amount=48_000).legs
    again = replace(load, voucher=note, legs=legs, cause=replace(load.cause, id="load.card.b9.1"))
    return rechained([*log, again])


def a_sale_of_a_blocked_batch(log: list[Entry]) -> list[Entry]:
    block = log.pop(of(log, EntryKind.VOUCHER_BATCH_BLOCKED))
    log.insert(of(log, EntryKind.VOUCHER_SOLD, 1), block)
    return rechained(log)


def a_batch_opened_with_a_pin_too_few(log: list[Entry]) -> list[Entry]:
    return changed(log, EntryKind.VOUCHER_BATCH_OPENED, pins=())


def a_payment_with_another_pin(log: list[Entry]) -> list[Entry]:
    return changed(log, EntryKind.POSTED, serial="n3")


def a_payment_posted_without_a_sale(log: list[Entry]) -> list[Entry]:
    log.pop(of(log, EntryKind.VOUCHER_SOLD, 1))
    return rechained(log)


def a_sale_whose_payment_was_voided(log: list[Entry]) -> list[Entry]:
    none, voided = of(log, EntryKind.VOUCHER_NONE), next(n for n, one in enumerate(log) if one.kind is EntryKind.VOIDED)
    sold = log[of(log, EntryKind.VOUCHER_SOLD)]
    assert sold.voucher is not None
    note = replace(sold.voucher, serial="n3", pin="sealed-n3-".ljust(56, "x"), payment="kiosk-1.3")
    log[none] = replace(log[none], kind=EntryKind.VOUCHER_SOLD, refusal=0, reason="", voucher=note)
    block = log.pop(of(log, EntryKind.VOUCHER_BATCH_BLOCKED))
    assert log[voided - 1].kind is EntryKind.VOIDED
    return rechained([*log, block])


def a_stock_that_is_worth_too_little(log: list[Entry]) -> list[Entry]:
    place = of(log, EntryKind.VOUCHER_BATCH_OPENED)
    log[place] = with_leg(with_leg(log[place], 0, amount=-100_000), 1, amount=100_000)
    return rechained(log)


def a_sale_that_gives_the_stock_too_much(log: list[Entry]) -> list[Entry]:
    place = of(log, EntryKind.POSTED)
    number = next(n for n, leg in enumerate(log[place].legs) if leg.account.startswith("voucher-stock"))
    rest = next(n for n, leg in enumerate(log[place].legs) if leg.account == "reward")
    log[place] = with_leg(with_leg(log[place], number, amount=48_500), rest, amount=500)
    return rechained(log)


def a_supplier_paid_by_an_agent(log: list[Entry]) -> list[Entry]:
    place = of(log, EntryKind.SUPPLIER_PAID)
    log[place] = with_leg(log[place], 1, account="fee")
    return rechained(log)


def a_voucher_posted_by_dispatch(log: list[Entry]) -> list[Entry]:
    place = of(log, EntryKind.POSTED)
    log[place] = replace(log[place], cause=replace(log[place].cause, id="kiosk-1.1", by="dispatch"))
    return log


# What must fail, besides the core's own fold where it refuses the log.
BROKEN: dict[Callable[[list[Entry]], list[Entry]], set[str]] = {
    a_pin_twice: {"vouchers.pins", "vouchers.payments"},
    a_pin_never_loaded: {"vouchers.pins", "vouchers.payments"},
    a_serial_loaded_twice_and_sold_before: {"vouchers.pins"},
    a_sale_of_a_blocked_batch: {"vouchers.pins", "vouchers.payments"},  # the sale has another number, too
    a_batch_opened_with_a_pin_too_few: {"vouchers.pins"},
    a_payment_with_another_pin: {"vouchers.payments"},
    a_payment_posted_without_a_sale: {"vouchers.payments"},
    a_sale_whose_payment_was_voided: {"vouchers.payments"},
    a_stock_that_is_worth_too_little: {"vouchers.stock", "ledger.movements"},
    a_sale_that_gives_the_stock_too_much: {"vouchers.stock", "ledger.movements"},
    a_supplier_paid_by_an_agent: {"ledger.movements"},
    a_voucher_posted_by_dispatch: {"payments.evidence", "vouchers.payments"},
}


def test_a_sound_stock_passes_and_is_looked_at() -> None:
    found = audited(the_ledger())
    assert {name for name, check in found.items() if not check.passed} == set()
    assert {name: found[name].looked_at for name in OURS} == {
        "vouchers.pins": 5, "vouchers.payments": 2, "vouchers.stock": 2,
    }  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_stock_fails_exactly_these_checks(broken: Callable[[list[Entry]], list[Entry]]) -> None:
    assert failed(broken(the_ledger())) - {"core.fold"} == BROKEN[broken]


def test_what_was_sold_and_has_not_come_to_its_tree_yet_is_under_way_and_no_failure() -> None:
    log = the_ledger()
    posted = of(log, EntryKind.POSTED, 1)
    found = audited(rechained([one for place, one in enumerate(log) if place != posted]))
    assert (found["vouchers.payments"].passed, found["vouchers.payments"].note) == (True, "1 under way")
    assert found["vouchers.stock"].passed
