"""A worker goes on from a snapshot as from the whole ledger, and never believes one it should not."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import structlog

from schemas.entry import Entry, EntryKind
from schemas.envelope import SigningKey
from streams import metrics
from streams.arrival import Arrival, Ask
from streams.embedded import EmbeddedBroker
from streams.fold import Fold, recover
from streams.ledger.commands import LedgerCommand
from streams.ledger.image import image_of
from streams.ledger.memory import leaving
from streams.ledger.payments import PaymentState, pack, unpack
from streams.ledger_reader import read_records
from streams.outbox import Record
from streams.settings import Settings
from streams.shard import Shard, TransactionFailed
from streams.snapshots import release
from streams.topics import create_or_verify
from streams.workplace import Workplace
from tests.builders import AT, a_deposit, a_place, a_resolve, a_settle, open_agent

SERVER = SigningKey.generate("server:1")
EVERY = 10
RELEASE = "7-ebc7e50c5a133c4e"
PACKED = (
    "000102030405060708090a0b0c0d0e0f070000000000000000a8da769b010000"
    "090000000000000005000200010641564f49444544d0bdd0b5d1820a" + b"f".hex() * 32
)


@dataclass
class Desk:
    """One partition, and what a worker needs to have it."""

    settings: Settings
    work: Workplace
    shard: Shard

    def decide(self, *commands: LedgerCommand) -> list[Entry]:
        entries, records = self.shard.decide([_ask(command) for command in commands])
        self.shard.commit(records)
        return entries

    def answers(self, *commands: LedgerCommand) -> list[Record]:
        """What is said, with nothing decided."""
        entries, records = self.shard.decide([_ask(command) for command in commands])
        assert entries == []
        self.shard.commit(records)
        return records

    def sell(self, numbers: Sequence[int], *, settle: bool = True) -> None:
        self.decide(*(a_place(number=number) for number in numbers))
        if settle:
            self.decide(*(a_settle(f"kiosk-1.{number}") for number in numbers))

    def reopen(self) -> None:
        self.shard.open()

    @property
    def snapshots(self) -> list[Path]:
        """Oldest first."""
        found = [one for one in (self.settings.snapshots / "0").iterdir() if one.name.isdecimal()]
        return sorted(found, key=lambda one: int(one.name))

    @property
    def condemned(self) -> list[Path]:
        return list((self.settings.snapshots / "0").glob("bad-*"))

    @property
    def in_memory(self) -> int:
        assert self.shard.state is not None
        return len(self.shard.state.payments)

    @property
    def folded(self) -> int:
        """How many entries were read from the ledger when it was opened last."""
        assert self.shard._fold is not None
        return self.shard._fold.folded


def _ask(command: LedgerCommand) -> Ask:
    return Ask(command, AT, Arrival("payments", 0, 0, b"A", b"", AT))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A tree with money for a hundred payments, on a ledger of its own."""
    with EmbeddedBroker.start(tmp_path / "run") as running:
        settings = Settings(
            dir=tmp_path, kafka=running.bootstrap, partitions=1, embedded=True, snapshot_every=EVERY, log_level="error"
        )
        create_or_verify(settings)
        work = Workplace(settings.snapshots / "work")
        made = Desk(settings, work, Shard(settings, 0, SERVER, work))
        made.reopen()
        made.decide(open_agent("A"), open_agent("S", "A"), a_deposit("S", 10_000_000))
        yield made
        made.shard.drop()
        work.close()


def whole(desk: Desk) -> Fold:
    """The same ledger, folded from its beginning with everything in memory."""
    return recover(desk.settings, 0)


def same(desk: Desk) -> None:
    """The fold that went on from a snapshot, with its archive, is the whole ledger's."""
    fold, reference = desk.shard._fold, whole(desk).state
    assert fold is not None
    assert fold._archive is not None
    assert image_of(fold.state) == image_of(reference)
    final = dict(leaving(reference))
    assert fold._archive.find(list(final)) | dict(leaving(fold.state)) == final


def test_a_snapshot_is_taken_every_so_many_entries_and_marks_the_last_one(desk: Desk) -> None:
    desk.sell(range(1, 4))
    assert not (desk.settings.snapshots / "0").exists()  # 3 + 6 entries
    desk.sell([4], settle=False)
    (snapshot,) = desk.snapshots
    last = max(offset for records in read_records(desk.settings, 0) for offset, _ in records)
    assert snapshot.name == str(last)
    assert [path.name for path in desk.snapshots] == [str(last)]


def test_what_is_final_leaves_memory_and_what_is_open_stays(desk: Desk) -> None:
    desk.sell(range(1, 6))
    desk.sell(range(6, 16), settle=False)
    assert desk.shard.state is not None
    assert (desk.in_memory, len(desk.shard.state.open)) == (10, 10)
    same(desk)


def test_a_worker_goes_on_from_the_newest_snapshot_and_reads_only_what_came_after(desk: Desk) -> None:
    desk.sell(range(1, 21))
    desk.sell([21])
    desk.reopen()
    assert desk.folded == 2
    same(desk)


def test_a_duplicate_of_what_left_memory_hears_its_stored_outcome(desk: Desk) -> None:
    desk.sell(range(1, 11))
    desk.reopen()
    assert desk.in_memory == 0
    (reply,) = desk.answers(a_place(number=3))
    assert {"id": "kiosk-1.3", "state": "POSTED", "again": True}.items() <= orjson.loads(reply.value).items()
    (done,) = desk.answers(a_deposit("S", 10_000_000))
    assert {"state": "DONE", "again": True}.items() <= orjson.loads(done.value).items()


def test_other_content_under_the_id_of_what_left_memory_is_a_conflict(desk: Desk) -> None:
    desk.sell(range(1, 11))
    quarantined, _ = desk.answers(a_place(number=3, amount=50_000))
    assert quarantined.topic == "rejects"
    assert "it is POSTED" in str(quarantined.headers)


def test_an_operator_hears_that_a_payment_which_left_memory_is_final(desk: Desk) -> None:
    desk.sell(range(1, 11))
    (entry,) = desk.decide(a_resolve("kiosk-1.3"))
    assert (entry.kind, "is POSTED" in entry.reason) == ("REFUSED", True)


def test_two_are_kept(desk: Desk) -> None:
    for first in range(1, 60, 10):
        desk.sell(range(first, first + 10))
    assert len(desk.snapshots) == 2


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _relabel(snapshot: Path, change: Callable[[dict[str, object]], object]) -> None:
    label = orjson.loads((snapshot / "snapshot.json").read_bytes())
    change(label)
    (snapshot / "snapshot.json").write_bytes(orjson.dumps(label))


def _another_ledger(label: dict[str, object]) -> None:
    assert isinstance(label["mark"], dict)
    label["mark"]["sha256"] = "0" * 64


DAMAGES: dict[str, Callable[[Path], object]] = {
    "the label is cut": lambda one: _cut(one / "snapshot.json"),
    "the label is gone": lambda one: (one / "snapshot.json").unlink(),
    "the state is cut": lambda one: _cut(one / "state.json"),
    "the state has another bit": lambda one: _flip(one / "state.json"),
    "the state is gone": lambda one: (one / "state.json").unlink(),
    "the archive is gone": lambda one: shutil.rmtree(one / "archive"),
    "a table is gone": lambda one: next((one / "archive").glob("*.sst")).unlink(),
    "the archive's manifest is cut": lambda one: _cut(next((one / "archive").glob("MANIFEST-*"))),
    "it is of another release": lambda one: _relabel(one, lambda label: label.update(release="0-none")),
    "it is of another partition": lambda one: _relabel(one, lambda label: label.update(partition=7)),
    "it is of another ledger": lambda one: _relabel(one, _another_ledger),
}


def _counted(metric: str) -> float:
    return metrics.WORKER.get_sample_value(metric) or 0.0


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_snapshot_that_cannot_be_believed_is_passed_over_for_the_one_before(desk: Desk, damage) -> None:
    desk.sell(range(1, 21))
    _, newest = desk.snapshots
    damage(newest)
    desk.reopen()
    assert desk.folded > 0
    same(desk)


def test_without_any_that_can_be_believed_the_whole_ledger_is_read(desk: Desk) -> None:
    desk.sell(range(1, 21))
    for snapshot in desk.snapshots:
        _flip(snapshot / "state.json")
    before = _counted("kassa_snapshots_passed_over_total")
    desk.reopen()
    assert _counted("kassa_snapshots_passed_over_total") == before + 2
    same(desk)
    desk.sell(range(21, 41))
    same(desk)


def test_a_table_damaged_after_it_was_opened_costs_the_fold_and_no_answer(desk: Desk) -> None:
    """RocksDB's own checksums find it when it is read."""
    desk.sell(range(1, 31))
    desk.reopen()
    for table in {table.resolve() for one in desk.snapshots for table in (one / "archive").glob("*.sst")}:
        content = bytearray(table.read_bytes())
        content[: len(content) // 2] = bytes(len(content) // 2)
        with table.open("r+b") as file:  # in place: it is the same file that the worker has open
            file.write(content)
    with pytest.raises(TransactionFailed, match="archive cannot be read"):
        desk.answers(a_place(number=3))
    assert len(desk.condemned) == 1
    replies = [reply for _ in range(3) for reply in _answers_or_reopens(desk, a_place(number=3))]
    assert orjson.loads(replies[0].value)["state"] == "POSTED"
    same(desk)


def _answers_or_reopens(desk: Desk, command: LedgerCommand) -> list[Record]:
    """As Shards does it: a failed batch opens the shard anew. Each time one more snapshot is found out."""
    try:
        desk.reopen()
        return desk.answers(command)
    except TransactionFailed:
        return []


def test_a_snapshot_of_a_ledger_that_ended_sooner_is_not_used(desk: Desk, tmp_path: Path) -> None:
    """As when the embedded broker, or somebody, made the topics anew."""
    desk.sell(range(1, 11))
    kept = tmp_path / "kept"
    shutil.copytree(desk.snapshots[-1], kept)
    with EmbeddedBroker.start(tmp_path / "other") as other:
        settings = desk.settings.model_copy(update={"kafka": other.bootstrap})
        create_or_verify(settings)
        shard = Shard(settings, 0, SERVER, desk.work)
        state = shard.open()
        assert (len(state.books), len(state.payments)) == (0, 0)
        shard.drop()


def test_a_full_disk_costs_memory_and_nothing_else(desk: Desk) -> None:
    """A file where the partition's directory should be stands for it: nothing can be written there."""
    place = desk.settings.snapshots / "0"
    place.write_text("in the way")
    failed, written = _counted("kassa_snapshots_failed_total"), _counted("kassa_snapshot_seconds_count")
    desk.sell(range(1, 21))
    assert desk.in_memory == 20
    assert _counted("kassa_snapshots_failed_total") > failed
    assert _counted("kassa_snapshot_seconds_count") == written
    place.unlink()
    desk.sell(range(21, 31))
    assert desk.in_memory < 20
    same(desk)
    desk.reopen()
    same(desk)


def test_a_failure_after_a_success_goes_on_from_the_last_success(desk: Desk) -> None:
    desk.sell(range(1, 11))
    place, aside = desk.settings.snapshots / "0", desk.settings.snapshots / "aside"
    place.rename(aside)
    place.write_text("in the way")
    desk.sell(range(11, 21))
    place.unlink()
    aside.rename(place)
    desk.sell(range(21, 31))
    same(desk)
    assert orjson.loads(desk.answers(a_place(number=3))[0].value)["again"]


def test_after_a_disk_was_full_under_the_archive_a_new_one_is_made_from_the_last_snapshot(desk: Desk) -> None:
    """RocksDB writes no more after a failed write. A limit on the size of files stands for the full disk."""
    desk.sell(range(1, 11))
    before = desk.snapshots
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # the log's file has the same limit
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, hard))
    try:
        desk.sell(range(11, 21))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (desk.snapshots, desk.in_memory) == (before, 10)
    desk.sell(range(21, 31))
    assert desk.in_memory == 0
    same(desk)


def test_an_archive_that_cannot_even_be_closed_costs_the_fold_and_no_answer(desk: Desk) -> None:
    """As on a disk that stays full, where it cannot write its last (found by the faults suite)."""
    desk.sell(range(1, 11))
    fold = desk.shard._fold
    assert fold is not None
    assert fold._archive is not None
    fold._archive.close()
    with pytest.raises(TransactionFailed, match="archive cannot be read"):
        desk.answers(a_place(number=3))
    desk.reopen()
    assert orjson.loads(desk.answers(a_place(number=3))[0].value)["again"]
    same(desk)


def test_a_full_disk_condemns_no_snapshot(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.sell(range(1, 21))
    before = desk.snapshots
    link = os.link

    def full(*places: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(TransactionFailed, match="No space left"):
        desk.reopen()
    monkeypatch.setattr(os, "link", link)
    desk.reopen()
    assert (desk.snapshots, desk.condemned, desk.folded) == (before, [], 0)


def test_a_fold_that_reads_a_long_ledger_takes_snapshots_on_the_way(desk: Desk) -> None:
    for first in range(1, 300, 50):
        desk.decide(a_deposit("S", 10_000_000, id=f"more.{first}"))
        desk.sell(range(first, first + 50))
    shutil.rmtree(desk.settings.snapshots / "0")
    desk.reopen()
    assert desk.in_memory < 300
    assert desk.snapshots
    same(desk)


def test_a_worker_that_read_much_leaves_a_snapshot_for_the_next_start(desk: Desk) -> None:
    desk.sell(range(1, 21))
    shutil.rmtree(desk.settings.snapshots / "0")
    desk.reopen()
    assert desk.folded == 43
    desk.reopen()
    assert desk.folded == 0
    same(desk)


def test_without_snapshots_everything_stays_in_memory(desk: Desk) -> None:
    settings = desk.settings.model_copy(update={"snapshot_every": 0})
    desk.shard = Shard(settings, 0, SERVER, desk.work)
    desk.reopen()
    desk.sell(range(1, 21))
    assert desk.in_memory == 20


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    alive = Workplace(tmp_path)
    left = tmp_path / "left"
    left.mkdir()
    (left / "lock").write_text("")
    second = Workplace(tmp_path)
    assert not left.exists()
    assert alive.place("x").parent.exists()
    second.close()
    alive.close()
    assert list(tmp_path.iterdir()) == []


def test_a_change_of_what_is_kept_needs_another_release() -> None:
    """Whoever changes the packing raises image.VERSION; a change of fields is noticed without it."""
    payment = PaymentState("k.1", "A", bytes(range(16)), EntryKind.VOIDED, 7, AT, 5, "нет", 2, kept=9, mark="f" * 32)
    assert unpack("k.1", pack(payment)) == payment
    assert pack(payment).hex() == PACKED
    assert release() == RELEASE
