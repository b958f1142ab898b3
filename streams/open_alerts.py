"""The alerts of one partition that are not over: begun once, ended once, whatever restarts lie in between.

Topic `open_alerts` has them as a compacted table, written in the transaction of the alert itself by the partition's
only writer, so whoever takes the partition over reads what was told and what was not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from pydantic import ValidationError

from schemas.alert import Alert, AlertKind, Severity
from schemas.ids import ms_instant
from streams.compacted import read_to_end
from streams.settings import Settings
from streams.topics import OPEN_ALERTS

log = structlog.get_logger()

_TIME_OUT_S = 60.0
_ENDED_KEPT = 1_000  # many more than end in one millisecond


class OpenAlerts:
    """By kind and subject: at most one occurrence of each is open."""

    def __init__(self) -> None:
        self._open: dict[tuple[AlertKind, str], Alert] = {}
        self._ended: dict[tuple[AlertKind, str], datetime] = {}  # since when the last one that ended had been

    def recover(self, settings: Settings, partition: int) -> None:
        """Read them anew, after the fence. Raises KafkaException and TopicUnreadable.

        A record that is no alert of this release is left out: at worst something is told a second time.
        """
        table: dict[bytes, bytes | None] = {}
        for message in read_to_end(settings, OPEN_ALERTS, partition=partition, time_out_s=_TIME_OUT_S):
            table[message.key() or b""] = message.value()
        self._open = {}
        for value in table.values():
            if value is not None:
                try:
                    alert = Alert.model_validate_json(value)
                except ValidationError:
                    log.error("open_alert_unreadable", partition=partition)
                    continue
                self._open[alert.kind, alert.subject] = alert

    def find(self, kind: AlertKind, subject: str) -> Alert | None:
        """The occurrence as it began; None when there is none."""
        return self._open.get((kind, subject))

    def of(self, kind: AlertKind) -> Iterator[Alert]:
        """Every open occurrence of a kind; it may be ended meanwhile."""
        return iter([alert for (one, _), alert in self._open.items() if one is kind])

    def begin(self, alert: Alert) -> Alert:
        """It is open from here on, as it is returned: `since` names an occurrence, so of two that begin in the same
        millisecond (messages of one batch have one time) the second is a millisecond younger."""
        key = alert.kind, alert.subject
        before = self._ended.get(key)
        if before is not None and alert.since <= before:
            alert = alert.model_copy(update={"since": before + timedelta(milliseconds=1)})
        self._open[key] = alert
        return alert

    def end(self, begun: Alert, text: str, at: int, count: int | None = None) -> Alert:
        """What to tell about its end; at: ms UTC."""
        del self._open[begun.kind, begun.subject]
        self._ended.pop((begun.kind, begun.subject), None)
        self._ended[begun.kind, begun.subject] = begun.since
        if len(self._ended) > _ENDED_KEPT:
            del self._ended[next(iter(self._ended))]
        changes = {"severity": Severity.INFO, "text": text, "at": ms_instant(at), "over": True}
        return begun.model_copy(update=changes if count is None else {**changes, "count": count})


def open_key(alert: Alert) -> str:
    """The alert's key on `open_alerts`."""
    return f"{alert.kind.value}/{alert.subject}"
