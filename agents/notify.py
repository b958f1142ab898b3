"""Notify: the process that delivers alerts. One is enough; of two, the one that came last goes on."""

from __future__ import annotations

import asyncio
import signal

import structlog

from agents.notify_desk import Desk
from agents.notify_vitals import NotifyVitals
from streams.directory import Directory, DirectoryReader
from streams.health import serving
from streams.logs import configure_logs
from streams.settings import Settings
from streams.topics import CONTACTS

log = structlog.get_logger()

NAME = "notify-1"


def run(settings: Settings) -> None:
    """Deliver until SIGTERM or SIGINT. Raises Superseded."""
    configure_logs(settings.log_level)
    vitals = NotifyVitals()
    directory = DirectoryReader(settings, Directory(), (CONTACTS,))
    with serving(settings, "notify", NAME, vitals):
        directory.start()
        try:
            asyncio.run(_deliver(settings, directory, vitals))
        finally:
            directory.stop()


async def _deliver(settings: Settings, directory: DirectoryReader, vitals: NotifyVitals) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    desk = Desk(settings, directory.directory.contacts, directory.catch_up_soon, vitals)
    await desk.run(stop)
