"""The doctor at the clocks: entries carry the broker's time, reports ClickHouse's, and both are read beside ours."""

from __future__ import annotations

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from console.doctor_findings import Deadline, Finding, fail, ok, warn
from streams.compacted import SILENT
from streams.reach import reach
from streams.settings import Settings
from streams.topics import LEDGER, PAYMENTS

_ANSWER_S = 3.0
_WARN_MS, _FAIL_MS = 1_000, 30_000


def judge_clock(check: str, whose: str, ahead_ms: int) -> Finding:
    """ahead_ms: how far that clock is ahead of this machine's; negative: behind."""
    says = f"{whose} is {abs(ahead_ms):,} ms {'ahead of' if ahead_ms > 0 else 'behind'} this machine's"
    advice = "synchronise both with the same time servers (chrony, NTP)"
    if abs(ahead_ms) > _FAIL_MS:
        return fail(check, says, advice)
    return warn(check, says, advice) if abs(ahead_ms) > _WARN_MS else ok(check, says)


def judge_append_time(newest_ms: int | None, now_ms: int) -> Finding:
    """`clock.broker`: what it stamped last must be past. Only its being ahead can be told: it may be idle."""
    if newest_ms is None:
        return ok("clock.broker", "nothing was appended yet")
    if newest_ms > now_ms:
        return judge_clock("clock.broker", "the broker's newest append time", newest_ms - now_ms)
    return ok("clock.broker", f"the newest append time is {(now_ms - newest_ms) / 1000:,.1f} s ago")


def newest_append_ms(settings: Settings, deadline: Deadline) -> int | None:
    """The newest time the broker has stamped on a payment or an entry, ms UTC; None: it has none. Raises
    KafkaException."""
    admin = AdminClient({**reach(settings), "log_level": 2}, logger=SILENT)
    newest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
    places = {
        TopicPartition(topic.name, partition): newest
        for topic in (PAYMENTS, LEDGER)
        for partition in range(settings.partitions)
    }
    within_s = deadline.within(_ANSWER_S)
    found = admin.list_offsets(places, request_timeout=within_s).values()
    return max((stamp for one in found if (stamp := one.result(within_s).timestamp) > 0), default=None)
