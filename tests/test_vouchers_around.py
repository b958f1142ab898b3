"""Vouchers beside the rules: whose words are believed, what people are told, what is written, and the room it takes."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from functools import cache

import orjson
import pytest

from agents.verify import Verifier
from schemas.alert import Alert, AlertKind
from schemas.envelope import SigningKey, VerifyingKey
from schemas.ids import ms_instant
from schemas.keys import SERVER_KID
from schemas.payee import Payee, StockLevel
from schemas.refusal import Refusal
from schemas.reject import RejectReason
from schemas.reply import Reply
from schemas.sealing import OpeningKey
from schemas.terminal import Operator, Terminal
from schemas.voucher import serial_mark
from streams.arrival import Arrival, Ask, Forward, Item, Quarantine
from streams.directory import Directory
from streams.ledger.checking import Terms, look
from streams.ledger.commands import Instruct, Place, VoucherDue
from streams.ledger.decide import decide
from streams.ledger.memory import leaving, let_go, needed_to_decide, recall
from streams.ledger.serials import Serials
from streams.ledger.stock import Batch, pack_pin
from streams.ledger.voucher_sales import asked_for
from streams.outbox import Outbox
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.topics import COMMANDS, LEDGER, REPLIES
from streams.watch import Watch
from tests.builders import AT, a_tree, an_order, decided, performed
from tests.builders_tracking import a_check
from tests.builders_vouchers import (
    BOOK,
    a_card_tariff,
    a_load,
    a_product,
    a_reprint,
    a_reservation,
    a_sale,
    all_of_it,
    block_batch,
    unblock_batch,
)

PARTITIONS = 4


@cache
def key(kid: str) -> SigningKey:
    return SigningKey.generate(kid)


def a_verifier(*kids: str) -> Verifier:
    """Terminals k1 (with a sealing key) and k2 (with none) of tree A, k9 of tree B, operator root; product card."""
    directory = Directory()
    for name, tree in (("k1", "A"), ("k2", "A"), ("k9", "B")):
        sealing = OpeningKey.generate(f"{name}:1").public() if name != "k2" else None
        record = Terminal(id=name, agent=tree, tree=tree, keys=(key(f"{name}:1").public(),), sealing=sealing)
        directory.apply("terminals", name, record.model_dump_json().encode())
    root = Operator(id="root", keys=(key("root:1").public(),))
    directory.apply("operators", "root", root.model_dump_json().encode())
    directory.apply("payees", "card", a_product().model_dump_json().encode())
    server = VerifyingKey.load(key(SERVER_KID).public())
    settings = Settings(partitions=PARTITIONS, voucher_reserve_s=60)
    return Verifier(settings, directory, server, lambda: frozenset(kids))


def verified(command: Instruct, kid: str, *kids: str, **changes: object) -> Item:
    """What becomes of the command when this key signs it, at the partition of its book."""
    content = {**command.command.model_dump(mode="json"), **changes}
    value = key(kid).sign(orjson.dumps(content))
    item = a_verifier(*kids).command(Arrival("commands", 0, 7, b"A", value, AT))
    if isinstance(item, Forward):
        item = a_verifier(*kids).command(Arrival("commands", partition_of(item.key, PARTITIONS), 7, b"A", value, AT))
    return item


# --- whose words


def test_a_reservation_carries_what_the_directory_knows_of_product_and_terminal() -> None:
    item = verified(a_reservation(terminal="k1"), "k1:1")
    assert isinstance(item, Ask)
    assert isinstance(item.command, Instruct)
    assert item.command.product is not None
    assert (item.command.book, item.command.terminal, item.command.by) == (BOOK, "k1", "k1:1")
    found = item.command.product
    assert (found.payee, found.reserve_ms, found.is_sealed) == (a_product(), 60_000, True)
    bare = verified(a_reservation(terminal="k2"), "k2:1")
    assert isinstance(bare, Ask)
    assert not bare.command.product.is_sealed  # type: ignore[union-attr]


def test_a_batch_is_loaded_under_a_key_that_the_worker_has() -> None:
    for kids, loads in ((("v1",), "VOUCHER_BATCH_OPENED"), ((), "REFUSED"), (("v2",), "REFUSED")):
        item = verified(a_load("n1", pins=(("n1", "x" * 56),)), "root:1", *kids)
        assert isinstance(item, Ask)
        assert decided(a_tree(), item.command).kind == loads


@pytest.mark.parametrize(
    ("command", "kid", "reason"),
    [
        (a_reservation(terminal="k9", tree="A"), "k9:1", RejectReason.WRONG_AGENT),
        (a_reprint(terminal="k9"), "k9:1", RejectReason.WRONG_AGENT),
        (a_load("n1"), "k1:1", RejectReason.UNKNOWN_KEY),
        (block_batch(), "k1:1", RejectReason.UNKNOWN_KEY),
        (a_load("n1"), SERVER_KID, RejectReason.WRONG_SIGNER),
    ],
)
def test_what_is_not_theirs_to_order_is_quarantined(command: Instruct, kid: str, reason: RejectReason) -> None:
    item = verified(command, kid)
    assert isinstance(item, Quarantine)
    assert item.reason is reason


def test_what_one_book_says_to_another_is_believed_of_the_workers_alone() -> None:
    state = a_tree()
    decided(state, a_load("n1"))
    words = [word for entry in all_of_it(state, a_sale()) if (word := asked_for(entry)) is not None]
    assert [word.kind for word in words] == ["voucher.sell", "voucher.sold"]
    for word in words:
        command = Instruct("", word, "", "")
        assert isinstance(verified(command, SERVER_KID), Ask)
        for kid in ("root:1", "k1:1"):
            item = verified(command, kid)
            assert isinstance(item, Quarantine)
            assert item.reason in (RejectReason.WRONG_SIGNER, RejectReason.UNKNOWN_KEY)


@pytest.mark.parametrize(("terminal", "is_sealed"), [("k1", True), ("k2", False)])
def test_a_payment_says_whether_its_terminal_can_be_told_secrets(terminal: str, is_sealed: bool) -> None:
    order = an_order(1, terminal, agent="A", payee="card", amount=50_000, fee=0)
    value = key(f"{terminal}:1").sign(order.model_dump_json().encode())
    item = a_verifier().payment(Arrival("payments", partition_of("A", PARTITIONS), 7, b"A", value, AT))
    assert isinstance(item, Ask)
    assert isinstance(item.command, Place)
    assert item.command.is_sealed is is_sealed


@pytest.mark.parametrize(("is_sealed", "refusal"), [(True, None), (False, Refusal.PAYEE_UNAVAILABLE)])
def test_a_check_before_cash_is_taken_answers_as_the_payment_would(is_sealed: bool, refusal: Refusal | None) -> None:
    request = a_check(payee="card", amount=50_000)
    found = look(a_tree(), "A", request, Terms(a_product(), a_card_tariff(), 1_000, is_sealed), AT)
    assert (found.objection.refusal if found.objection is not None else None) is refusal


# --- what is written


def test_what_books_say_to_each_other_is_written_under_the_others_key() -> None:
    state = a_tree()
    performed(state, a_load("n1"))
    keys = []
    for entry in all_of_it(state, a_sale()):
        outbox = Outbox(state)
        outbox.entry(entry)
        keys += [
            (record.topic, record.key) for record in outbox.close() if record.topic in (COMMANDS.name, LEDGER.name)
        ]
    assert keys == [
        (LEDGER.name, b"A"), (COMMANDS.name, BOOK.encode()), (LEDGER.name, BOOK.encode()), (COMMANDS.name, b"A"),
        (LEDGER.name, b"A"),
    ]  # fmt: skip


def test_without_a_sealer_and_in_every_reply_but_one_there_is_no_ciphertext() -> None:
    state = a_tree()
    performed(state, a_load("n1"))
    for entry in [*performed(state, a_reservation()), *all_of_it(state, a_sale())]:
        outbox = Outbox(state)
        outbox.entry(entry)
        for record in outbox.close():
            assert record.topic != REPLIES.name or b"sealed-n1" not in (record.value or b"")


def test_a_reply_without_a_voucher_says_what_it_always_said() -> None:
    said = Reply(id="k.1", state="POSTED", at=ms_instant(AT)).model_dump(mode="json")
    assert {"secret", "reserved_until"} & said.keys() == set()


# --- what people are told


@dataclass
class Desk:
    """A product that is watched: fewer than 2 of 500.00 are worth a word."""

    levels: tuple[StockLevel, ...] = (StockLevel(denomination=50_000, below=2),)
    payees: dict[str, Payee] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = a_tree()
        self.payees["card"] = a_product(low_stock=self.levels)
        self.watch = Watch(Settings(), 0, {}, self.payees)

    def told(self, *commands: object, at: int = AT) -> list[tuple[str, bool, int]]:
        alerts: list[Alert] = []
        for command in commands:
            for entry in all_of_it(self.state, command, at):  # type: ignore[arg-type]
                alerts += [one for one in self.watch.entry(self.state, entry) if one.kind is AlertKind.LOW_STOCK]
        return [(one.subject, one.over, one.count) for one in alerts]

    def seen(self, at: int = AT) -> list[tuple[str, bool]]:
        return [(one.subject, one.over) for one in self.watch.look(self.state, at)]


def test_low_stock_begins_below_the_threshold_and_is_over_a_tenth_above_it() -> None:
    desk = Desk()
    assert desk.told(a_load("n1", "n2", "n3"), a_sale(1)) == []
    assert desk.told(a_sale(2)) == [("card/50000", False, 1)]
    assert desk.told(a_sale(3)) == [], "it was told"
    assert desk.told(a_load("m1", "m2", batch="b2")) == [], "two are not a tenth above two"
    assert desk.told(a_load("o1", batch="b3")) == [("card/50000", True, 3)]


def test_what_is_reserved_blocked_or_expired_is_not_for_sale() -> None:
    desk = Desk()
    desk.told(a_load("n1", "n2", "n3", "n4", expires_at=ms_instant(AT + 1_000_000)))
    assert desk.told(*(a_reservation(number) for number in (1, 2, 3))) == [("card/50000", False, 1)]
    assert desk.told(VoucherDue(BOOK), at=AT + 300_000) == [("card/50000", True, 4)]
    assert desk.told(block_batch()) == [("card/50000", False, 0)]
    assert desk.told(unblock_batch()) == [("card/50000", True, 4)]
    assert desk.seen() == []
    assert desk.seen(AT + 1_000_000) == [("card/50000", False)]


def test_a_threshold_that_is_taken_away_ends_the_alert() -> None:
    desk = Desk()
    assert desk.told(a_load("n1")) == [("card/50000", False, 1)]
    desk.payees["card"] = a_product()
    assert desk.seen() == [("card/50000", True)]
    assert desk.seen() == []


# --- memory


def test_a_sold_voucher_is_archived_with_its_payment_and_printed_again_from_there() -> None:
    state = a_tree()
    performed(state, a_load("n1"))
    pin = all_of_it(state, a_sale())[-1].voucher.pin
    archive = dict(leaving(state))
    let_go(state)
    command = a_reprint()
    recall(state, {name: archive[name] for name in needed_to_decide(state, [command]) if name in archive})
    (entry,) = decide(state, command, AT)  # type: ignore[misc]
    assert entry.voucher.pin == pin


def test_serials_are_remembered_in_eight_bytes_each() -> None:
    marks = [serial_mark(f"SN{number}") for number in range(20_000)]
    serials = Serials()
    serials.add(marks[:10_000])
    serials.add(marks[10_000:])
    assert len(serials) == 20_000
    assert all(mark in serials for mark in marks[::97])
    assert serial_mark("SN20001") not in serials
    assert Serials(serials.pack()) == serials
    assert len(serials.pack()) == 2 * 8 * 20_000


def test_a_pin_in_stock_takes_little_room() -> None:
    """Serial of 10 characters, PIN of 16: what 100,000 of them come to, measured as they are kept."""
    count = 20_000
    batch = Batch(a_load("n1").command)  # type: ignore[arg-type]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    batch.free.extend(pack_pin(f"SN{number:08}", f"{number:059}") for number in range(count))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    each = (after - before) / count
    print(f"{each:.0f} bytes a PIN")
    assert each < 130
