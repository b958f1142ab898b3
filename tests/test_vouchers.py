"""Vouchers by the rules alone: stock, reservations, sales, and whose money moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.entry import EntryKind
from schemas.ids import ms_instant
from schemas.refusal import Refusal
from streams.ledger.commands import Reversible, VoucherDue
from streams.ledger.decide import decide
from streams.ledger.decisions import Duplicate, Stale
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.evolve import evolve
from streams.ledger.image import image_of, state_of
from streams.ledger.replies import replies_to, reply_again
from streams.ledger.state import State
from streams.ledger.voucher_sales import asked_for
from tests.builders import AT, a_tree, an_instruct, balances, decided, folded, legs, performed
from tests.builders_reversal import a_reversal
from tests.builders_vouchers import (
    BOOK,
    RESERVE_MS,
    SERVER,
    a_load,
    a_product,
    a_reprint,
    a_reservation,
    a_sale,
    all_of_it,
    block_batch,
    drop_batch,
    pay_supplier,
    sealed,
    unblock_batch,
)


def a_shop(*serials: str, **changes) -> State:
    """Root A with sub-agent S, who has 2000.00, and a batch of these."""
    state = a_tree()
    decided(state, a_load(*serials or ("n1", "n2", "n3"), **changes))
    return state


def sold(state: State, number: int = 1, at: int = AT, **changes):
    """The last entry of a sale, in the tree's book."""
    return all_of_it(state, a_sale(number, **changes), at)[-1]


# --- money: domain.md's Ex. 4


def test_example_4_voucher():
    """Stock in: voucher-stock 48000 / supplier 48000. Sale: agent:S 50000 → hold → voucher-stock 48000, agent:S 1000,
    reward 1000."""
    state = a_tree()
    loaded = decided(state, a_load("n1"))
    assert loaded.kind is EntryKind.VOUCHER_BATCH_OPENED
    assert legs(loaded) == [("voucher-stock:card.b1", -48_000), ("supplier:cardhouse", 48_000)]
    held, sale, posted = all_of_it(state, a_sale())
    assert legs(held) == [("agent:S", -50_000), ("hold:S", 50_000)]
    assert (sale.kind, sale.book, sale.legs) == (EntryKind.VOUCHER_SOLD, BOOK, ())
    assert posted.kind is EntryKind.POSTED
    assert legs(posted) == [
        ("hold:S", -50_000), ("voucher-stock:card.b1", 48_000), ("agent:S", 1_000), ("reward", 1_000),
    ]  # fmt: skip
    assert balances(state) == {
        "bank": -200_000, "agent:S": 151_000, "voucher-stock:card.b1": 48_000, "reward": 1_000,
    }  # fmt: skip
    assert balances(state, BOOK) == {"voucher-stock:card.b1": -48_000, "supplier:cardhouse": 48_000}


def test_a_supplier_is_paid_what_it_is_owed_and_no_more():
    state = a_shop("n1")
    assert decided(state, pay_supplier(48_001)).kind is EntryKind.REFUSED
    paid = decided(state, pay_supplier(48_000, id="pay-2"))
    assert (paid.kind, paid.document) == (EntryKind.SUPPLIER_PAID, "Payment order 7")
    assert legs(paid) == [("supplier:cardhouse", -48_000), ("bank", 48_000)]
    assert decided(state, pay_supplier(1, id="pay-3", supplier="nobody")).kind is EntryKind.REFUSED


def test_what_a_tariff_gives_away_beyond_the_earnings_the_operator_bears():
    state = a_shop("n1", cost=49_500)
    assert legs(sold(state))[-1] == ("reward", 50_000 - 49_500 - 1_000)


# --- loading


def test_a_batch_is_for_sale_once_its_last_chunk_is_there_in_whatever_order_they_come():
    state = a_tree()
    second = a_load("n3", "n4", chunks=2, chunk=2, count=4)
    assert decided(state, second).kind is EntryKind.VOUCHERS_LOADED
    assert decided(state, a_reservation()).refusal == Refusal.TEMPORARY.code
    first = decided(state, a_load("n1", "n2", chunks=2, chunk=1, count=4))
    assert (first.kind, legs(first)[0]) == (EntryKind.VOUCHER_BATCH_OPENED, ("voucher-stock:card.b1", -4 * 48_000))
    assert decided(state, a_reservation(2)).kind is EntryKind.VOUCHER_RESERVED


def test_a_chunk_delivered_again_is_answered_and_loads_nothing():
    state = a_shop("n1", "n2")
    assert isinstance(decide(state, a_load("n1", "n2"), AT), Duplicate)
    assert len(state.books[BOOK].stock.batches["b1"].free) == 2


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (a_load("m1", "m1", batch="b2"), "serial m1 is there already"),
        (a_load("n1", batch="b2"), "serial n1 is there already"),
        (a_load("m1", id="load-again"), "batch b1 is there already, or was; its id is not given again"),
        (a_load("m1", batch="b2", count=2), "was to have 2 PINs, and would have 1: drop it"),
        (a_load("m1", "m2", batch="b2", count=1), "was to have 1 PINs, and would have 2: drop it"),
        (a_load("m1", batch="b2", kids=frozenset()), "the workers have no key v1: copy keys/vouchers/v1.jwk"),
        (a_load("m1", batch="b2", denomination=70_000), "payee card takes no payment of 70000 minor units"),
        (a_load("m1", batch="b2", cost=50_001), "a PIN costs 50001 minor units, and sells for 50000"),
        (a_load("m1", batch="b2", currency="USD"), "vouchers of card are in RUB, not in USD"),
        (a_load("m1", batch="b2", expires_at=ms_instant(AT)), "batch b2 has expired"),
        (a_load("m1", batch="b2", payee=a_product(served="online")), "there is no such payee that sells vouchers"),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_a_reason(load, reason):
    entry = decided(a_shop("n1"), load)
    assert (entry.kind, entry.legs) == (EntryKind.REFUSED, ())
    assert reason in entry.reason


def test_chunks_that_say_other_things_of_their_batch_are_refused():
    state = a_tree()
    decided(state, a_load("n1", chunks=2, count=2))
    for wrong in (
        a_load("n2", chunks=2, chunk=2, count=2, cost=47_000),
        a_load("n2", chunks=2, chunk=1, count=2, id="other"),
    ):
        assert decided(state, wrong).kind is EntryKind.REFUSED
    assert not state.books[BOOK].stock.batches["b1"].is_open


def test_a_batch_that_is_not_whole_is_dropped_and_its_serials_come_again_under_another_id():
    state = a_tree()
    decided(state, a_load("n1", chunks=2, count=2))
    assert decided(state, a_load("n1", batch="b2")).kind is EntryKind.REFUSED
    assert decided(state, drop_batch()).kind is EntryKind.VOUCHER_BATCH_DROPPED
    assert decided(state, a_load("n2", chunks=2, chunk=2, count=2)).kind is EntryKind.REFUSED
    assert decided(state, a_load("n1", batch="b3")).kind is EntryKind.VOUCHER_BATCH_OPENED
    assert decided(state, drop_batch("b3")).kind is EntryKind.REFUSED
    assert balances(state, BOOK)["supplier:cardhouse"] == 48_000


def test_a_serial_that_was_sold_is_never_loaded_again():
    state = a_shop("n1")
    sold(state)
    assert "b1" not in state.books[BOOK].stock.batches
    assert decided(state, a_load("n1", batch="b2")).kind is EntryKind.REFUSED
    assert decided(state, a_load("n9", id="again")).kind is EntryKind.REFUSED


# --- reserving


def test_a_terminal_is_told_until_when_its_voucher_is_kept_and_again_when_it_asks_again():
    state = a_shop()
    entry = decided(state, a_reservation())
    ((owner, reply),) = replies_to(entry)
    assert (owner, reply.state, reply.reserved_until) == ("kiosk-1", "DONE", ms_instant(AT + RESERVE_MS))
    assert entry.voucher.pin == ""
    again = decide(state, a_reservation(), AT + 1)
    assert reply_again(again).reserved_until == ms_instant(AT + RESERVE_MS)


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (replace(a_reservation(), terminal="kiosk-2"), Refusal.NO_RIGHT),
        (replace(a_reservation(), terminal=""), Refusal.NO_RIGHT),
        (a_reservation(is_sealed=False), Refusal.PAYEE_UNAVAILABLE),
        (a_reservation(payee=a_product(served="online")), Refusal.PAYEE_PROHIBITS),
        (a_reservation(denomination=70_000), Refusal.PAYEE_PROHIBITS),
        (a_reservation(denomination=100_000), Refusal.TEMPORARY),
        (a_reservation(currency="USD"), Refusal.OTHER),
    ],
)
def test_what_cannot_be_reserved_is_refused(order, refusal):
    entry = decided(a_shop(), order)
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, refusal.code)


def test_one_voucher_is_not_reserved_twice_nor_more_than_there_are():
    state = a_shop("n1", "n2")
    serials = [decided(state, a_reservation(number)).voucher.serial for number in (1, 2)]
    assert sorted(serials) == ["n1", "n2"]
    assert decided(state, a_reservation(1, id="once-more")).kind is EntryKind.REFUSED
    assert decided(state, a_reservation(3)).refusal == Refusal.TEMPORARY.code


def test_one_terminal_cannot_empty_the_shelf():
    state = a_shop(*(f"n{number}" for number in range(20)))
    kinds = [decided(state, a_reservation(number)).kind for number in range(1, 12)]
    assert kinds == [EntryKind.VOUCHER_RESERVED] * 10 + [EntryKind.REFUSED]
    assert decided(state, a_reservation(1, "kiosk-2")).kind is EntryKind.VOUCHER_RESERVED


def test_a_reservation_lapses_when_its_time_is_over_and_not_before():
    state = a_shop("n1")
    decided(state, a_reservation())
    assert isinstance(decide(state, VoucherDue(BOOK), AT + RESERVE_MS - 1), Stale)
    lapsed = decided(state, VoucherDue(BOOK), AT + RESERVE_MS)
    assert (lapsed.kind, lapsed.voucher.lapsed, replies_to(lapsed)) == (EntryKind.VOUCHER_LAPSED, ("kiosk-1.1",), [])
    assert isinstance(decide(state, VoucherDue(BOOK), AT + RESERVE_MS), Stale)
    assert decided(state, a_reservation(2)).voucher.serial == "n1"


# --- selling


def test_a_payment_gets_what_was_reserved_for_it():
    state = a_shop("n1", "n2", "n3")
    decided(state, a_reservation(1, "kiosk-2"))
    reserved = decided(state, a_reservation())
    posted = sold(state)
    assert posted.voucher.serial == reserved.voucher.serial == "n2"
    assert posted.voucher.pin == sealed("n2")


def test_the_terminal_alone_is_told_and_no_book_answers_another_in_public():
    state = a_shop("n1")
    held, sale, posted = all_of_it(state, a_sale())
    assert [[owner for owner, _ in replies_to(one)] for one in (held, sale, posted)] == [["kiosk-1"], [], ["kiosk-1"]]
    _, none, voided = all_of_it(state, a_sale(2))
    assert [[owner for owner, _ in replies_to(one)] for one in (none, voided)] == [[], ["kiosk-1"]]


def test_a_sale_wins_over_a_lapse():
    """The payment came late: what was kept for it is another's by now, so it gets the next."""
    state = a_shop("n1", "n2")
    decided(state, a_reservation())
    decided(state, VoucherDue(BOOK), AT + RESERVE_MS)
    assert sold(state, 1, AT + RESERVE_MS, terminal="kiosk-2").voucher.serial == "n1"
    assert sold(state, 1, AT + RESERVE_MS).voucher.serial == "n2"


def test_when_there_is_none_the_payment_is_voided_and_cash_is_the_payers_change():
    state = a_shop("n1")
    sold(state)
    *_, none, voided = all_of_it(state, a_sale(2, collected=50_000))
    assert (none.kind, none.book) == (EntryKind.VOUCHER_NONE, BOOK)
    assert (voided.kind, voided.refusal) == (EntryKind.VOIDED, Refusal.TEMPORARY.code)
    assert voided.reason == "no voucher of 500.00 RUB is left of card"
    assert legs(voided)[:2] == [("hold:S", -50_000), ("agent:S", 50_000)]
    change = {name: left for name, left in balances(state).items() if name.startswith("change:")}
    assert list(change.values()) == [50_000]


def test_whatever_is_told_again_sells_nothing_again():
    """Each word between books is known by its entry: after a crash the same is said, and nothing happens."""
    state = a_shop("n1", "n2")
    before = all_of_it(state, a_sale())
    left = image_of(state)
    for entry in before:
        if (word := asked_for(entry)) is not None:
            assert isinstance(decide(state, an_instruct(word, SERVER), AT + 1), Duplicate)
    assert image_of(state) == left


def test_a_terminal_without_a_sealing_key_is_declined_before_money_moves():
    entry = decided(a_shop(), replace(a_sale(), is_sealed=False))
    assert (entry.kind, entry.refusal) == (EntryKind.DECLINED, Refusal.PAYEE_UNAVAILABLE.code)
    assert "kiosk-1 has no sealing key on file" in entry.reason


def test_of_several_batches_the_one_that_expires_first_is_sold_first():
    state = a_shop("n1")
    decided(state, a_load("n2", batch="b2", expires_at=ms_instant(AT + 9_000)))
    decided(state, a_load("n3", batch="b3", expires_at=ms_instant(AT + 5_000)))
    assert [sold(state, number).voucher.serial for number in (1, 2, 3)] == ["n3", "n2", "n1"]


def test_an_expired_batch_is_not_sold_even_where_it_was_reserved():
    state = a_shop("n1", expires_at=ms_instant(AT + 1_000))
    decided(state, a_load("n2", batch="b2"))
    assert decided(state, a_reservation()).voucher.serial == "n1"
    assert sold(state, at=AT + 1_000).voucher.serial == "n2"
    assert sold(state, 2, AT + 1_000).kind is EntryKind.VOIDED
    assert not state.books[BOOK].stock.reserved


def test_a_blocked_batch_is_not_sold_until_it_is_unblocked():
    state = a_shop("n1", "n2")
    decided(state, a_reservation())
    assert decided(state, block_batch()).kind is EntryKind.VOUCHER_BATCH_BLOCKED
    assert decided(state, block_batch(id="again")).kind is EntryKind.REFUSED
    assert decided(state, a_reservation(2)).refusal == Refusal.TEMPORARY.code
    assert sold(state).kind is EntryKind.VOIDED
    assert decided(state, unblock_batch()).kind is EntryKind.VOUCHER_BATCH_UNBLOCKED
    assert sold(state, 2).voucher.serial == "n1"


def test_no_gateway_is_asked_for_a_voucher():
    state = a_shop()
    performed(state, a_sale())
    assert list(state.outstanding()) == []


def test_a_voucher_is_not_given_back():
    state = a_shop()
    sold(state)
    entry = decided(state, a_reversal("kiosk-1.1", reversible=Reversible({"card": 3_600}, frozenset({"osmp-1"}))))
    assert (entry.kind, entry.refusal) == (EntryKind.REFUSED, Refusal.PAYEE_PROHIBITS.code)


# --- printing again


def test_the_terminal_that_paid_may_print_again_and_nobody_else():
    state = a_shop()
    posted = sold(state)
    again = decided(state, a_reprint())
    assert (again.kind, again.payment, again.legs) == (EntryKind.VOUCHER_REPRINTED, None, ())
    assert again.voucher.serial == posted.voucher.serial
    assert again.voucher.pin == posted.voucher.pin
    for who in ("kiosk-2", ""):
        entry = decided(state, a_reprint(by=who, id=f"by-{who}"))
        assert (entry.kind, entry.refusal, entry.voucher) == (EntryKind.REFUSED, Refusal.NO_RIGHT.code, None)
    assert decided(state, a_reprint(2, id="none")).kind is EntryKind.REFUSED


def test_a_payment_and_a_reprint_delivered_again_say_the_same_pin():
    state = a_shop()
    pin = sold(state).voucher.pin
    assert decide(state, a_sale(), AT + 1).voucher.pin == pin
    decided(state, a_reprint())
    assert decide(state, a_reprint(), AT + 1).voucher.pin == pin


@pytest.mark.parametrize("thief", ["kiosk-2", ""])
def test_a_command_of_another_terminals_signed_again_tells_nothing(thief):
    """Every terminal reads the ids on `replies`, and the rest of a command can be guessed."""
    state = a_shop()
    reserved = a_reservation()
    decided(state, reserved)
    assert decide(state, replace(reserved, by=f"{thief}:1", terminal=thief), AT + 1).voucher is None
    sold(state)
    decided(state, a_reprint())
    assert decide(state, a_reprint(by=thief), AT + 1).voucher is None


# --- the fold


def test_a_fold_of_the_entries_and_an_image_are_the_same_stock():
    state = a_tree()
    log = performed(state, a_load("n1", "n2", "n3", "n4"))
    log += performed(state, a_load("m1", batch="b2", chunks=2, count=2))
    log += performed(state, a_reservation())
    log += performed(state, a_reservation(2))
    log += all_of_it(state, a_sale())
    log += performed(state, block_batch("b2"))
    stock = state.books[BOOK].stock
    assert folded([entry for entry in log if entry.book == BOOK]).books[BOOK].stock == stock
    assert state_of(image_of(state)).books[BOOK].stock == stock


@pytest.mark.parametrize("kind", [EntryKind.VOUCHER_SOLD, EntryKind.VOUCHER_RESERVED])
def test_a_log_that_sells_another_pin_than_the_next_is_refused(kind):
    state = a_shop("n1", "n2")
    entry = all_of_it(state, a_sale())[1] if kind is EntryKind.VOUCHER_SOLD else decided(state, a_reservation())
    fresh = a_shop("n1", "n2")
    wrong = replace(entry, voucher=replace(entry.voucher, serial="n2"))
    with pytest.raises(LedgerCorrupt, match="n2 is not the next of batch b1"):
        evolve(fresh, wrong)
