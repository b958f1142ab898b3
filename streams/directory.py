"""The directory as every worker sees it: terminals, payees, contacts and so on, live from their topics.

A Faust GlobalTable would do for this, were the topics not written in transactions: its recovery waits for an offset
that only a transaction marker occupies. See docs/decisions.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from pydantic import ValidationError

from schemas.contact import Contact
from schemas.envelope import VerifyingKey
from schemas.gateway import Gateway
from schemas.keys import PublicKey
from schemas.payee import Payee
from schemas.plan import Plan
from schemas.schedule import Schedule
from schemas.subscribers import SubscriberList
from schemas.tariff import Tariff
from schemas.terminal import Operator, Terminal
from streams.clients import arrived, reader
from streams.ends import Ends, EndsUnknown
from streams.settings import Settings
from streams.topics import (
    CONTACTS,
    DIRECTORY,
    GATEWAYS,
    OPERATORS,
    PAYEES,
    PLANS,
    SCHEDULES,
    SUBSCRIBER_LISTS,
    TARIFFS,
    TERMINALS,
    Topic,
)

log = structlog.get_logger()

_LOOK_S = 0.1
_ANSWER_S = 10.0


class Directory:
    """Live tables by id; safe to read from any thread. `trusted` are operators' keys known from files."""

    def __init__(self, trusted: dict[str, PublicKey] | None = None) -> None:
        self.terminals: dict[str, Terminal] = {}
        self.payees: dict[str, Payee] = {}
        self.tariffs: dict[str, Tariff] = {}
        self.gateways: dict[str, Gateway] = {}
        self.contacts: dict[str, Contact] = {}
        self.schedules: dict[str, Schedule] = {}
        self.plans: dict[str, Plan] = {}
        self.subscriber_lists: dict[str, SubscriberList] = {}
        self._keys: dict[str, dict[str, VerifyingKey]] = {}
        self._trusted = {kid: VerifyingKey.load(key) for kid, key in (trusted or {}).items()}

    def terminal_key(self, kid: str) -> VerifyingKey | None:
        """The key of a terminal with this key id."""
        return self._keys.get(f"terminals/{kid.partition(':')[0]}", {}).get(kid)

    def operator_key(self, kid: str) -> VerifyingKey | None:
        """The key of an operator with this key id: from the topic, else from this machine's trusted files."""
        return self._keys.get(f"operators/{kid.partition(':')[0]}", {}).get(kid) or self._trusted.get(kid)

    def apply(self, table: str, key: str, value: bytes | None) -> None:
        """One record of a directory topic; raises ValueError when it is none. No value: the record is gone."""
        match table:
            case TERMINALS.name:
                _put(self.terminals, key, value, Terminal)
                self._load_keys(table, key, self.terminals.get(key))
            case OPERATORS.name:
                self._load_keys(table, key, None if value is None else Operator.model_validate_json(value))
            case PAYEES.name:
                _put(self.payees, key, value, Payee)
            case TARIFFS.name:
                _put(self.tariffs, key, value, Tariff)
            case GATEWAYS.name:
                _put(self.gateways, key, value, Gateway)
            case CONTACTS.name:
                _put(self.contacts, key, value, Contact)
            case SCHEDULES.name:
                _put(self.schedules, key, value, Schedule)
            case PLANS.name:
                _put(self.plans, key, value, Plan)
            case SUBSCRIBER_LISTS.name:
                _put(self.subscriber_lists, key, value, SubscriberList)

    def _load_keys(self, table: str, owner: str, record: Terminal | Operator | None) -> None:
        keys = {} if record is None else {key.kid: VerifyingKey.load(key) for key in record.keys}
        self._keys[f"{table}/{owner}"] = keys


def _put(table: dict[str, Any], key: str, value: bytes | None, model: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = model.model_validate_json(value)


class DirectoryReader:
    """Keeps a Directory up to date in a thread of its own.

    It asks where the topics end and reads only when there is something: a consumer left waiting at the end costs half
    a core on the embedded broker, which answers every empty fetch at once.
    """

    def __init__(self, settings: Settings, directory: Directory, topics: Sequence[Topic] = DIRECTORY) -> None:
        self.directory = directory
        self._settings = settings
        self._topic_ends = Ends(settings)
        self._stopping = False
        self._wake = threading.Event()
        self._moved = threading.Condition()
        self._position = {topic.name: 0 for topic in topics}
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)

    def start(self, time_out_s: float = 30) -> None:
        """Read everything there is before returning; raises TimeoutError when the broker does not answer."""
        self._thread.start()
        if not self.catch_up(time_out_s):
            raise TimeoutError(f"the directory topics could not be read in {time_out_s:.0f} s: is the broker there?")

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def catch_up(self, time_out_s: float = 2) -> bool:
        """Wait until everything committed before this call is in the tables; False when that takes too long."""
        try:
            ends = self._ends(time_out_s)
        except EndsUnknown as error:
            log.warning("directory_ends_unknown", error=str(error))
            return False
        if not self._behind(ends):
            return True
        self._wake.set()
        with self._moved:
            return self._moved.wait_for(lambda: not self._behind(ends), timeout=time_out_s)

    async def catch_up_soon(self) -> bool:
        """`catch_up` without blocking the event loop.

        Called before each batch is verified, so that what was answered to an operator (an enrolment, a revocation, a
        tariff) counts for every message received after it.
        """
        return await asyncio.to_thread(self.catch_up)

    def _ends(self, time_out_s: float) -> dict[str, int]:
        """Where each topic's committed records end now."""
        found = self._topic_ends.now([(name, 0) for name in self._position], time_out_s)
        return {topic: end for (topic, _), end in found.items()}

    def _behind(self, ends: dict[str, int]) -> dict[str, int]:
        return {name: end for name, end in ends.items() if self._position[name] < end}

    def _run(self) -> None:
        consumer = reader(self._settings)
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    self._read(consumer, self._behind(self._ends(_ANSWER_S)))
                except (KafkaException, EndsUnknown) as error:
                    log.warning("directory_not_read", error=str(error))
                self._wake.wait(_LOOK_S)
        finally:
            consumer.close()

    def _read(self, consumer: Consumer, ends: dict[str, int]) -> None:
        """Read the topics that have news up to these ends."""
        if not ends:
            return
        consumer.assign([TopicPartition(name, 0, self._position[name]) for name in ends])
        while not self._stopping and self._behind(ends):
            for message in arrived(consumer, 500, 0.1):
                self._take(message)
        consumer.unassign()

    def _take(self, message: Message) -> None:
        error, topic, offset = message.error(), str(message.topic()), message.offset() or 0
        if error is None:
            self._apply(message)
            self._advance(topic, offset + 1)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._advance(topic, offset)  # past transaction markers too, which are offsets without a message
        else:
            raise KafkaException(error)

    def _apply(self, message: Message) -> None:
        topic, key = str(message.topic()), (message.key() or b"").decode(errors="replace")
        try:
            self.directory.apply(topic, key, message.value())
        except (ValidationError, ValueError) as error:
            log.error("directory_record_unusable", topic=topic, key=key, offset=message.offset(), error=str(error))

    def _advance(self, topic: str, position: int) -> None:
        with self._moved:
            self._position[topic] = max(position, self._position[topic])
            self._moved.notify_all()
