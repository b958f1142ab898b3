"""What was sent again out of quarantine: `replays` must name messages that are there, byte for byte, once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError

from console.audit_index import fingerprint
from console.audit_reading import Record, Span
from console.audit_report import Check
from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TOPIC
from schemas.replay import Replay

_Origin = tuple[str, int]  # topic, partition
_Place = tuple[str, int, int]  # topic, partition, offset


class Replays:
    """Read `replays` first: what it names was committed with it, so all that is read afterwards must have it."""

    def __init__(self) -> None:
        self.check = Check("arrivals.replays")
        self._told: dict[int, Replay] = {}  # by offset on `rejects`
        self._reject_at: dict[_Place, int] = {}
        self._origins: set[_Place] = set()
        self._quarantined: dict[int, int] = {}  # offset on `rejects` -> its content
        self._sent: dict[int, int] = {}  # the same of the message that was sent

    def see(self, record: Record) -> None:
        """A record of `replays`."""
        self.check.looked_at += 1
        try:
            reject = int((record.key or b"").decode("ascii"))
            replay = Replay.model_validate_json(record.value or b"")
        except (ValueError, ValidationError):
            self._fail(f"offset {record.offset}: cannot be read")
            return
        place = replay.topic, replay.partition, replay.offset
        origin = replay.topic, replay.origin_partition, replay.origin_offset
        if reject in self._told or origin in self._origins:
            self._fail(f"offset {record.offset}: rejects offset {reject} was replayed before")
        elif place in self._reject_at:
            self._fail(f"offset {record.offset}: names the same message as rejects offset {self._reject_at[place]}")
        else:
            self._told[reject] = replay
            self._origins.add(origin)
            self._reject_at[place] = reject

    def rejects(self, records: Iterable[Record]) -> Iterator[Record]:
        """Passes on the records of `rejects`."""
        for record in records:
            if (replay := self._told.get(record.offset)) is not None:
                self._quarantined[record.offset] = fingerprint(record.value or b"")
                if _story(record) != _told_story(replay):
                    self._fail(f"rejects offset {record.offset} is another message than the one replayed")
            yield record

    def messages(self, topic: str, records: Iterable[Record]) -> Iterator[Record]:
        """Passes on the records of a topic on which messages arrive."""
        for record in records:
            reject = self._reject_at.get((topic, record.partition, record.offset))
            if reject is not None:
                self._sent[reject] = fingerprint(record.value or b"")
            yield record

    def finish(self, read: Mapping[_Origin, Span]) -> Check:
        """After everything was read."""
        expired = 0
        for reject, replay in self._told.items():
            where = f"{replay.topic} partition {replay.partition} offset {replay.offset}"
            span, sent = read.get((replay.topic, replay.partition)), self._sent.get(reject)
            if reject not in self._quarantined:
                self._fail(f"there is no message at rejects offset {reject}, said to be replayed")
            elif sent is None and span is not None and replay.offset < span.first:
                expired += 1
            elif sent is None:
                self._fail(f"rejects offset {reject}: there is no message at {where}")
            elif sent != self._quarantined[reject]:
                self._fail(f"rejects offset {reject}: other bytes than at {where}")
        self.check.note = f"{expired} whose message has expired" if expired else ""
        return self.check

    def _fail(self, what: str) -> None:
        self.check.fail(f"replays: {what}")


def _story(record: Record) -> tuple[str, ...]:
    found = {name: value.decode("utf-8", "replace") for name, value in record.headers if isinstance(value, bytes)}
    return tuple(found.get(name, "") for name in (HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET, HEADER_REASON))


def _told_story(replay: Replay) -> tuple[str, ...]:
    return replay.topic, str(replay.origin_partition), str(replay.origin_offset), replay.reason.value
