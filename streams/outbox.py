"""Everything one batch of decisions says to the world, gathered to be written in one Kafka transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from schemas import reject
from schemas.alert import EVENTS, Alert
from schemas.balance import balance_key
from schemas.clearing_command import ClearingCommand
from schemas.command import book_of
from schemas.entry import Entry, EntryKind
from schemas.ids import ms_instant
from schemas.keys import SERVER_KID, owner_of
from schemas.registry_command import RegistryWord
from schemas.reply import Reply
from schemas.voucher import VoucherNote
from schemas.voucher_command import VoucherWord
from streams.arrival import Forward, Quarantine
from streams.ledger.balances import balance_of, touched_agents
from streams.ledger.clearing import called_for
from streams.ledger.decide import Duplicate
from streams.ledger.registry_answers import registry_words
from streams.ledger.replies import replies_to, reply_again
from streams.ledger.state import State
from streams.ledger.voucher_sales import asked_for
from streams.open_alerts import open_key
from streams.pin_sealing import PinSealer
from streams.topics import ALERTS, BALANCES, COMMANDS, LEDGER, OPEN_ALERTS, REJECTS, REPLIES

_CODES = {
    reject.RejectReason.CONFLICT: 215,
    reject.RejectReason.WRONG_AGENT: 133,
    reject.RejectReason.WRONG_TERMINAL: 150,
}
# The replies to these have a PIN in them.
_TELLS_PIN = frozenset({EntryKind.POSTED, EntryKind.VOUCHER_REPRINTED})


@dataclass(frozen=True, slots=True)
class Record:
    """One record to produce. `partition` -1 leaves the choice to the key; `to_sign`: the value becomes a JWS of it.

    No value deletes the key from a compacted topic.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: list[tuple[str, str | bytes | None]] | None = None
    to_sign: bool = False


def quarantined(records: Iterable[Record]) -> Iterator[str]:
    """The reason of every record among these that goes to quarantine."""
    for record in records:
        if record.topic == REJECTS.name:
            reason = dict(record.headers or ())[reject.HEADER_REASON]
            assert isinstance(reason, bytes)
            yield reason.decode()


class Outbox:
    """Collects records; balances of agents are written once a batch, as they stand after it."""

    def __init__(self, state: State, sealer: PinSealer | None = None) -> None:
        """sealer: encloses PINs in replies; None: no PIN leaves here."""
        self._state = state
        self._sealer = sealer
        self._touched: dict[tuple[str, str, str], int] = {}
        self.records: list[Record] = []
        self.rejected: list[Quarantine] = []

    def entry(self, entry: Entry) -> None:
        """The entry itself, the reply it makes, the directory record it sets, and what it says to another book."""
        self._add(LEDGER.name, entry.book, entry.encode(), partition=self._state.partition)
        if entry.record is not None:
            self._add(entry.record.table, entry.record.id, orjson.dumps(entry.record.value))
        for agent, currency in touched_agents(self._state.books[entry.book], entry):
            self._touched[entry.book, agent, currency] = entry.at
        for recipient, reply in replies_to(entry):
            self._reply(recipient, reply, entry.voucher if entry.kind in _TELLS_PIN else None)
        if (command := called_for(entry) or asked_for(entry)) is not None:
            self._say(command)
        if entry.registry is not None or entry.kind is EntryKind.QUEUED:
            for word in registry_words(entry):
                self._say(word)

    def duplicate(self, duplicate: Duplicate, signer: str) -> None:
        if duplicate.payment is not None or signer != SERVER_KID:  # a book's word to another: nobody listens
            note = duplicate.voucher
            self._reply(owner_of(signer), reply_again(duplicate), note if note is not None and note.pin else None)

    def quarantine(self, item: Quarantine) -> None:
        """The bytes as they came, with their story; a word to the sender when it is known who that is."""
        self.rejected.append(item)
        arrival = item.arrival
        story = {
            reject.HEADER_REASON: item.reason.value,
            reject.HEADER_DETAIL: item.detail[:500],
            reject.HEADER_TOPIC: arrival.topic,
            reject.HEADER_PARTITION: str(arrival.partition),
            reject.HEADER_OFFSET: str(arrival.offset),
            reject.HEADER_RECEIVED_AT: str(arrival.received_at),
        }
        headers: list[tuple[str, str | bytes | None]] = [(name, text.encode()) for name, text in story.items()]
        self.records.append(Record(REJECTS.name, arrival.key, arrival.value[: reject.KEPT_BYTES], headers=headers))
        if item.signer and (arrival.topic, item.signer) != (COMMANDS.name, SERVER_KID):
            reply = Reply(
                id=item.message_id[:100],
                state="REJECTED",
                code=_CODES.get(item.reason, 300),
                reason=f"{item.reason.value}: {item.detail}"[:500],
                final=True,
                at=ms_instant(arrival.received_at),
            )
            self._reply(owner_of(item.signer), reply)

    def alert(self, alert: Alert) -> None:
        self._add(ALERTS.name, alert.agent, alert.model_dump_json().encode())

    def watched(self, alert: Alert) -> None:
        """An alert of the partition's watch, which must know after a restart that it was told."""
        self.alert(alert)
        if alert.kind in EVENTS:
            return
        value = None if alert.over else alert.model_dump_json().encode()
        self._add(OPEN_ALERTS.name, open_key(alert), value, self._state.partition)

    def forward(self, item: Forward) -> None:
        self._add(item.arrival.topic, item.key, item.arrival.value)

    def close(self) -> list[Record]:
        """All records of the batch, the balances last."""
        for (tree, agent, currency), at in self._touched.items():
            book = self._state.books[tree]
            key = balance_key(tree, agent, currency if currency != book.agents[agent].currency else "")
            self._add(BALANCES.name, key, balance_of(book, agent, at, currency).model_dump_json().encode())
        return self.records

    def _say(self, command: ClearingCommand | VoucherWord | RegistryWord) -> None:
        """A command of ours to another key."""
        value = orjson.dumps(command.model_dump(mode="json"))
        self.records.append(Record(COMMANDS.name, book_of(command).encode(), value, to_sign=True))

    def _reply(self, owner: str, reply: Reply, voucher: VoucherNote | None = None) -> None:
        """voucher: whose PIN goes with it, to the owner's terminal alone."""
        if voucher is not None and self._sealer is not None:
            reply = self._sealer.enclosed(reply, owner, voucher)
        self.records.append(Record(REPLIES.name, owner.encode(), reply.model_dump_json().encode(), to_sign=True))

    def _add(self, topic: str, key: str, value: bytes | None, partition: int = -1) -> None:
        self.records.append(Record(topic, key.encode(), value, partition))
