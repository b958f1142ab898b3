"""What the audit says of replays: the message, its copy and the record of it must be there, once each."""

from __future__ import annotations

import pytest

from console.audit_reading import Record, Span
from console.audit_replays import Replays
from schemas.ids import ms_instant
from schemas.reject import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TOPIC, RejectReason
from schemas.replay import Replay

SPANS = {("payments", 0): Span(5, 100)}


def a_replay(reject: int = 0, place: int = 9, origin: int = 7) -> Record:
    replay = Replay(
        topic="payments",
        partition=0,
        offset=place,
        origin_partition=0,
        origin_offset=origin,
        reason=RejectReason.UNKNOWN_KEY,
        at=ms_instant(1_773_316_800_000),
    )
    return Record(0, reject, str(reject).encode(), replay.model_dump_json().encode(), ())


def a_reject(offset: int = 0, value: bytes = b"bytes", **story: str) -> Record:
    headers = {HEADER_REASON: "UNKNOWN_KEY", HEADER_TOPIC: "payments", HEADER_PARTITION: "0", HEADER_OFFSET: "7"}
    return Record(0, offset, b"A", value, [(name, text.encode()) for name, text in (headers | story).items()])


def a_message(offset: int = 9, value: bytes = b"bytes") -> Record:
    return Record(0, offset, b"A", value, ())


SOUND = ([a_replay()], [a_reject()], [a_message()])

FAULTS = {
    "cannot be read": ([Record(0, 4, b"soon", b"{}", ())], [], []),
    "offset 1: rejects offset 1 was replayed before": ([a_replay(), a_replay(1, 10)], SOUND[1], SOUND[2]),
    "offset 1: names the same message as rejects offset 0": ([a_replay(), a_replay(1, 9, 8)], SOUND[1], SOUND[2]),
    "rejects offset 0 is another message than": (SOUND[0], [a_reject(**{HEADER_OFFSET: "8"})], SOUND[2]),
    "there is no message at rejects offset 0": (SOUND[0], [], SOUND[2]),
    "rejects offset 0: there is no message at payments partition 0 offset 9": (SOUND[0], SOUND[1], []),
    "rejects offset 0: other bytes than at payments": (SOUND[0], SOUND[1], [a_message(value=b"others")]),
}


def audited(told: list[Record], rejects: list[Record], messages: list[Record]) -> Replays:
    replays = Replays()
    for record in told:
        replays.see(record)
    assert list(replays.rejects(rejects)) == rejects
    assert list(replays.messages("payments", messages)) == messages
    assert list(replays.messages("commands", messages)) == messages
    replays.finish(SPANS)
    return replays


def test_a_message_sent_again_as_it_is_told_passes() -> None:
    check = audited(*SOUND).check
    assert (check.verdict, check.looked_at, check.note) == ("ok", 1, "")


@pytest.mark.parametrize("words", FAULTS)
def test_what_is_not_as_it_is_told_is_named(words: str) -> None:
    (failure, *others) = audited(*FAULTS[words]).check.failures
    assert (failure.startswith("replays: "), words in failure, others) == (True, True, [])


def test_a_copy_that_has_expired_is_counted() -> None:
    check = audited([a_replay(place=4)], [a_reject()], []).check
    assert (check.passed, check.note) == (True, "1 whose message has expired")
