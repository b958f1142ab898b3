"""Errors of libraries and of the parts below, as the one line a user can act on."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from pydantic import ValidationError
from pydantic_settings import SettingsError

from console.errors import KassaError
from console.pattern_words import WORDS
from schemas.envelope import EnvelopeError
from schemas.money import MoneyError
from sinks.errors import SinkError, WarehouseAway, WarehouseRefused
from streams.apache_kafka import ApacheKafkaFailed, ApacheKafkaMissing, ClusterOfAnotherSize
from streams.compacted import TopicUnreadable
from streams.embedded import EmbeddedBrokerError
from streams.health import AddressUnusable
from streams.keyring import KeyFileError
from streams.replay import ReplayCut
from streams.settings import SettingsUnreadable
from streams.topics import TopicMismatch

_UNREACHABLE = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}


def explain(error: BaseException, broker: str = "") -> str | None:
    """One line for an error a user can do something about; None for a bug of ours, which deserves its traceback."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return _one_line(words(error))
    if isinstance(error, KafkaException):
        return _kafka(error, broker)
    if isinstance(error, OSError) and error.filename is not None:
        return _one_line(f"{error.filename}: {error.strerror}")
    if isinstance(error, OSError) and error.strerror:
        return _one_line(error.strerror)
    return None


def fields(error: ValidationError) -> str:
    """Which field of the input is wrong and how; the input itself only where it cannot be a secret."""
    return "; ".join(_field(problem) for problem in error.errors(include_url=False))


def _field(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    said = problem["msg"].removeprefix("Value error, ")
    said = WORDS.get(problem.get("ctx", {}).get("pattern", ""), said)
    words = f"{name}: {said[:1].lower()}{said[1:]}" if name else said
    got = problem.get("input")
    if isinstance(got, str | int | bool) and "password" not in name and str(got) not in words:
        words += f" (got {str(got)[:60]!r})"
    return words


def _kafka(error: KafkaException, broker: str) -> str:
    cause = error.args[0] if error.args else None
    where = broker or "KASSA_KAFKA"
    if isinstance(cause, KafkaError) and cause.code() in _UNREACHABLE:
        return f"no broker answers at {where}: is it running, and is KASSA_KAFKA right?"
    said = cause.str() if isinstance(cause, KafkaError) else error
    return _one_line(f"Kafka at {where}: {said}")


def _short(error: BaseException) -> str:
    """A library's words, of which the first say what matters."""
    return textwrap.shorten(str(error), 200, placeholder=" …")


def _settings(error: BaseException) -> str:
    return f"settings: {error}"


_WORDS: tuple[tuple[type[BaseException], Callable[[Any], str]], ...] = (
    (ValidationError, fields),
    (KassaError, str),
    (MoneyError, str),
    (KeyFileError, str),
    (TopicMismatch, lambda error: f"topics differ from their declaration: {error}"),
    (TopicUnreadable, str),
    (AddressUnusable, str),
    (EmbeddedBrokerError, str),
    (ApacheKafkaFailed, str),
    (ApacheKafkaMissing, str),
    (ClusterOfAnotherSize, str),
    (EnvelopeError, str),
    (ReplayCut, str),
    (WarehouseAway, lambda error: f"ClickHouse does not answer; is KASSA_CLICKHOUSE right? {_short(error)}"),
    (WarehouseRefused, lambda error: f"ClickHouse said no: {_short(error)}"),
    (SinkError, str),
    (SettingsUnreadable, str),
    (SettingsError, _settings),
)


def _one_line(text: str) -> str:
    return " ".join(text.split())
