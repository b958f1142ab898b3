"""Alerts about gateways whose answers are none: GATEWAY_FAILING. Each of a partition and a gateway."""

from __future__ import annotations

from collections import deque

from schemas.alert import Alert, AlertKind, Severity
from schemas.entry import Entry, PaymentFacts
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from streams.open_alerts import OpenAlerts
from streams.settings import Settings

_BAD = frozenset({Verdict.UNCLEAR, Verdict.NOT_SENT})


class Answers:
    """GATEWAY_FAILING begins when so many of the last answers were bad, and is over when so many in a row were good.

    The last answers are forgotten in a restart, what is open is not: at worst a begin is noticed later.
    """

    def __init__(self, opened: OpenAlerts, settings: Settings, partition: int) -> None:
        self._open = opened
        self._partition = partition
        self._bad, self._of, self._good = (
            settings.gateway_alert_bad,
            settings.gateway_alert_of,
            settings.gateway_alert_good,
        )
        self._last: dict[str, deque[bool]] = {}  # by gateway: was it bad? newest last

    def entry(self, entry: Entry, facts: PaymentFacts) -> list[Alert]:
        if entry.outcome is None:
            return []
        last = self._last.get(facts.gateway)
        if last is None:
            last = self._last[facts.gateway] = deque(maxlen=max(self._of, self._good))
        last.append(entry.outcome.verdict in _BAD)
        subject = f"{facts.gateway}/{self._partition}"
        begun = self._open.find(AlertKind.GATEWAY_FAILING, subject)
        if begun is None:
            bad = sum(list(last)[-self._of :])
            return [self._open.begin(self._failing(facts.gateway, subject, bad, entry))] if bad >= self._bad else []
        if len(last) < self._good or any(list(last)[-self._good :]):
            return []
        last.clear()
        text = (
            f"gateway {facts.gateway} works again: {self._good} clear answers in a row on partition {self._partition}"
        )
        return [self._open.end(begun, text, entry.at)]

    def _failing(self, gateway: str, subject: str, bad: int, entry: Entry) -> Alert:
        text = (
            f"gateway {gateway} fails: {bad} of the last {self._of} requests of partition {self._partition} "
            "could not be sent or had no clear answer"
        )
        return Alert(
            kind=AlertKind.GATEWAY_FAILING,
            subject=subject,
            severity=Severity.CRITICAL,
            text=text,
            at=ms_instant(entry.at),
            since=ms_instant(entry.at),
            count=bad,
        )
