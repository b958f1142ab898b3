"""One ledger partition and its only writer.

Law 2: fence, fold, then decide; a batch of decisions with all they say is one Kafka transaction. When it fails the
fold is dropped and rebuilt from what is really on the topic, since nobody can know better than the topic itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.alert import Alert
from schemas.entry import Entry
from schemas.envelope import SigningKey
from schemas.reject import RejectReason
from streams.archive import ArchiveError
from streams.arrival import Ask, Forward, Item, Look, Quarantine, Tell
from streams.compacted import TopicUnreadable
from streams.fencing import fenced_writer
from streams.fold import Fold, recover
from streams.ledger.decide import Conflict, Duplicate, Stale
from streams.ledger.errors import Undecidable
from streams.ledger.perform import perform
from streams.ledger.state import State
from streams.outbox import Outbox, Record
from streams.pin_sealing import PinSealer
from streams.retired import retire
from streams.settings import Settings
from streams.topics import LEDGER
from streams.unforeseen import place_of
from streams.watch import Watch
from streams.workplace import Workplace

log = structlog.get_logger()

_ANSWER_S = 30.0

# What people should hear of a batch of which these messages were rejected.
Alerts = Callable[[Sequence[Quarantine]], Sequence[Alert]]


def no_alerts(_: Sequence[Quarantine]) -> Sequence[Alert]:
    return ()


class TransactionFailed(Exception):
    """The batch is not known to be on the ledger: the fold was dropped; open again and decide the batch anew."""


class Shard:
    """`open` and `commit` wait for the broker and may run in any thread, one at a time; `decide` computes.

    Only `decide` touches the fold, so whoever calls it may read `state` in between without a lock.
    """

    def __init__(
        self, settings: Settings, partition: int, server_key: SigningKey, work: Workplace | None = None
    ) -> None:
        """work: where archives may live; without it all that is final stays in memory, and no snapshot is used."""
        self.partition = partition
        self.watch: Watch | None = None  # what people should hear of the fold; None: nothing
        self.sealer: PinSealer | None = None  # by which terminals are told PINs; None: none is
        self._settings = settings
        self._server_key = server_key
        self._work = work
        self._producer: Producer | None = None
        self._fold: Fold | None = None

    @property
    def state(self) -> State | None:
        """The fold; None while the shard is not open."""
        return self._fold.state if self._fold is not None else None

    def open(self) -> State:
        """Fence every earlier writer of this partition, then fold the ledger to its end.

        Raises TransactionFailed when the broker does not let us, LedgerCorrupt when the ledger cannot be believed.
        """
        began = time.monotonic()
        self.drop()
        try:
            self.fence()
            if self.watch is not None:
                self.watch.recover()
            fold = self.fold()
        except (KafkaException, TimeoutError, ArchiveError, TopicUnreadable) as error:
            self.drop()
            raise TransactionFailed(f"partition {self.partition} cannot be opened: {error}") from error
        state = fold.state
        log.info("shard_open", partition=self.partition, folded=fold.folded, open=len(state.open),
                 in_memory=len(state.payments), seconds=round(time.monotonic() - began, 3))  # fmt: skip
        return state

    def fence(self) -> None:
        """The first half of `open`: nobody else can write to this partition from here on. Raises KafkaException."""
        self._producer = fenced_writer(self._settings, self.partition, _ANSWER_S)

    def fold(self) -> Fold:
        """Its second half, only after the fence: what is read before it may still grow. Raises as `recover` does."""
        self._fold = recover(self._settings, self.partition, self._work)
        return self._fold

    def drop(self) -> None:
        """Forget the fold and the writer; what was not committed never was."""
        if self._fold is not None:
            self._fold.close()
        self._fold = None
        if self._producer is not None:
            retire(self._producer)
        self._producer = None

    def decide(self, items: Sequence[Item], alerts: Alerts = no_alerts) -> tuple[list[Entry], list[Record]]:
        """Decide a batch: its new entries, already in the fold, and every record to `commit` before they are believed.

        Raises TransactionFailed when the shard is not open, or what it archived cannot be read.
        """
        if self._fold is None:
            raise TransactionFailed(f"partition {self.partition} is not open")
        try:
            self._fold.recall(item.command for item in items if isinstance(item, Ask))
            return self._work_out(self._fold.state, items, alerts)
        except ArchiveError as error:
            self._fold.distrust()
            self.drop()
            raise TransactionFailed(f"partition {self.partition}: its archive cannot be read: {error}") from error
        except BaseException:
            self.drop()  # the fold ran ahead of the ledger
            raise

    def commit(self, records: Sequence[Record]) -> None:
        """Write a batch as one transaction. Raises TransactionFailed; then nothing of the batch may be believed."""
        if not records:
            return
        writer, fold = self._producer, self._fold
        if writer is None or fold is None:
            raise TransactionFailed(f"partition {self.partition} is not open")
        try:
            offsets = self.write(writer, records)
            self.finish(writer)
        except (KafkaException, BufferError) as error:
            self.drop()
            raise TransactionFailed(f"partition {self.partition}: {error}") from error
        entries = [record.value for record in records if record.topic == LEDGER.name and record.value is not None]
        if len(offsets) != len(entries):
            self.drop()  # committed, but we do not know where: the fold would take a snapshot of the wrong place
            raise TransactionFailed(
                f"partition {self.partition}: {len(offsets)} of {len(entries)} entries were confirmed"
            )
        if entries:
            fold.took(offsets[-1], entries[-1], len(entries))
            fold.snapshot_if_due()

    def write(self, writer: Producer, records: Sequence[Record]) -> list[int]:
        """The first half of `commit`: the records are on their way, and no reader sees them. Raises KafkaException.

        Returns the offsets of its ledger records, as far as the broker tells them; filled in while `finish` waits.
        """
        offsets: list[int] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            # A batch that a new leader had already is confirmed without its place.
            if error is None and (offset := message.offset()) is not None:
                offsets.append(offset)

        writer.begin_transaction()
        for record in records:
            # Signed here and not when it was decided: this thread waits for the broker anyway.
            value = record.value
            if record.to_sign and value is not None:
                value = self._server_key.sign(value)
            told = delivered if record.topic == LEDGER.name else None
            writer.produce(record.topic, value, record.key, record.partition, headers=record.headers, on_delivery=told)
        return offsets

    def finish(self, writer: Producer) -> None:
        """Its second half: all of them are seen at once, or none ever. When it raises, the broker alone knows which."""
        writer.commit_transaction(_ANSWER_S)  # returns after every record's word of delivery

    def _work_out(self, state: State, items: Sequence[Item], alerts: Alerts) -> tuple[list[Entry], list[Record]]:
        outbox, entries = Outbox(state, self.sealer), list[Entry]()
        for item in items:
            match item:
                case Ask():
                    entries += self._ask(state, outbox, item)
                case Quarantine():
                    outbox.quarantine(item)
                case Forward():
                    outbox.forward(item)
                case Look():
                    for alert in self.watch.look(state, item.at) if self.watch is not None else ():
                        outbox.watched(alert)
                case Tell():
                    for alert in self.watch.tell(item.alert) if self.watch is not None else ():
                        outbox.watched(alert)
        for alert in alerts(outbox.rejected):
            outbox.alert(alert)
        return entries, outbox.close()

    def _ask(self, state: State, outbox: Outbox, ask: Ask) -> list[Entry]:
        try:
            decision = perform(state, ask.command, ask.at)
        except Undecidable as error:
            if ask.arrival is None or error.__cause__ is None:
                raise
            outbox.quarantine(_unprocessable(ask, error.__cause__))
            return []
        match decision:
            case Duplicate():
                outbox.duplicate(decision, _signer(ask))
            case Conflict():
                assert ask.arrival is not None, "a gateway's outcome has no id to conflict with"
                conflict = RejectReason.CONFLICT
                outbox.quarantine(Quarantine(ask.arrival, conflict, decision.detail, _signer(ask), _message_id(ask)))
            case Stale():
                log.info("outcome_too_late", partition=self.partition, detail=decision.detail)
            case _:
                for entry in decision:
                    outbox.entry(entry)
                    for alert in self.watch.entry(state, entry) if self.watch is not None else ():
                        outbox.watched(alert)
                return decision
        return []


def _unprocessable(ask: Ask, fault: BaseException) -> Quarantine:
    """One message that we cannot decide must not stop all those behind it, in this worker and in every one after it."""
    arrival, detail = ask.arrival, place_of(fault)
    assert arrival is not None
    log.error("unprocessable", topic=arrival.topic, partition=arrival.partition, offset=arrival.offset, detail=detail)
    return Quarantine(arrival, RejectReason.UNPROCESSABLE, detail, _signer(ask), _message_id(ask))


def _signer(ask: Ask) -> str:
    return getattr(ask.command, "by", "")


def _message_id(ask: Ask) -> str:
    return str(getattr(getattr(ask.command, "order", None) or getattr(ask.command, "command", None), "id", ""))
