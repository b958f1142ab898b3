"""Topic `rejects` by where each message came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import orjson

from console.audit_index import fingerprint
from console.audit_reading import Record
from schemas import reject
from schemas.envelope import EnvelopeError, open_envelope
from schemas.reject import RejectReason
from tests.chaos.past import reply_fingerprint

_CODES = {RejectReason.CONFLICT: 215, RejectReason.WRONG_AGENT: 133, RejectReason.WRONG_TERMINAL: 150}


class Quarantine:
    def __init__(self) -> None:
        self._reasons: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
        self._partitions: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.replies: set[int] = set()

    def see(self, record: Record) -> None:
        story = {name: value.decode() for name, value in record.headers if isinstance(value, bytes)}
        topic, partition = story[reject.HEADER_TOPIC], int(story[reject.HEADER_PARTITION])
        reason = RejectReason(story[reject.HEADER_REASON])
        self._reasons[topic, partition][int(story[reject.HEADER_OFFSET])] = reason.value
        value = record.value or b""
        self._partitions[topic, fingerprint(value)].add(partition)
        at = int(story[reject.HEADER_RECEIVED_AT])
        for id in _ids(value):
            self.replies.add(reply_fingerprint(id, "REJECTED", _CODES.get(reason, 300), at, 0))

    def reason(self, topic: str, partition: int, offset: int) -> str:
        """Why the message that arrived there is in quarantine; "" when it is not."""
        return self._reasons.get((topic, partition), {}).get(offset, "")

    def elsewhere(self, topic: str, partition: int, content: int) -> bool:
        """Is a re-keyed copy in quarantine?"""
        return bool(self._partitions.get((topic, content), set()) - {partition})


def _ids(value: bytes) -> Iterator[str]:
    """What a rejection may name: the id in the message, or nothing."""
    yield ""
    try:
        payload = orjson.loads(open_envelope(value).payload)
    except (EnvelopeError, orjson.JSONDecodeError):
        return
    if isinstance(payload, dict) and isinstance(payload.get("id"), str):
        yield payload["id"][:100]
