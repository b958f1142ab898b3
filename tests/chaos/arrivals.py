"""What became of every message that a client handed in, held against the topics it was handed to."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from console.audit_arrivals import command_of, payment_of
from console.audit_index import fingerprint
from console.audit_payments import command_key
from console.audit_reading import Record
from console.fleet_kinds import EXPECTED, Kind, Outcome
from schemas.command import COMMAND, DirectoryCommand, TreeCommand
from schemas.envelope import EnvelopeError, open_envelope
from schemas.reject import RejectReason
from streams.topics import COMMANDS, PAYMENTS
from tests.chaos.findings import ARRIVAL, DIVERGENCE, LOST, WAITING, Findings
from tests.chaos.past import NOWHERE, SOMEWHERE, Past
from tests.chaos.quarantine import Quarantine

_UNKNOWN = -1
_CONFLICT = RejectReason.CONFLICT.value


class Arrival(NamedTuple):
    """A message that was believed, or is not decided yet. number: the history's, _UNKNOWN: not one we were told of."""

    topic: str
    partition: int
    offset: int
    key: str
    digest: str
    content: int
    number: int


class Arrivals:
    """All sources. `orders` and `commands` are of the partition read last, for the model that follows it."""

    def __init__(self, past: Past, quarantine: Quarantine, passed: dict[str, dict[int, int]], wrong: Findings) -> None:
        self._past = past
        self._quarantine = quarantine
        self._passed = passed
        self._wrong = wrong
        self._places = _places(past)
        self._unplaced = _unplaced(past)
        self._seen = bytearray(len(past))
        self._attributed: set[int] = set()
        self._believed: list[Arrival] = []
        self._refused: list[Arrival] = []
        self._elsewhere: list[Arrival] = []
        self._decided_digests: set[int] = set()
        self._first: dict[tuple[str, str], int] = {}
        self._orders: dict[tuple[str, str], bytes] = {}
        self._commands: dict[tuple[str, str], TreeCommand | DirectoryCommand] = {}
        self.decided = self.duplicates = self.rejected = 0
        self.appeared = 0  # without an acknowledgement, and there

    # --- one partition: read its sources, let the model follow its ledger, then `settle`

    def read(self, partition: int, payments: Iterable[Record], commands: Iterable[Record]) -> None:
        self._orders.clear()
        self._commands.clear()
        self._first.clear()
        self._believed.clear()
        self._refused.clear()
        for record in commands:
            self._take(COMMANDS.name, record)
        for record in payments:
            self._take(PAYMENTS.name, record)

    def order(self, id: str, digest: str) -> dict[str, Any] | None:
        """The payload as it was signed; None: no such order arrived on this partition."""
        payload = self._orders.get((id, digest))
        return orjson.loads(payload) if payload is not None else None

    def command(self, book: str, id: str, digest: str) -> TreeCommand | DirectoryCommand | None:
        return self._commands.get((command_key(book, id), digest))

    def settle(self, decided: dict[str, str]) -> None:
        """decided: key -> digest of everything this partition's ledger decided."""
        self._decided_digests.update(_pair(key, digest) for key, digest in decided.items())
        for one in self._believed:
            if decided.get(one.key) == one.digest:
                self._answered(one)
            else:
                self._elsewhere.append(one)
        for one in self._refused:
            self._check_conflict(one, decided.get(one.key))

    def finish(self) -> None:
        """After the last partition: what was not decided where it arrived was re-keyed, or is lost."""
        for one in self._elsewhere:
            place = f"{one.topic} partition {one.partition} offset {one.offset}: {one.key or 'a message'}"
            if _pair(one.key, one.digest) in self._decided_digests:
                self._answered(one)
            elif self._quarantine.elsewhere(one.topic, one.partition, one.content):
                self.rejected += one.number != _UNKNOWN
            elif one.offset >= self._passed[one.topic].get(one.partition, 0):
                self._wrong.add(WAITING, f"{place} is beyond what the workers have passed")
            else:
                self._wrong.add(LOST, f"{place} is neither decided nor in rejects")
        for number, seen in enumerate(self._seen):
            if not seen and self._past.partition[number] != NOWHERE:
                self._wrong.add(LOST, f"{self._name(number)}: acknowledged, and not there")

    # ---

    def _take(self, topic: str, record: Record) -> None:
        value = record.value or b""
        content = fingerprint(value)
        number = self._number(topic, record, content)
        reason = self._quarantine.reason(topic, record.partition, record.offset)
        if number != _UNKNOWN and reason:
            self.rejected += 1
            self._check_reason(number, reason)
        if reason and reason != _CONFLICT:
            return
        key, digest, payload = _read(topic, value)
        one = Arrival(topic, record.partition, record.offset, key, digest, content, number)
        if reason:
            self._refused.append(one)
            return
        if number != _UNKNOWN:
            self._check_belief(one)
        self._believed.append(one)
        if key:
            self._first.setdefault((key, digest), record.offset)
            if topic == PAYMENTS.name:
                self._orders.setdefault((key, digest), payload)
            else:
                self._commands.setdefault((key, digest), COMMAND.validate_json(payload))

    def _number(self, topic: str, record: Record, content: int) -> int:
        """The message of the history that this record is."""
        number = self._places.get((topic, record.partition), {}).get(record.offset, _UNKNOWN)
        if number != _UNKNOWN:
            self._seen[number] = 1
            if self._past.content[number] != content:
                self._wrong.add(LOST, f"{self._name(number)}: other bytes are where it was acknowledged")
            return number
        if numbers := self._unplaced.get(content):
            number = numbers.pop()
            self._seen[number] = 1
            self.appeared += self._past.partition[number] == NOWHERE
            return number
        return _UNKNOWN

    def _check_reason(self, number: int, reason: str) -> None:
        expected = EXPECTED[Kind[self._past.kind_of(number)]]
        if expected.outcome is Outcome.QUARANTINED and expected.reason is not RejectReason.CONFLICT:
            if reason != expected.reason:
                self._wrong.add(ARRIVAL, f"{self._name(number)}: in rejects for {reason}, not {expected.reason}")
        elif reason != _CONFLICT:
            self._wrong.add(ARRIVAL, f"{self._name(number)}: in rejects for {reason}")

    def _check_belief(self, one: Arrival) -> None:
        """What must not be believed was: decided or not, it is not in rejects."""
        expected = EXPECTED[Kind[self._past.kind_of(one.number)]]
        is_bad = expected.outcome is Outcome.QUARANTINED and expected.reason is not RejectReason.CONFLICT
        if is_bad and one.offset < self._passed[one.topic].get(one.partition, 0):
            self._wrong.add(ARRIVAL, f"{self._name(one.number)}: not in rejects for {expected.reason}")

    def _check_conflict(self, one: Arrival, decided: str | None) -> None:
        """Only a message whose number was used before, with other content, is a conflict."""
        place = f"{one.topic} partition {one.partition} offset {one.offset}: {one.key}"
        if decided is None:
            self._wrong.add(DIVERGENCE, f"{place} is in rejects as a conflict with what was never decided")
        elif decided == one.digest:
            self._wrong.add(DIVERGENCE, f"{place} is in rejects as a conflict with its own content")
        elif self._first.get((one.key, decided), -1) > one.offset:
            self._wrong.add(DIVERGENCE, f"{place} is in rejects as a conflict with a message that came later")

    def _answered(self, one: Arrival) -> None:
        if one.number == _UNKNOWN:
            return
        pair = _pair(one.key, one.digest)
        if pair in self._attributed:
            self.duplicates += 1
        else:
            self._attributed.add(pair)
            self.decided += 1

    def _name(self, number: int) -> str:
        past = self._past
        place = f"{past.topic_of(number)} partition {past.partition[number]} offset {past.offset[number]}"
        return f"message {number} ({past.kinds.words[past.kind[number]]} {past.ids[number]}) at {place}"


def _read(topic: str, value: bytes) -> tuple[str, str, bytes]:
    """Key of its decision, digest, payload; empty when it cannot be read, and then nobody can decide it."""
    try:
        payload = open_envelope(value).payload
        key, digest = payment_of(payload) if topic == PAYMENTS.name else command_of(payload)
    except (EnvelopeError, ValidationError):
        return "", "", b""
    return key, digest, payload


def _pair(key: str, digest: str) -> int:
    return fingerprint(f"{key}\0{digest}".encode())


def _places(past: Past) -> dict[tuple[str, int], dict[int, int]]:
    found: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for number, partition in enumerate(past.partition):
        if partition != NOWHERE and past.offset[number] != SOMEWHERE:
            found[past.topic_of(number), partition][past.offset[number]] = number
    return found


def _unplaced(past: Past) -> dict[int, array[int]]:
    """Content -> the messages with it of which Kafka did not say where they are, those last that it acknowledged."""
    found: dict[int, array[int]] = {}
    for is_acked in (False, True):
        for number, partition in enumerate(past.partition):
            if (partition != NOWHERE) == is_acked and past.offset[number] == SOMEWHERE:
                found.setdefault(past.content[number], array("q")).append(number)
    return found
