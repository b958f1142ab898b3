"""What a fleet sent and what came of each message: matched by payment id and by place in Kafka. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from console.fleet_kinds import Expected, Kind, Outcome
from console.fleet_messages import FleetMessage
from console.rejects import Rejected
from schemas.reject import RejectReason
from schemas.reply import Reply

_CONFLICT_CODE = 215


@dataclass(slots=True)
class Track:
    """One message on its way; times are seconds of a monotonic clock, `first_s` and `final_s` after sending."""

    message: FleetMessage
    sent_at: float
    acknowledged: bool = False
    replies: list[Reply] = field(default_factory=list)
    first_s: float | None = None
    final_s: float | None = None
    rejected: str = ""

    @property
    def found(self) -> Expected | None:
        """What became of it as far as is known; None: nothing yet."""
        if self.rejected:
            known = self.rejected in RejectReason.__members__
            return Expected(Outcome.QUARANTINED, reason=RejectReason(self.rejected) if known else None)
        if not self.replies or self.replies[0].state == "REJECTED":
            return None  # a rejection is proven by the quarantine itself
        first = self.replies[0]
        if first.again:
            return Expected(Outcome.DUPLICATE)
        return Expected(Outcome.DECLINED, first.code) if first.state == "DECLINED" else Expected(Outcome.ACCEPTED)

    @property
    def is_settled(self) -> bool:
        """Nothing more is to come."""
        if self.rejected:
            return True
        return bool(self.replies) and (self.replies[-1].final or self.replies[-1].again) and self.found is not None


class Tally:
    """All messages of a run."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._by_payment: dict[str, list[Track]] = {}
        self._by_place: dict[tuple[str, int, int], Track] = {}
        self._early: dict[tuple[str, int, int], str] = {}
        self._open = 0

    def sent(self, message: FleetMessage, at: float) -> Track:
        track = Track(message, at)
        self.tracks.append(track)
        if message.id:
            self._by_payment.setdefault(message.id, []).append(track)
        self._open += 1
        return track

    def acknowledged(self, track: Track, topic: str, partition: int, offset: int) -> None:
        """Kafka has it, at this place. Its rejection may have been read before this was heard."""
        track.acknowledged = True
        place = (topic, partition, offset)
        self._by_place[place] = track
        if place in self._early:
            self._reject(track, self._early.pop(place))

    def failed(self, track: Track) -> None:
        """Kafka did not take it: nothing will come of it."""
        self._settling(before=track.is_settled, now=True)

    def reply(self, reply: Reply, at: float) -> None:
        track = self._answered(reply)
        if track is None:
            return
        before = track.is_settled
        track.replies.append(reply)
        track.first_s = track.first_s if track.first_s is not None else at - track.sent_at
        if reply.final and track.final_s is None:
            track.final_s = at - track.sent_at
        self._settling(before, track.is_settled)

    def rejected(self, rejected: Rejected) -> None:
        place = (rejected.topic, rejected.partition, rejected.offset)
        track = self._by_place.get(place)
        if track is None:
            self._early[place] = rejected.reason
        else:
            self._reject(track, rejected.reason)

    @property
    def is_settled(self) -> bool:
        """Everything that was sent has come to its end."""
        return self._open == 0

    def differing(self) -> list[Track]:
        """Messages that Kafka took and that did not end as expected."""
        return [track for track in self.tracks if track.acknowledged and track.found != track.message.expected]

    def _answered(self, reply: Reply) -> Track | None:
        """A payment's id is shared by its duplicates: they are told apart by what kind of reply it is."""
        tracks = self._by_payment.get(reply.id, [])
        if reply.again:
            return _waiting(tracks, Kind.REPEAT)
        if reply.state == "REJECTED" and reply.code == _CONFLICT_CODE:
            return _waiting(tracks, Kind.CONFLICT)
        return tracks[0] if tracks else None

    def _reject(self, track: Track, reason: str) -> None:
        before = track.is_settled
        track.rejected = reason
        self._settling(before, now=True)

    def _settling(self, before: bool, now: bool) -> None:
        self._open -= int(now and not before)


def percentile(values: Iterable[float], percent: int) -> float | None:
    """The smallest value that so many per cent do not exceed; None of no values."""
    ordered: Sequence[float] = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def answers(tracks: Iterable[Track]) -> Counter[tuple[str, int]]:
    """(state, code) of the last reply of each message, or its reason for quarantine, and how many of each."""
    found: Counter[tuple[str, int]] = Counter()
    for track in tracks:
        if track.rejected:
            found[f"quarantined {track.rejected}", 0] += 1
        elif track.replies:
            last = track.replies[-1]
            found["duplicate" if last.again else last.state, last.code] += 1
        elif track.acknowledged:
            found["no answer", 0] += 1
        else:
            found["not acknowledged", 0] += 1
    return found


def _waiting(tracks: Iterable[Track], kind: Kind) -> Track | None:
    return next((track for track in tracks if track.message.kind is kind and not track.replies), None)
