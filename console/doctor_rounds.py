"""The doctor's round: everything at once where it can be, and all of it within ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaException

from console.doctor_alerts import look_at_deliveries
from console.doctor_broker import BrokerAway, away, look_at_broker
from console.doctor_clocks import judge_append_time, newest_append_ms
from console.doctor_findings import Deadline, Finding, fail, skipped
from console.doctor_keys import judge_credentials, look_at_keys
from console.doctor_lag import look_at_queues
from console.doctor_parts import judge_parts, look_at_parts, unserved
from console.doctor_warehouse import look_at_warehouse
from console.lookup import gateways
from streams.compacted import TopicUnreadable
from streams.ends import EndsUnknown
from streams.settings import Settings

_ALL_S = 8.0
_ANSWER_S = 3.0
_ORDER = ("broker", "topics", "topic", "warehouse", "clock", "keys", "lag", "alerts", "parts")
_NEED_TOPICS = ("clock.broker", "keys.gateways", "lag", "alerts.delivery")


def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order of the house: broker, warehouse, clocks, keys, queues, alerts, parts. Takes 10 s at
    most, also when nothing is there."""
    deadline = Deadline(_ALL_S)
    with ThreadPoolExecutor(3, thread_name_prefix="doctor") as threads:
        parts = threads.submit(look_at_parts, settings, deadline)
        warehouse = threads.submit(look_at_warehouse, settings, deadline)
        broker = threads.submit(_broker, settings, deadline, lambda: unserved(parts.result()))
        found = [*broker.result(), *warehouse.result(), *look_at_keys(settings)]
        found += judge_parts(parts.result(), settings.dir)
    return sorted(found, key=lambda finding: _ORDER.index(finding.check.partition(".")[0]))


def _broker(settings: Settings, deadline: Deadline, parts_missing: Callable[[], set[str]]) -> list[Finding]:
    """All that needs the broker, one question after another."""
    try:
        found = look_at_broker(settings, deadline)
    except BrokerAway as error:
        return [*away(str(error)), *(skipped(check, "no broker to ask") for check in _NEED_TOPICS)]
    if any(one.is_missing for one in found):
        return [*found, *(skipped(check, "topics are missing") for check in _NEED_TOPICS)]
    secrets = settings.keys / "gateways"
    looks: tuple[Callable[[], list[Finding]], ...] = (
        lambda: [judge_append_time(newest_append_ms(settings, deadline), time.time_ns() // 1_000_000)],
        lambda: [judge_credentials(secrets, gateways(settings, deadline.within(_ANSWER_S)).values())],
        lambda: look_at_queues(settings, deadline, parts_missing),
        lambda: [look_at_deliveries(settings, deadline)],
    )
    for check, look in zip(_NEED_TOPICS, looks, strict=True):
        try:
            found += look()
        except (KafkaException, EndsUnknown, TopicUnreadable, TimeoutError) as error:
            found.append(fail(check, f"the broker did not tell: {error}", "look into the broker's log; ask again"))
    return found
