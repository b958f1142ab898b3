"""Registries leave: cut when their time comes, made into the same bytes, and brought by file, mail and HTTP.

Real shards on the embedded broker, a real mail server and a real receiver; workers come and go.
"""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from agents.registry_clock import RegistryClock
from agents.registry_courier import RegistryCourier
from schemas.cron import next_moment
from schemas.entry import Entry, EntryKind
from schemas.envelope import SigningKey
from schemas.ids import instant_ms, ms_instant
from schemas.offline import FileDrop, HttpUpload, MailDrop
from schemas.payee import Payee
from schemas.registry import RegistryCut, RegistryLine, registry_book
from streams.arrival import Ask
from streams.clock import Clock
from streams.directory import Directory
from streams.embedded import EmbeddedBroker
from streams.ledger_reader import read_records
from streams.outbox import Record
from streams.registry_file import registry_bytes
from streams.settings import Settings
from streams.shard import Shard
from streams.shards import NotOurs, Shards
from streams.topics import create_or_verify
from tests.builders import AT, a_deposit, open_agent
from tests.builders_offline import (
    FIRST,
    Offices,
    an_offline_payee,
    place_offline,
    registry_due,
    some_terms,
    words_by,
)
from tests.receivers import happens, hooks, mailbox

EARLY = datetime(2026, 1, 1, tzinfo=UTC)


def lines(*subscribers: str) -> list[RegistryLine]:
    return [
        RegistryLine(FIRST + n, f"kiosk-1.{n + 1}", "A", {"phone": one, "flat": "7"}, 95_000 + n, "RUB", AT + n * 1000)
        for n, one in enumerate(subscribers)
    ]


def a_cut(of: list[RegistryLine], form: str = "tsv", zone: str = "Europe/Moscow") -> RegistryCut:
    return RegistryCut(len(of), sum(one.amount for one in of), "RUB", "0" * 32, 0, AT + 60_000, 0, form, zone)


def test_the_text_is_the_fields_own_with_times_in_the_payees_zone_and_totals_also_of_nothing():
    found = lines("9161234567", "91\t6\n1")
    assert registry_bytes(a_cut(found), found).decode() == (
        f"{FIRST}\t01.01.2026 03:00:00\t9161234567\t950.00\n"
        f"{FIRST + 1}\t01.01.2026 03:00:01\t91 6 1\t950.01\n"
        "Total:\t2\t1900.01\n"
    )
    assert registry_bytes(a_cut([]), []) == b"Total:\t0\t0.00\n"


def test_a_table_has_all_fields_and_no_formula_whatever_a_payer_typed_in():
    found = lines("=cmd()", "+7916")
    table = registry_bytes(a_cut(found, "csv"), found).decode().split("\r\n")
    assert table[0] == "txn_id;date;time;subscriber;other_fields;amount;currency;payment_id"
    assert table[1] == f"{FIRST};01.01.2026;03:00:00;'=cmd();flat=7;950.00;RUB;kiosk-1.1"
    assert table[3] == "Total:;;;2;;1900.01;RUB;"


def test_a_sheet_is_the_same_bytes_each_time_and_its_cells_are_text(tmp_path: Path):
    found = lines("=cmd()", "9161234567")
    made = registry_bytes(a_cut(found, "xlsx"), found)
    assert registry_bytes(a_cut(found, "xlsx"), found) == made
    (tmp_path / "made.xlsx").write_bytes(made)
    page = load_workbook(tmp_path / "made.xlsx")["Registry"]
    cells = [[cell.value for cell in row] for row in page.iter_rows()]
    assert cells[1][:5] == [str(FIRST), "01.01.2026", "03:00:00", "=cmd()", "flat=7"]
    assert {cell.data_type for row in page.iter_rows() for cell in row if cell.value} == {"s"}
    assert cells[3][3] == "2"


@pytest.mark.parametrize(
    ("cron", "since", "first", "second"),
    [
        # 29 March 2026, 02:00 to 03:00 is skipped in Berlin: 02:30 comes once, when the clocks have gone on.
        ("30 2 * * *", "2026-03-28T12:00+00:00", "2026-03-29T01:00+00:00", "2026-03-30T00:30+00:00"),
        # 25 October 2026, 02:30 comes twice: the registry is cut the first time, and not again an hour later.
        ("30 2 * * *", "2026-10-24T12:00+00:00", "2026-10-25T00:30+00:00", "2026-10-26T01:30+00:00"),
    ],
)
def test_a_cut_off_comes_once_in_the_nights_when_the_clocks_change(cron: str, since: str, first: str, second: str):
    begin, one, other = (instant_ms(datetime.fromisoformat(text)) for text in (since, first, second))
    assert next_moment(cron, "Europe/Berlin", begin) == one
    assert next_moment(cron, "Europe/Berlin", one) == other


# --- on real shards


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker.start(tmp_path_factory.mktemp("broker")) as broker:
        create_or_verify(Settings(kafka=broker.bootstrap, partitions=1))
        yield broker


@pytest.fixture
def settings(broker: EmbeddedBroker, tmp_path: Path) -> Settings:
    return Settings(
        dir=tmp_path, kafka=broker.bootstrap, partitions=1, snapshot_every=0, notify_retry_ms=10,
        notify_time_out_ms=2_000, smtp_tls="none",
    )  # fmt: skip


def a_worker(settings: Settings) -> Shards:
    return Shards(settings, SigningKey.generate("server:1"), lambda _: True, lambda _: None)


def a_directory(*payees: Payee) -> Directory:
    directory = Directory()
    for one in payees:
        directory.apply("payees", one.id, one.model_dump_json().encode())
    return directory


def told(settings: Settings, payee: str) -> list[Entry]:
    """The entries of the payee's registries."""
    records = [Entry.decode(value) for chunk in read_records(settings, 0, 0) for _, value in chunk]
    return [one for one in records if one.book == registry_book(payee)]


async def a_registry(shards: Shards, payee: str, payments: int = 1) -> None:
    """Number 1 of this payee, with so many payments, is cut."""
    world = Offices.with_registries(open_agent("A"), open_agent("S", "A"), a_deposit("S", 1_000_000), payees=(payee,))
    entries = [entry for number in range(payments) for entry in world.ask(place_offline(number + 1, payee))]
    now = Clock().now_ms()
    await shards.decide(0, [Ask(one, now) for one in [*words_by(entries), registry_due(payee=payee)]])


async def carried(settings: Settings, shards: Shards, payee: Payee, condition: Any, what: str) -> None:
    """A courier at work until this has happened."""
    courier = RegistryCourier(settings, a_directory(payee), shards, Clock())
    await courier.start()
    try:
        await happens(what, condition)
    finally:
        await courier.stop()


def a_payee_by(payee: str, delivery: FileDrop | MailDrop | HttpUpload) -> Payee:
    return an_offline_payee(payee, some_terms(delivery=delivery, since=EARLY))


def deliveries(settings: Settings, payee: str) -> list[Entry]:
    return [one for one in told(settings, payee) if one.kind is EntryKind.REGISTRY_DELIVERED]


async def test_a_file_is_dropped_whole_and_the_ledger_says_what_was_in_it(settings: Settings):
    shards, payee = a_worker(settings), a_payee_by("filed", FileDrop(directory="to-filed"))
    await a_registry(shards, "filed")
    await carried(settings, shards, payee, lambda: deliveries(settings, "filed"), "it is delivered")
    (entry,) = deliveries(settings, "filed")
    content = (settings.registries / "to-filed" / "filed_000001.tsv").read_bytes()
    assert content.startswith(b"1000000000000001\t")
    assert content.endswith(b"Total:\t1\t950.00\n")
    assert entry.registry is not None
    assert entry.registry.delivery is not None
    assert entry.registry.delivery.how == "file to-filed/filed_000001.tsv"
    assert (entry.registry.delivery.size, entry.registry.delivery.sha256) == (
        len(content), sha256(content).hexdigest(),
    )  # fmt: skip
    assert list((settings.registries / "to-filed").iterdir()) == [settings.registries / "to-filed/filed_000001.tsv"]


async def test_a_mail_is_sent_again_until_the_server_takes_it_and_each_has_the_same_id_and_bytes(settings: Settings):
    with mailbox() as box:
        box.answers["in@water.example"] = ["drop", "451 later"]
        mailing = settings.model_copy(update={"smtp": f"127.0.0.1:{box.port}"})
        shards, payee = a_worker(mailing), a_payee_by("mailed", MailDrop(address="in@water.example"))
        await a_registry(shards, "mailed")
        await carried(mailing, shards, payee, lambda: deliveries(mailing, "mailed"), "it is delivered")
        ids, mails = box.ids("in@water.example"), [mail for _, mail in box.mails]
    assert ids == ["<registry.mailed.1@localhost>"] * 2  # one of them was lost on the way back
    attached = [part for mail in mails for part in mail.walk() if part.get_filename() == "mailed_000001.tsv"]
    first, second = (part.get_payload(decode=True) for part in attached)
    assert first == second
    assert isinstance(first, bytes)
    assert first.endswith(b"Total:\t1\t950.00\n")


async def test_an_upload_follows_no_redirect_and_counts_only_a_2xx(settings: Settings):
    with hooks() as receiver:
        receiver.answers["/in"] = [201, 500, 302]
        secret = settings.keys / "gateways" / "water-upload"
        secret.parent.mkdir(parents=True)
        secret.write_text("kassa:open sesame\n")
        to = HttpUpload(url=f"{receiver.url}/in", method="POST", credentials="water-upload")
        shards, payee = a_worker(settings), a_payee_by("posted", to)
        await a_registry(shards, "posted")
        await carried(settings, shards, payee, lambda: deliveries(settings, "posted"), "it is delivered")
        posts = receiver.at("/in")
        assert receiver.at("/elsewhere") == []
    assert len(posts) == 3
    assert len({post.body for post in posts}) == 1
    last = posts[-1].headers
    assert last["authorization"] == "Basic " + b64encode(b"kassa:open sesame").decode()
    assert last["content-disposition"] == 'attachment; filename="posted_000001.tsv"'
    assert last["idempotency-key"] == "posted-1"
    assert last["content-digest"] == f"sha-256=:{b64encode(sha256(posts[-1].body).digest()).decode()}:"


async def test_a_courier_that_dies_before_its_word_delivers_again_the_same_name_and_bytes(settings: Settings):
    """The receiver has the file and the courier dies before it hears so: one file twice, on the ledger one delivery."""
    with hooks() as receiver:
        receiver.answers["/in"] = [0]
        payee = a_payee_by("twice", HttpUpload(url=f"{receiver.url}/in", method="POST"))
        first = a_worker(settings)
        await a_registry(first, "twice")
        await carried(settings, first, payee, lambda: receiver.at("/in"), "the receiver has it")
        assert deliveries(settings, "twice") == []
        second = a_worker(settings)
        await second.open(0)
        await carried(settings, second, payee, lambda: deliveries(settings, "twice"), "it is delivered")
        posts = receiver.at("/in")
    assert len(posts) == 2
    assert posts[0].body == posts[1].body
    assert posts[0].headers["idempotency-key"] == posts[1].headers["idempotency-key"] == "twice-1"
    assert len(deliveries(settings, "twice")) == 1


class HeldShard(Shard):
    """What it decides about a cut stays on its way to the ledger until it is let go."""

    held, let_go = threading.Event(), threading.Event()

    def commit(self, records: Sequence[Record]) -> None:
        if any(b"REGISTRY_CUT" in (one.value or b"") for one in records):
            self.held.set()
            assert self.let_go.wait(60)
        super().commit(records)


async def test_what_a_zombie_cuts_is_not_brought_since_its_successor_may_cut_it_with_other_lines(settings: Settings):
    with hooks() as receiver:
        payee = a_payee_by("early", HttpUpload(url=f"{receiver.url}/in", method="POST"))
        key, let_go = SigningKey.generate("server:1"), HeldShard.let_go
        zombie = Shards(settings, key, lambda _: not let_go.is_set(), lambda _: None, shard=HeldShard)
        cut = asyncio.create_task(a_registry(zombie, "early"))
        await happens("its cut is on its way", HeldShard.held.is_set)
        courier = RegistryCourier(settings, a_directory(payee), zombie, Clock())
        await courier.start()
        try:
            successor = a_worker(settings)
            await a_registry(successor, "early", payments=2)
            await carried(settings, successor, payee, lambda: deliveries(settings, "early"), "it is delivered")
            let_go.set()
            with pytest.raises(NotOurs):
                await cut
        finally:
            let_go.set()
            await courier.stop()
        (post,) = receiver.at("/in")
    assert post.body.endswith(b"Total:\t2\t1900.00\n")


async def test_a_payee_that_hangs_holds_up_no_other(settings: Settings):
    with hooks() as receiver:
        receiver.answers["/slow"] = [0]
        slow = a_payee_by("slow", HttpUpload(url=f"{receiver.url}/slow", method="POST"))
        quick = a_payee_by("quick", HttpUpload(url=f"{receiver.url}/quick", method="POST"))
        shards = a_worker(settings)
        for one in ("slow", "quick"):
            await a_registry(shards, one)
        courier = RegistryCourier(settings, a_directory(slow, quick), shards, Clock())
        await courier.start()
        try:
            await happens("the quick one is delivered", lambda: deliveries(settings, "quick"))
            assert deliveries(settings, "slow") == []
        finally:
            await courier.stop()


async def test_registries_are_cut_by_the_clock_empty_ones_too_and_a_missed_cut_off_is_kept_once(settings: Settings):
    payee, shards = a_payee_by("clocked", FileDrop(directory="clocked")), a_worker(settings)
    await shards.open(0)
    shift = settings.dir / "shift"
    for days, count in ((0, 1), (3, 2)):
        shift.write_text(str(days * 86_400_000))
        running = [RegistryClock(a_directory(payee), shards, Clock(shift), 1) for _ in range(2)]
        for one in running:
            await one.start()
        try:
            await happens(f"{count} are cut", lambda count=count: len(told(settings, "clocked")) >= count)
        finally:
            for one in running:
                await one.stop()
    cuts = [one.registry.cut for one in told(settings, "clocked") if one.registry is not None]
    assert [(one.lines, one.total, one.currency, one.time_zone) for one in cuts if one is not None] == [
        (0, 0, "RUB", "Europe/Moscow")
    ] * 2
    first, second = cuts
    assert first is not None
    assert second is not None
    assert second.since == first.until
    assert ms_instant(second.due_at).astimezone(UTC).strftime("%H:%M") == "21:15"  # a quarter past midnight in Moscow
