"""Payees' lists as this worker has them: read from their topic, kept as files, their debts less what was paid since.

A thread of its own looks what the directory has in force, builds what is not there yet, and follows the ledger for
payments to those payees. A list takes the place of the one before it in one step, once it is whole and the ledger is
read: until then the old one is asked.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from pydantic import ValidationError

from agents.list_file import ListFile, build, open_list, remove_others
from agents.listed import NO_LIST
from agents.taken_file import TakenFile
from schemas.entry import PaymentFacts
from schemas.ids import instant_ms
from schemas.outcome import GatewayOutcome, Verdict
from schemas.payee import Payee
from schemas.subscribers import SubscriberList
from schemas.tracking import Tracked
from streams.clients import arrived, reader
from streams.directory import Directory
from streams.ends import Ends
from streams.settings import Settings
from streams.subscriber_lists import read_lines
from streams.taken import Taking, Takings, starts
from streams.topics import LEDGER

log = structlog.get_logger()

_LOOK_S, _AFTER_FAILURE_S = 0.2, 2.0
_AT_ONCE = 1_000


@dataclass(slots=True)
class _Wanted:
    """A list that the directory has in force. file: once it is whole."""

    record: SubscriberList
    file: ListFile | None = None

    @property
    def as_of(self) -> int:
        assert self.record.as_of is not None  # the ledger gives it to every one it takes
        return instant_ms(self.record.as_of)


class SubscriberKeeper:
    """`track` and `check` may be asked from any thread. Never says what it does not know."""

    def __init__(self, settings: Settings, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory
        self._place = settings.dir / "subscribers"
        self._taken: TakenFile | None = None
        self._wanted: dict[str, _Wanted] = {}  # the thread's own
        self._asked: dict[str, _Wanted] = {}  # what is whole and followed: under the lock
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._ends = Ends(settings)
        self._thread = threading.Thread(target=self._run, name="subscribers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def track(self, payee: Payee, facts: PaymentFacts) -> tuple[Tracked, int]:
        """What the payee's list says of the subscriber, and as of when it is, ms UTC; 0: no list. Never raises."""
        try:
            return self._look_up(payee.id, next(iter(facts.subscriber.values()), ""))
        except (sqlite3.Error, ValidationError) as error:
            log.error("subscriber_list_unreadable", payee=payee.id, error=type(error).__name__)
            return Tracked(_not_sent("list-unreadable", "the payee's list cannot be read")), 0

    def check(self, payee: Payee, facts: PaymentFacts) -> GatewayOutcome:
        """Would the payee take it, as far as its list says? An outcome of a check, as a gateway's."""
        tracked, _ = self.track(payee, facts)
        if tracked.denominations and facts.amount not in tracked.denominations:
            return GatewayOutcome("check", Verdict.FATAL, "7", comment="not one of this subscriber's fixed amounts")
        return tracked.outcome

    def ready(self) -> Mapping[str, str]:
        """Payee -> upload of the lists that are asked now."""
        with self._lock:
            return {payee: one.record.upload for payee, one in self._asked.items()}

    def _look_up(self, payee: str, number: str) -> tuple[Tracked, int]:
        with self._lock:
            asked = self._asked.get(payee)
            if asked is None or asked.file is None or self._taken is None:
                has = payee in self._directory.subscriber_lists
                why = "the payee's list is being read" if has else "the payee has no list on file"
                return Tracked(_not_sent(NO_LIST, why)), 0
            row = asked.file.find(number)
            if row is None:
                unknown = GatewayOutcome("check", Verdict.FATAL, "5", comment="not in the payee's list")
                return Tracked(unknown), asked.as_of
            debt = row.debt
            if debt is not None:
                debt -= sum(self._taken.paid(asked.record.upload, number))
        shown = tuple((field.name, field.text) for field in row.shown)
        return Tracked(GatewayOutcome("check", Verdict.CHECKED), row.name, debt, row.denominations, shown), asked.as_of

    def _run(self) -> None:
        while not self._stopping.is_set():
            wait_s = _AFTER_FAILURE_S
            try:
                wait_s = _LOOK_S if self._step() else _AFTER_FAILURE_S
            except Exception as error:  # noqa: BLE001 - a thread that ends would leave debts as they are now for ever
                log.warning("subscriber_lists_not_read", error=_words(error))
            self._stopping.wait(wait_s)
        with self._lock:
            for one in self._asked.values():
                if one.file is not None:
                    one.file.close()
            self._asked.clear()
            if self._taken is not None:
                self._taken.close()

    def _step(self) -> bool:
        """Look once: what is in force, what of it is not here, what the ledger has of it. False: a list is not asked.

        Raises what went wrong with all of it.
        """
        in_force = dict(self._directory.subscriber_lists)
        if not in_force and self._taken is None:
            return True
        if self._taken is None:
            self._taken = TakenFile(self._place / f"{self._settings.worker_id}.taken")
        self._want(in_force, self._taken)
        self._follow(self._taken)
        all_asked = True
        for payee, one in self._wanted.items():
            if self._asked.get(payee) is not one:
                try:
                    self._take_up(payee, one, self._taken)
                except Exception as error:  # noqa: BLE001 - the lists of the other payees do not wait for this one
                    log.warning("subscriber_list_not_read", payee=payee, upload=one.record.upload, error=_words(error))
                    all_asked = False
        return all_asked

    def _take_up(self, payee: str, one: _Wanted, taken: TakenFile) -> None:
        """Ask this list from now on. Where it breaks off, the next look goes on with what is there."""
        one.file = one.file or self._file(one.record)
        self._follow(taken)
        self._swap(payee, one)

    def _want(self, in_force: Mapping[str, SubscriberList], taken: TakenFile) -> None:
        """Take up what is new, and let go of what is not in force any more."""
        for payee, record in in_force.items():
            known = self._wanted.get(payee)
            if known is None or known.record != record:
                self._wanted[payee] = _Wanted(record)
        uploads = {record.upload for record in in_force.values()}
        with self._lock:
            uploads |= {one.record.upload for one in self._asked.values()}
        for upload in taken.uploads() - uploads:
            taken.forget(upload)

    def _file(self, record: SubscriberList) -> ListFile:
        found = open_list(self._place, record)
        if found is None:
            found = build(self._place, record, read_lines(self._settings, record))
        log.info("subscriber_list_whole", payee=record.payee, upload=record.upload, rows=record.rows)
        return found

    def _swap(self, payee: str, new: _Wanted) -> None:
        with self._lock:
            old = self._asked.get(payee)
            self._asked[payee] = new
            if old is not None and old.file is not None and old.file is not new.file:
                old.file.close()
        remove_others(self._place, [one.record for one in self._wanted.values()])

    def _follow(self, taken: TakenFile) -> None:
        """Read the ledger up to its present end for all lists; one that is new from where it begins."""
        lists = {one.record.upload: one for one in [*self._wanted.values(), *self._asked.values()]}
        if not lists:
            return
        ends = {place[1]: end for place, end in self._ends.now(
            [(LEDGER.name, partition) for partition in range(self._settings.partitions)]).items()}  # fmt: skip
        positions = {upload: self._positions(taken, one, ends) for upload, one in lists.items()}
        read_from = {partition: min(one[partition] for one in positions.values()) for partition in ends}
        behind = {partition: end for partition, end in ends.items() if read_from[partition] < end}
        if behind:
            self._read(taken, lists, read_from, behind)

    def _positions(self, taken: TakenFile, one: _Wanted, ends: Mapping[int, int]) -> dict[int, int]:
        """Where to read on for a list. Positions beyond the end are of another ledger: begin anew."""
        upload = one.record.upload
        found = taken.positions(upload)
        if found and any(found.get(partition, 0) > end for partition, end in ends.items()):
            log.warning("subscriber_list_of_another_ledger", payee=one.record.payee)
            taken.forget(upload)
            found = {}
        if not found:
            found = starts(self._settings, one.as_of)
            taken.write((), [upload], found)
        return found

    def _read(
        self, taken: TakenFile, lists: Mapping[str, _Wanted], read_from: Mapping[int, int], behind: Mapping[int, int]
    ) -> None:
        by_payee: dict[str, list[_Wanted]] = {}
        for one in lists.values():
            by_payee.setdefault(one.record.payee, []).append(one)
        takings, left = Takings(by_payee), dict(behind)
        consumer = reader(self._settings)
        try:
            consumer.assign([TopicPartition(LEDGER.name, one, read_from[one]) for one in behind])
            while left and not self._stopping.is_set():
                found: list[tuple[str, Taking]] = []
                moved: dict[int, int] = {}
                for message in arrived(consumer, _AT_ONCE, 0.1):
                    error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    if error is None:
                        found += _of_lists(takings.of(message.value() or b""), by_payee)
                        offset += 1
                    moved[partition] = max(offset, moved.get(partition, 0))
                if moved:
                    taken.write(found, lists, moved)
                    left = {one: end for one, end in left.items() if moved.get(one, 0) < end}
        finally:
            consumer.close()


def _of_lists(taking: Taking | None, by_payee: Mapping[str, Iterable[_Wanted]]) -> Iterable[tuple[str, Taking]]:
    """The payment for each list of its payee that has not seen it."""
    if taking is None:
        return ()
    return [(one.record.upload, taking) for one in by_payee.get(taking.payee, ()) if taking.received_at >= one.as_of]


def _not_sent(code: str, comment: str) -> GatewayOutcome:
    return GatewayOutcome("check", Verdict.NOT_SENT, code, comment=comment)


def _words(error: Exception) -> str:
    """For the log; what is wrong with a record would quote the payer in it."""
    name = type(error).__name__
    return name if isinstance(error, ValidationError) else f"{name}: {error}"[:300]
