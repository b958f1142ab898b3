"""The doctor at the alerts: do they reach those who should hear of them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from agents.notify_book import Book
from console.doctor_findings import Deadline, Finding, fail, ok, warn
from console.lookup import contacts
from schemas.contact import OPERATOR, Contact
from schemas.delivery import Delivery
from streams.compacted import read_to_end
from streams.settings import Settings
from streams.topics import DELIVERIES

_ANSWER_S = 3.0
_LATE = timedelta(seconds=60)
_CHECK = "alerts.delivery"


def look_at_deliveries(settings: Settings, deadline: Deadline) -> Finding:
    """`alerts.delivery`. Raises KafkaException and TopicUnreadable."""
    deliveries = []
    for message in read_to_end(settings, DELIVERIES, time_out_s=deadline.within(_ANSWER_S)):
        with suppress(ValidationError):  # notify passes over it too
            deliveries.append(Delivery.model_validate_json(message.value() or b""))
    return judge_deliveries(deliveries, contacts(settings, deadline.within(_ANSWER_S)), datetime.now(UTC))


def judge_deliveries(deliveries: Iterable[Delivery], on_file: Mapping[str, Contact], now: datetime) -> Finding:
    """deliveries: in the order of their topic. Who is on file no more is missed by nobody."""
    book = Book()
    for one in deliveries:
        book.take(one)
    if lost := book.lost(on_file):
        says = f"alerts do not reach {', '.join(' '.join(one) for one in lost[:3])}{', …' if len(lost) > 3 else ''}"
        verdict = fail if any(contact == OPERATOR for contact, _, _ in lost) else warn
        return verdict(_CHECK, says, "`kassa deliveries --state DEAD` says why; mend address, secret or server")
    late = [now - one.due_at for one in book.pending.values() if now - one.due_at >= _LATE]
    if late:
        says = f"{len(late)} deliveries are due and not tried, the oldest for {max(late).total_seconds():,.0f} s"
        return fail(_CHECK, says, "start `kassa notify`, or look into its log")
    return ok(_CHECK, "everybody is reached")
