"""Notify's vital signs: is its loop turning, does it have its topic, and what is it waiting for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily

from agents.notify_book import Book
from streams import metrics
from streams.health import Heartbeat

# A turn waits for a few answers of the broker, half a minute each.
_BOUND_S = 120.0


class NotifyVitals:
    """Looked at from other threads; the desk replaces what is looked at here, or changes it in one step."""

    def __init__(self) -> None:
        self.heartbeat = Heartbeat("notify", _BOUND_S)
        self.book: Book | None = None
        self.away = ""  # why nothing can be read or written, "" while it can

    def stuck(self) -> list[str]:
        return self.heartbeat.stuck()

    def not_ready(self) -> list[str]:
        if self.away:
            return [f"the broker is away: {self.away}"]
        return [] if self.book is not None else ["its deliveries are not read yet"]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        book = self.book
        if book is not None:
            yield metrics.NOTIFY_WAITING.family({(channel,): n for channel, n in book.waiting().items()})
            yield metrics.NOTIFY_UNREACHED.family({(): book.unreached})
