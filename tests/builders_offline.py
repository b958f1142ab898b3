"""Builders of what is served offline: a payee with registries, its payments, its answers, and a world of books."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.entry import Entry
from schemas.keys import SERVER_KID
from schemas.offline import FileDrop, OfflineTerms
from schemas.payee import Payee
from schemas.registry import RegistryDelivery, registry_book
from schemas.registry_command import AnswerOfLine, AnswerRegistry, CutRegistry, DeliverRegistry
from streams.ledger.commands import Instruct, Place, RegistryDelivered, RegistryDue, RegistryTerms
from streams.ledger.registry_answers import registry_words
from tests.builders import AT, NOW, OPERATOR_KID, a_payee, a_place, an_instruct, an_order
from tests.builders_clearing import Partitions

TERMS = RegistryTerms("tsv", "Europe/Moscow", "RUB")
FIRST = 10**15 + 1  # the number at the payee of the first payment that partition 0 holds


def some_terms(**changes: Any) -> OfflineTerms:
    """At a quarter past each midnight, as the field's text, into a directory."""
    values: dict[str, Any] = {"cut_off": "15 0 * * *", "form": "tsv", "delivery": FileDrop(directory="water")}
    return OfflineTerms(**values | changes)


def an_offline_payee(payee: str = "water", terms: OfflineTerms | None = None, **changes: Any) -> Payee:
    values: dict[str, Any] = {"name": "Waterworks", "gateway": "registry", "time_zone": "Europe/Moscow"}
    values |= {"served": "offline", "offline": terms or some_terms()}
    return a_payee(payee, **values | changes)


def place_offline(number: int = 1, payee: str = "water", **changes: Any) -> Place:
    """A payment of Ex. 1 to a payee that is served offline."""
    return a_place(an_order(number, payee=payee, **changes), payee=an_offline_payee(payee))


def cut(number: int = 1, payee: str = "water", terms: RegistryTerms | None = TERMS, **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"cut-{payee}-{number}", "issued_at": NOW, "payee": payee, "number": number}
    return _about(CutRegistry(**values | changes), terms)


def deliver(number: int = 1, payee: str = "water", **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"deliver-{payee}-{number}", "issued_at": NOW, "payee": payee, "number": number}
    return _about(DeliverRegistry(**values | {"evidence": "By courier, receipt 8"} | changes), TERMS)


def answer(
    *lines: tuple[int, int, bool], number: int = 1, payee: str = "water", reason: str = "", **changes: Any
) -> Instruct:
    """lines: number at the payee, minor units, accepted?"""
    said = tuple(
        AnswerOfLine(txn=txn, amount=amount, accepted=accepted, reason="" if accepted else reason or "No such contract")
        for txn, amount, accepted in lines
    )
    values: dict[str, Any] = {"id": f"answer-{payee}-{number}", "issued_at": NOW, "payee": payee, "number": number}
    return _about(AnswerRegistry(**values | {"answers": said} | changes), TERMS)


def registry_due(number: int = 1, payee: str = "water", due_at: int = AT) -> RegistryDue:
    return RegistryDue(registry_book(payee), payee, number, due_at, TERMS)


def registry_delivered(number: int = 1, payee: str = "water", how: str = "file water/water_000001.tsv") -> Any:
    return RegistryDelivered(registry_book(payee), payee, number, RegistryDelivery(how, 100, "0" * 64))


def words_by(entries: Iterable[Entry]) -> list[Instruct]:
    """What these entries say to other books, as it arrives there: signed by the workers' key."""
    return [_about(word, TERMS, SERVER_KID) for one in entries for word in registry_words(one)]


def _about(command: Any, terms: RegistryTerms | None, by: str = OPERATOR_KID) -> Instruct:
    made = an_instruct(command, by)
    return Instruct(made.book, made.command, made.digest, made.by, registry=terms)


class Offices(Partitions):
    """Trees, and payees' registries, on partitions of their own."""

    @classmethod
    def with_registries(cls, *commands: Any, trees: Iterable[str] = ("A",), payees: Iterable[str] = ("water",)) -> Any:
        return cls.of(*commands, trees=[*trees, *map(registry_book, payees)])

    def ask(self, command: Any) -> Any:
        decision = super().ask(command)
        if isinstance(decision, list):
            self.on_the_way += words_by(decision)
        return decision
