"""Where the judge looks: topics, how far the workers have come, and the payees' own books."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import httpx
import orjson

from console.audit_payee import PaidThere, books
from console.audit_reading import Record, committed, read, spans
from streams.settings import Settings
from streams.topics import LEDGER, Topic
from tests.chaos.other_payees import HEATING
from tests.chaos.overheard import asked_file, overheard
from tests.chaos.registry_files import files_in

_ANSWER_S = 120.0  # a machine that was full for an hour is slow


class Evidence(Protocol):
    def partitions(self) -> list[int]:
        """Of payments, commands and ledger."""

    def records(self, topic: Topic, partition: int) -> Iterable[Record]:
        """Every committed record, oldest first; asked for more than once."""

    def passed(self, topic: Topic) -> dict[int, int]:
        """By partition, the offset below which the workers have decided everything."""

    def paid(self) -> Iterable[PaidThere]:
        """Every line of every payee's book."""

    def inconsistent(self) -> dict[str, int]:
        """By payee, how often a number came to it again with another subscriber or sum."""

    def asked(self) -> dict[int, list[str]] | None:
        """Number -> the payees that workers asked for money under it. None: nobody listened."""

    def files(self) -> dict[str, bytes]:
        """Every registry that was brought to its payee, by the file's name."""


class Scene:
    """The real thing: a broker and the payee simulator."""

    def __init__(self, settings: Settings, simulator_url: str) -> None:
        self._settings = settings
        self._url = simulator_url.rstrip("/")

    def partitions(self) -> list[int]:
        return sorted(spans(self._settings, LEDGER))

    def records(self, topic: Topic, partition: int) -> Iterable[Record]:
        return read(self._settings, topic, partition)

    def passed(self, topic: Topic) -> dict[int, int]:
        return committed(self._settings, topic)

    def paid(self) -> Iterable[PaidThere]:
        return books(self._url)

    def inconsistent(self) -> dict[str, int]:
        with httpx.Client(trust_env=False, verify=False, timeout=_ANSWER_S) as client:
            totals: dict[str, dict[str, Any]] = orjson.loads(client.get(f"{self._url}/book").content)
        return {payee: total["inconsistencies"] for payee, total in totals.items()}

    def asked(self) -> dict[int, list[str]] | None:
        return overheard(asked_file(self._settings.dir))

    def files(self) -> dict[str, bytes]:
        return files_in(self._settings.registries / HEATING)
