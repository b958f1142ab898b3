"""The ledger machine's vouchers: batches in pieces, reservations that lapse, sales whose words come late, anyhow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from schemas.entry import Entry, EntryKind
from schemas.ids import ms_instant
from streams.ledger.commands import Instruct, VoucherDue
from streams.ledger.decisions import Stale
from streams.ledger.state import Account
from streams.ledger.voucher_sales import asked_for
from tests.builders import AT, a_place, an_instruct, an_order
from tests.builders_vouchers import (
    BOOK,
    SERVER,
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
TARIFF = a_card_tariff()
_SELLERS = st.sampled_from([("A", "S"), ("A", "S"), ("A", "T"), ("A", "U"), ("A", "A")])
_worths = st.sampled_from([500, 500, 500, 1_000, 700])
_flaws = st.sampled_from(["", "", "", "", "again", "short", "piece", "cost"])
_numbers = st.integers(0, 10**6)
_rarely = st.sampled_from([True, *[False] * 9])


class VoucherRules:
    """A part of LedgerMachine."""

    def __init__(self) -> None:
        super().__init__()
        self.voucher_words: list[Instruct] = []  # on their way between books
        self.voucher_looked = 0  # entries of the log whose words are on their way, or came
        self.next_serial = 0

    @rule(batch=st.integers(1, 12), pieces=st.lists(st.integers(1, 3), min_size=1, max_size=3), worth=_worths,
          lives_h=st.sampled_from([0, 0, 0, 2, 30]), flaw=_flaws, order=st.booleans())  # fmt: skip
    def load_a_batch(self: Any, batch, pieces, worth, lives_h, flaw, order) -> None:
        """Chunk by chunk, in either order; a flaw: a serial again, a PIN too few, a piece that never comes."""
        expires = ms_instant(self.at + lives_h * 3_600_000) if lives_h else None
        chunks = list(enumerate(pieces, 1))
        for number, size in chunks if order else reversed(chunks):
            if flaw == "piece" and number == len(pieces):
                continue
            serials = [f"n{self.next_serial + place}" for place in range(size)]
            self.next_serial += size
            if flaw == "again" and number == 1:
                serials[0] = f"n{batch}"
            cost = worth + 1 if flaw == "cost" else worth * 96 // 100
            command = a_load(
                *serials, payee=PRODUCT, batch=f"b{batch}", denomination=worth, cost=cost, expires_at=expires,
                count=sum(pieces) + (flaw == "short"), chunks=len(pieces), chunk=number, id=self.new_id(),
            )  # fmt: skip
            self.instructed(command, self.reference.loaded(command.command, self.at + 1))

    @rule(batch=st.integers(1, 12), what=st.sampled_from([block_batch, unblock_batch, unblock_batch, drop_batch]))
    def a_batch_is_stopped_or_not(self: Any, batch, what) -> None:
        command = what(f"b{batch}", id=self.new_id())
        self.instructed(command, self.reference.standing_of(command.command))

    @precondition(lambda self: self.reference.shelves)
    @rule(amount=st.sampled_from([1, 480, 5_000, 10**6]))
    def a_supplier_is_paid(self: Any, amount) -> None:
        command = pay_supplier(amount, id=self.new_id())
        self.instructed(command, self.reference.supplier_paid(command.command))

    @precondition(lambda self: self.reference.shelves)
    @rule(count=st.integers(1, 4), worth=_worths, bare=_rarely, foreign=_rarely)
    def reserve_some(self: Any, count, worth, bare, foreign) -> None:
        for _ in range(count):
            command = a_reservation(len(self.asked) + 2, payee=PRODUCT, denomination=worth, is_sealed=not bare,
                                    id=self.new_id())  # fmt: skip
            command = replace(command, terminal="kiosk-2") if foreign else command
            code = self.reference.reserved(command, self.at + 1)
            entry = self.ask(command)
            assert entry is not None
            assert (entry.kind, entry.refusal) == (("REFUSED", code) if code else ("VOUCHER_RESERVED", 0)), entry.reason
            if not code:
                batch, serial, until = self.reference.kept[command.command.payment]
                note = entry.voucher
                assert (note.batch, note.serial, note.until, note.pin) == (batch, serial, until, "")
                if count % 2:
                    self.buy(("A", "S"), worth, False, False)

    @precondition(lambda self: self.reference.shelves)
    @rule(sales=st.lists(st.tuples(_SELLERS, _worths, st.booleans(), _rarely), min_size=1, max_size=4),
          heard=st.lists(_numbers, max_size=10))  # fmt: skip
    def sell_vouchers(self: Any, sales, heard) -> None:
        """Some of what the books say to each other is heard now, in any order; the rest later."""
        for sale in sales:
            self.buy(*sale)
        for pick in heard:
            if self.voucher_words_there():
                self.hear_of_a_voucher(self.voucher_words.pop(pick % len(self.voucher_words)))

    def buy(self: Any, seller, worth, collected, bare) -> None:
        tree, agent = seller
        order = an_order(len(self.asked) + 1, agent=agent, payee="card", amount=worth, fee=0, made_at=ms_instant(AT),
                         collected=worth * collected)  # fmt: skip
        command = replace(a_place(order, book=tree, payee=PRODUCT, tariff=TARIFF), is_sealed=not bare)
        code = self.reference.placed(command, self.at + 1)
        entry = self.ask(command)
        assert entry is not None
        kind = self.reference.sold[order.id].state if order.id in self.reference.sold else "DECLINED"
        assert (entry.refusal, entry.kind) == (code, kind), entry.reason

    def voucher_words_there(self: Any) -> bool:
        for entry in self.log[self.voucher_looked :]:
            if (word := asked_for(entry)) is not None:
                self.voucher_words.append(an_instruct(word, SERVER))
        self.voucher_looked = len(self.log)
        return bool(self.voucher_words)

    def hear_of_a_voucher(self: Any, word: Instruct) -> None:
        payment = word.command.payment
        if word.command.kind != "voucher.sell":
            expected = self.reference.concluded(payment)
            entry = self.ask(word)
            assert entry is not None
            assert entry.kind == expected, entry.reason
            self.reference.posted_at |= {payment: self.at} if expected == "POSTED" else {}
            return
        serial = self.reference.bought(payment, word.command.denomination, self.at + 1)
        entry = self.ask(word)
        assert entry is not None
        assert entry.kind == ("VOUCHER_NONE" if serial is None else "VOUCHER_SOLD")
        assert entry.voucher.serial == (serial or "")

    def hear_all_of_vouchers(self: Any) -> None:
        while self.voucher_words_there():
            self.hear_of_a_voucher(self.voucher_words.pop())

    @precondition(lambda self: self.reference.kept)
    @rule(minutes=st.sampled_from([0, 4, 6]))
    def reservations_lapse(self: Any, minutes) -> None:
        self.at += minutes * 60_000
        over = self.reference.lapsed(self.at + 1)
        if not over:
            assert isinstance(self.decide(VoucherDue(BOOK), self.at + 1), Stale)
            return
        entry = self.ask(VoucherDue(BOOK))
        assert entry is not None
        assert (entry.kind, list(entry.voucher.lapsed)) == ("VOUCHER_LAPSED", over)

    @precondition(lambda self: self.reference.pins)
    @rule(pick=_numbers, by=st.sampled_from(["kiosk-1", "kiosk-1", "kiosk-1", "kiosk-2", ""]))
    def print_again(self: Any, pick, by) -> None:
        payment = list(self.reference.pins)[pick % len(self.reference.pins)]
        command = a_reprint(int(payment.rpartition(".")[2]), by=by, id=self.new_id())
        entry = self.ask(command)
        assert entry is not None
        is_told = by == "kiosk-1" and self.reference.sold[payment].state == "POSTED"
        assert entry.kind == ("VOUCHER_REPRINTED" if is_told else "REFUSED"), entry.reason
        assert not is_told or (entry.voucher.batch, entry.voucher.serial) == self.reference.pins[payment]

    @invariant()
    def no_pin_is_lost_or_twice(self: Any) -> None:
        """Each serial is in one place: on its shelf, kept for a payment, or a payment's."""
        book = self.state.books.get(BOOK)
        if book is None or book.stock is None:
            assert not self.reference.shelves
            return
        stock = book.stock
        free = {name: [one.split(b"\n")[0].decode() for one in batch.free] for name, batch in stock.batches.items()}
        assert free == {name: shelf.free for name, shelf in self.reference.shelves.items() if name in free}
        assert {payment: one.until for payment, one in stock.reserved.items()} == {
            payment: until for payment, (_, _, until) in self.reference.kept.items()
        }

    @invariant()
    def the_stock_is_worth_what_is_in_it(self: Any) -> None:
        owed = self.reference.bought_from_supplier() - self.reference.paid_to_supplier
        book = self.state.books.get(BOOK)
        supplier = book.accounts.get(("supplier:cardhouse", "RUB"), Account()) if book is not None else Account()
        assert supplier.balance == owed
        for name, shelf in self.reference.shelves.items():
            accounts = [one.accounts.get((f"voucher-stock:card.{name}", "RUB")) for one in self.state.books.values()]
            posted = sum(self.reference.pins.get(payment, ("",))[0] == name for payment, sold in
                         self.reference.sold.items() if sold.state == "POSTED")  # fmt: skip
            worth = shelf.cost * (shelf.count - posted) if shelf.is_open else 0
            assert -sum(one.balance for one in accounts if one is not None) == worth

    def each_pin_is_sold_once(self: Any) -> None:
        """By the whole log."""
        sold = [entry.voucher for entry in self.log if entry.kind is EntryKind.VOUCHER_SOLD]
        assert len({one.serial for one in sold}) == len({one.payment for one in sold}) == len(sold)
        posted = [_pin(entry) for entry in self.log if entry.kind is EntryKind.POSTED and entry.voucher is not None]
        assert sorted(posted) == sorted((one.payment, one.serial, one.pin) for one in sold)


def _pin(entry: Entry) -> tuple[str, str, str]:
    assert entry.voucher is not None
    return entry.voucher.payment, entry.voucher.serial, entry.voucher.pin
