"""Nothing that arrives is lost: every message the workers have passed is on the ledger, or quarantined, or re-keyed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from console.audit_index import Decisions, fingerprint
from console.audit_payments import command_key
from console.audit_reading import Record, Span
from console.audit_report import Check
from schemas.command import COMMAND, book_of
from schemas.envelope import EnvelopeError, open_envelope
from schemas.payment import PaymentOrder
from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_TOPIC, KEPT_BYTES

Origin = tuple[str, int]  # topic, partition
Read = Callable[[bytes], tuple[str, str]]  # payload -> key of its decision, digest of its content


def payment_of(payload: bytes) -> tuple[str, str]:
    """Raises ValidationError."""
    order = PaymentOrder.model_validate_json(payload)
    return order.id, order.digest()


def command_of(payload: bytes) -> tuple[str, str]:
    """Raises ValidationError."""
    command = COMMAND.validate_json(payload)
    return command_key(book_of(command), command.id), command.digest()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record of `rejects`: its own offset, and what its bytes are."""

    offset: int
    content: int


class Quarantine:
    """Topic `rejects` by where each message came from."""

    def __init__(self) -> None:
        self.check = Check("arrivals.rejects")
        self._by_origin: dict[Origin, dict[int, Rejected]] = defaultdict(dict)
        self._met: dict[Origin, set[int]] = defaultdict(set)
        self._again = 0

    def see(self, record: Record) -> None:
        self.check.looked_at += 1
        story = {name: value.decode("utf-8", "replace") for name, value in record.headers if isinstance(value, bytes)}
        topic, partition, offset = (story.get(name, "") for name in (HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET))
        if not topic or not _is_number(partition) or not _is_number(offset):
            self.check.fail(f"rejects offset {record.offset}: its headers do not say where it came from")
            return
        known = self._by_origin[topic, int(partition)]
        content = fingerprint(record.value or b"")
        first = known.setdefault(int(offset), Rejected(record.offset, content))
        if first.offset != record.offset:
            self._again += 1  # delivered again after a crash, and refused again: harmless
            if first.content != content:
                self._fail_content(record.offset, topic, int(partition), int(offset))

    def has(self, topic: str, record: Record) -> bool:
        """Is this message in quarantine? Its bytes are compared on the way."""
        rejected = self._by_origin.get((topic, record.partition), {}).get(record.offset)
        if rejected is None:
            return False
        self._met[topic, record.partition].add(record.offset)
        if rejected.content != fingerprint((record.value or b"")[:KEPT_BYTES]):
            self._fail_content(rejected.offset, topic, record.partition, record.offset)
        return True

    def partitions_from(self, topic: str) -> list[int]:
        """The partitions of the topic from which messages were quarantined."""
        return sorted(partition for origin, partition in self._by_origin if origin == topic)

    def partitions_of(self, topic: str) -> dict[int, set[int]]:
        """Content -> the partitions of the topic from which a message with it was quarantined."""
        found: dict[int, set[int]] = defaultdict(set)
        for (origin, partition), known in self._by_origin.items():
            if origin == topic:
                for rejected in known.values():
                    found[rejected.content].add(partition)
        return found

    def finish(self, read: Mapping[Origin, Span]) -> Check:
        """After all sources were read: what names an origin that is not there was made up."""
        expired = 0
        for origin, known in self._by_origin.items():
            span, met = read.get(origin), self._met.get(origin, set())
            for offset in sorted(known.keys() - met):
                if span is not None and offset < span.first:
                    expired += 1
                else:
                    self.check.fail(
                        f"rejects offset {known[offset].offset}: there is no message at {origin[0]} partition "
                        f"{origin[1]} offset {offset}"
                    )
        notes = [f"{self._again} quarantined again after a redelivery"] if self._again else []
        notes += [f"{expired} whose origin has expired"] if expired else []
        self.check.note = ", ".join(notes)
        return self.check

    def _fail_content(self, offset: int, topic: str, partition: int, origin: int) -> None:
        self.check.fail(f"rejects offset {offset}: other bytes than at {topic} partition {partition} offset {origin}")


@dataclass(frozen=True, slots=True)
class _Lost:
    """A message that was passed and not found. what: its id, or why it has none."""

    partition: int
    offset: int
    content: int
    what: str


@dataclass
class Arrivals:
    """One source topic. `passed`: by partition, the offset below which the workers have decided everything."""

    topic: str
    read: Read
    decisions: Decisions
    quarantine: Quarantine
    passed: Mapping[int, int]
    first: int = 0
    again: int = 0
    rejected: int = 0
    rekeyed: int = 0
    waiting: int = 0
    _lost: list[_Lost] = field(default_factory=list)
    _waiting: dict[int, set[int]] = field(default_factory=dict)  # content -> the partitions where it waits

    def see(self, records: Iterable[Record]) -> None:
        for record in records:
            self._see(record)

    def finish(self) -> Check:
        """After every partition was seen: of a message that was re-keyed, the copy may wait, or be in quarantine."""
        check = Check(
            f"arrivals.{self.topic}", self.first + self.again + self.rejected + self.rekeyed + len(self._lost)
        )
        refused = self.quarantine.partitions_of(self.topic) if self._lost else {}
        for lost in self._lost:
            copies = self._waiting.get(lost.content, set()) | refused.get(lost.content, set())
            if copies - {lost.partition}:
                self.rekeyed += 1
            else:
                check.fail(
                    f"{self.topic} partition {lost.partition} offset {lost.offset}: {lost.what} is neither on the "
                    "ledger nor in rejects"
                )
        check.note = (
            f"{self.first} decided, {self.again} again, {self.rejected} in rejects, {self.rekeyed} re-keyed, "
            f"{self.waiting} waiting"
        )
        return check

    def _see(self, record: Record) -> None:
        if self.quarantine.has(self.topic, record):
            self.rejected += 1
            return
        number, what = self._find(record)
        if number is not None:
            self._account_for(record, number)
        elif record.offset < self.passed.get(record.partition, 0):
            self._lost.append(_Lost(record.partition, record.offset, fingerprint(record.value or b""), what))
        else:
            self.waiting += 1
            self._waiting.setdefault(fingerprint(record.value or b""), set()).add(record.partition)

    def _find(self, record: Record) -> tuple[int | None, str]:
        """The number of its decision if there is one, and what to call it."""
        try:
            key, digest = self.read(open_envelope(record.value or b"").payload)
        except (EnvelopeError, ValidationError):
            return None, "a message that cannot be read"
        return self.decisions.find(key, digest), key

    def _account_for(self, record: Record, number: int) -> None:
        """It is on the ledger with this content; there it was decided where its key belongs."""
        if self.decisions.partition[number] != record.partition:
            self.rekeyed += 1
        elif self.decisions.arrived[number]:
            self.again += 1
        else:
            self.decisions.arrived[number] = 1
            self.first += 1


def made_up(sources: Iterable[tuple[Arrivals, Mapping[int, Span]]]) -> Check:
    """Decisions whose message was never seen. Where messages have expired, nobody can tell."""
    check, expired = Check("arrivals.decided"), list[str]()
    for source, read in sources:
        if any(span.first for span in read.values()):
            expired.append(source.topic)
            continue
        decisions = source.decisions
        check.looked_at += len(decisions)
        if 0 in decisions.arrived:
            for key, number in decisions.numbers.items():
                if not decisions.arrived[number]:
                    check.fail(
                        f"partition {decisions.partition[number]} offset {decisions.offset[number]}: {key} was "
                        f"decided, but no such message arrived on {source.topic}"
                    )
    if expired:
        check.note = f"not looked at, since messages have expired: {', '.join(expired)}"
    return check


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20
