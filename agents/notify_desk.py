"""Notify at work: alerts become deliveries, what is due is tried, what came of it is written down.

A delivery is on its topic before it is tried, and what came of a try only afterwards. Who is killed in between tries it
again, under the same id: at least once, and to be told apart by who receives it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import structlog
from confluent_kafka import KafkaException

from agents.couriers import Couriers
from agents.delivery_errors import NotDelivered
from agents.notify_book import Book, Schedule
from agents.notify_log import DeliveryLog
from agents.notify_vitals import NotifyVitals
from schemas.alert import Alert
from schemas.contact import Contact
from schemas.delivery import Delivery
from streams import metrics
from streams.compacted import TopicUnreadable
from streams.ends import EndsUnknown
from streams.settings import Settings

log = structlog.get_logger()

_TURN_S = 0.2
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0


class Desk:
    """`contacts`: kept up to date by its owner; `catch_up` waits until everything committed is in it."""

    def __init__(
        self,
        settings: Settings,
        contacts: Mapping[str, Contact],
        catch_up: Callable[[], Awaitable[object]],
        vitals: NotifyVitals,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._contacts = contacts
        self._catch_up = catch_up
        self._vitals = vitals
        self._schedule = Schedule(settings.notify_retry_ms, settings.notify_tries)
        self._log = DeliveryLog(settings)
        self._couriers = Couriers(settings, contacts, self._tried, tls)
        self._answers: dict[str, NotDelivered | None] = {}
        self._news = asyncio.Event()
        self._book = Book()
        self._position = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises Superseded when another notify has taken over."""
        wait_s = _FIRST_WAIT_S
        try:
            while not stop.is_set():
                try:
                    await self._open()
                    while not stop.is_set():
                        await self._turn()
                        wait_s = _FIRST_WAIT_S
                except (KafkaException, TopicUnreadable, EndsUnknown) as error:
                    self._vitals.away = str(error) or type(error).__name__
                    log.warning("notify_interrupted", error=self._vitals.away, wait_s=wait_s)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        finally:
            await self._couriers.aclose()
            await asyncio.to_thread(self._log.close)

    async def _open(self) -> None:
        self._book = await asyncio.to_thread(self._log.open)
        self._position = self._book.position
        self._vitals.book, self._vitals.away = self._book, ""
        log.info("notify_open", pending=len(self._book.pending), alerts_from=self._position)

    async def _turn(self) -> None:
        """New alerts, answers, what is due; then wait for the next answer, or a moment."""
        self._vitals.heartbeat.beat()
        await self._take_alerts()
        await self._record()
        for delivery in self._book.due(_now()):
            if delivery.id not in self._answers:
                self._couriers.start(delivery)
        try:
            await asyncio.wait_for(self._news.wait(), _TURN_S)
        except TimeoutError:
            return
        self._news.clear()

    async def _take_alerts(self) -> None:
        fresh = await asyncio.to_thread(self._log.fresh, self._position)
        if not fresh:
            return
        await self._catch_up()
        now = _now()
        made = list[Delivery]()
        for offset, alert in fresh:
            for delivery in self._book.of_alert(alert, offset, self._contacts, now) if alert is not None else ():
                self._book.take(delivery)
                made.append(delivery)
        await self._write(made, self._book.gone(self._contacts, now))
        self._position = fresh[-1][0] + 1

    async def _record(self) -> None:
        """What came of tries. An answer is forgotten only once it is written down."""
        answers, deliveries, alerts = dict(self._answers), list[Delivery](), list[Alert]()
        for id_, error in answers.items():
            pending = self._book.pending.get(id_)
            if pending is not None:
                tried = self._book.tried(pending, error, self._schedule, _now())
                alert = self._book.alert_of(tried)
                alerts += [alert] if alert is not None else []
                self._book.take(tried)
                deliveries.append(tried)
        await self._write(deliveries, alerts)
        for one in deliveries:
            metrics.NOTIFY_TRIES.labels(one.channel, one.state.value).inc()
        for id_ in answers:
            self._answers.pop(id_, None)

    async def _write(self, deliveries: list[Delivery], alerts: list[Alert]) -> None:
        """The book has them already: when this raises, it is read anew."""
        if deliveries or alerts:
            await asyncio.to_thread(self._log.write, deliveries, alerts)

    def _tried(self, delivery: Delivery, error: NotDelivered | None) -> None:
        log.info("delivery_tried", delivery=delivery.id, contact=delivery.contact, channel=delivery.channel,
                 why=str(error) if error is not None else "")  # fmt: skip
        self._answers[delivery.id] = error
        self._news.set()


def _now() -> datetime:
    return datetime.now(UTC)
