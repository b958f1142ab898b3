"""Who carries deliveries: a lane to the mail server and one to each webhook: one that hangs holds up no other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from agents.delivery_errors import NotDelivered, Undeliverable
from agents.mail import Mailer
from agents.notify_book import address_of, to_whom
from agents.webhook import Poster
from schemas.contact import Contact
from schemas.delivery import Delivery
from streams.settings import Settings

log = structlog.get_logger()

_MAILS_AT_ONCE = 4
_WEBHOOKS_AT_ONCE = 64

Tried = Callable[[Delivery, NotDelivered | None], None]


class Couriers:
    """`tried` hears of the end of each try, in the event loop. A webhook is asked one thing at a time."""

    def __init__(
        self,
        settings: Settings,
        contacts: Mapping[str, Contact],
        tried: Tried,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._contacts = contacts
        self._tried = tried
        self._mailer, self._poster = Mailer(settings, tls), Poster(settings, tls)
        self._threads = ThreadPoolExecutor(_MAILS_AT_ONCE, thread_name_prefix="mail")
        self._under_way: dict[str, Delivery] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, delivery: Delivery) -> bool:
        """Try it, unless it is being tried or its lane is full."""
        if delivery.id in self._under_way or not self._has_room(delivery):
            return False
        self._under_way[delivery.id] = delivery
        task = asyncio.get_running_loop().create_task(self._try(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def aclose(self) -> None:
        """Tries under way are dropped: who comes next makes them again, under the same ids."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._poster.aclose()

    def _has_room(self, delivery: Delivery) -> bool:
        lane = [one for one in self._under_way.values() if one.channel == delivery.channel]
        if delivery.channel == "mail":
            return len(lane) < _MAILS_AT_ONCE
        return len(lane) < _WEBHOOKS_AT_ONCE and all(one.recipient != delivery.recipient for one in lane)

    async def _try(self, delivery: Delivery) -> None:
        error: NotDelivered | None = None
        try:
            await self._carry(delivery)
        except NotDelivered as found:
            error = found
        except Exception as found:  # noqa: BLE001 - whatever it is, the other deliveries must go on, and this one is tried again
            # The exception's words may hold an address: they stay out of log and record.
            log.error("delivery_failed_unforeseen", delivery=delivery.id, error=type(found).__name__)
            error = NotDelivered(f"unforeseen: {type(found).__name__}")
        finally:
            self._under_way.pop(delivery.id, None)
        self._tried(delivery, error)

    async def _carry(self, delivery: Delivery) -> None:
        address = address_of(to_whom(delivery), self._contacts)
        if address is None:
            raise Undeliverable("the address is on file no more")
        if delivery.channel == "mail":
            await asyncio.get_running_loop().run_in_executor(self._threads, self._mailer.send, delivery, address)
            return
        hook = next(one for one in self._contacts[delivery.contact].webhooks if one.url == address)
        await self._poster.send(delivery, hook)
