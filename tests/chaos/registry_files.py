"""Registries as their payee finds them: files, whose lines it answers, each with what it always says of that line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from console.demo_network import CURRENCY
from schemas.money import Money
from schemas.registry_command import AnswerOfLine, AnswerRegistry
from schemas.reply import Reply
from tests.chaos.other_payees import HEATING, takes

_AT_ONCE = 50  # lines: well within what a signed command may be


class FileLine(NamedTuple):
    """amount: minor units."""

    txn: int
    account: str
    amount: int


def number_of(name: str) -> int:
    """Of a file: "heating_000012.tsv" is registry 12."""
    return int(name.removesuffix(".tsv").rpartition("_")[2])


def lines_of(content: bytes) -> list[FileLine]:
    """Raises ValueError for what is no whole registry."""
    *rows, total = content.decode().splitlines()
    found = []
    for row in rows:
        txn, _, account, amount = row.split("\t")
        found.append(FileLine(int(txn), account, Money.parse(amount, CURRENCY).minor))
    word, count, amount = total.split("\t")
    if (word, int(count), amount) != ("Total:", len(found), str(Money(sum(one.amount for one in found), CURRENCY))):
        raise ValueError(f"the last line says {total!r}")
    return found


def files_in(directory: Path) -> dict[str, bytes]:
    """Every registry that was delivered there, by its name."""
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.tsv"))}


@dataclass
class RegistryPayee:
    """Takes each name once, and answers its lines: again where that is refused, since it is not delivered yet."""

    directory: Path
    new_id: Callable[[], str]
    has: Callable[[str, bytes], None]  # is told name and content of each file when it is first there
    newest: int = 0  # number of the newest registry it has
    _seen: set[str] = field(default_factory=set)
    _said: dict[str, AnswerRegistry] = field(default_factory=dict)
    _again: list[AnswerRegistry] = field(default_factory=list)

    def answers(self) -> Iterator[AnswerRegistry]:
        """What it says now."""
        again, self._again = self._again, []
        for one in again:
            yield self._remembered(one.model_copy(update={"id": self.new_id()}))
        for path in sorted(self.directory.glob("*.tsv")):
            if path.name not in self._seen:
                self._seen.add(path.name)
                content = path.read_bytes()
                self.has(path.name, content)
                yield from self._answer(number_of(path.name), lines_of(content))

    def told(self, reply: Reply) -> None:
        said = self._said.pop(reply.id, None)
        if said is not None and reply.state == "REFUSED":
            self._again.append(said)

    def _answer(self, number: int, lines: list[FileLine]) -> Iterator[AnswerRegistry]:
        self.newest = max(self.newest, number)
        said = [AnswerOfLine(txn=one.txn, amount=one.amount, accepted=takes(one.txn)) for one in lines]
        for start in range(0, len(said), _AT_ONCE):
            answers = tuple(said[start : start + _AT_ONCE])
            yield self._remembered(AnswerRegistry(
                id=self.new_id(), issued_at=datetime.now(UTC), payee=HEATING, number=number, answers=answers
            ))  # fmt: skip

    def _remembered(self, said: AnswerRegistry) -> AnswerRegistry:
        self._said[said.id] = said
        return said
