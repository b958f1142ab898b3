"""How far a site has come with what it was sent, and waiting until it has come to the end."""

from __future__ import annotations

import time
from dataclasses import dataclass

from confluent_kafka import KafkaException

from console.audit_reading import committed
from console.errors import KassaError
from sinks.errors import WarehouseAway, WarehouseRefused
from sinks.warehouse import open_warehouse, rows
from streams.compacted import TopicUnreadable
from streams.ends import Ends, EndsUnknown
from streams.settings import Settings
from streams.topics import LEDGER, PAYMENTS
from tests.chaos.schedule import Timeline
from tests.chaos.site import SINK, Site

# Not final; queued, and no registry has it; or its payee has answered, and it has not ended.
OPEN = """
SELECT count() FROM payments
WHERE state IN ('HELD', 'SENT', 'UNKNOWN') OR (state = 'QUEUED' AND (
    txn NOT IN (SELECT txn FROM registry_lines) OR txn IN (SELECT txn FROM registry_lines WHERE answer != '')
))
"""
_LOOK_S = 2.0
_SAY_S = 10.0
STALLED_S = 180.0
LONGEST_S = 1_200.0  # a slow machine may have a backlog
# After the last message of a partition there may be markers of transactions, which nobody passes.
_MARKERS = 3
_STILL_LOOKS = 3


@dataclass(frozen=True)
class Look:
    """lag: messages not decided yet; open: payments neither final nor MANUAL in the warehouse; None: not known now."""

    lag: int | None
    open: int | None
    ledger_end: int | None = None
    is_passed: bool = False

    def __str__(self) -> str:
        return f"open {_or_unknown(self.open)}, lag {_or_unknown(self.lag)}"

    @property
    def is_calm(self) -> bool:
        return self.open == 0 and self.is_passed


def look(settings: Settings) -> Look:
    """Never fails: what cannot be asked now is None."""
    try:
        passed = committed(settings, PAYMENTS)
        ends = Ends(settings)
        arrived = ends.now([(PAYMENTS.name, number) for number in passed])
        ledger = sum(ends.now([(LEDGER.name, number) for number in passed]).values())
    except (KafkaException, EndsUnknown, TopicUnreadable, KassaError):
        return Look(None, _open_payments(settings))
    behind = [end - passed[number] for (_, number), end in arrived.items()]
    return Look(sum(behind), _open_payments(settings), ledger, max(behind) <= _MARKERS)


def _open_payments(settings: Settings) -> int | None:
    try:
        client = open_warehouse(settings)
    except (WarehouseAway, WarehouseRefused):
        return None
    try:
        return int(rows(client, OPEN)[0][0])
    except (WarehouseAway, WarehouseRefused):
        return None
    finally:
        client.close()


def calm_down(site: Site, timeline: Timeline) -> bool:
    """Everything healed: wait until nothing is open but MANUAL and nothing moves any more.

    False: nothing moved for STALLED_S, or it took longer than LONGEST_S, and something is open still.
    """
    began_s = moved_s = said_s = time.monotonic()
    still, last = 0, None
    while (now_s := time.monotonic()) < min(began_s + LONGEST_S, moved_s + STALLED_S):
        now = look(site.settings)
        still = still + 1 if now.is_calm and now.ledger_end == last else 0
        if still >= _STILL_LOOKS:
            return True
        if now.ledger_end != last:
            last, moved_s = now.ledger_end, now_s
        for name in site.revive_ended([*site.workers, SINK]):
            timeline.say(f"note  {name} had ended by itself; started again")
        if now_s - said_s > _SAY_S:
            timeline.say(f"calm? {now}")
            said_s = now_s
        time.sleep(_LOOK_S)
    timeline.say(f"calm? given up: {look(site.settings)}")
    return False


def _or_unknown(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"
