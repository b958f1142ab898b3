"""The day's payees that are not asked online: one of registries, which answers them line by line, and one of cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from console.client import Client
from console.demo import carry_out
from console.numbers import fresh_id
from console.signing import now
from console.stack import Stack
from schemas.entry import Entry, EntryKind
from schemas.offline import FileDrop, OfflineTerms
from schemas.payee import Payee, SubscriberField
from schemas.registry import RegistryLine
from schemas.registry_command import AnswerOfLine, AnswerRegistry, CutRegistry, DeliverRegistry
from streams.compacted import read_to_end
from streams.keyring import load_operator_key
from streams.topics import LEDGER
from tests.network import until

_FIELD = SubscriberField(name="account", title="Contract", pattern=r"9\d{9}")
CARD, GARDEN = (
    Payee(id="card", name="card", gateway="none", currency="RUB", fields=(_FIELD,), max_amount=50_000,
          denominations=(50_000,), served="vouchers"),
    Payee(id="garden", name="garden", gateway="registry", currency="RUB", fields=(_FIELD,), max_amount=100_000,
          served="offline", offline=OfflineTerms(cut_off="0 0 1 1 *", delivery=FileDrop(directory="garden"))),
)  # fmt: skip
# Fewer than will be asked for: the last are told that there is none.
CARDS = 30


@dataclass
class Shelf:
    """What was sold of the cards: serial -> payments, by the product's own entries and by the payments'."""

    sold: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Shelf:
        shelf = cls()
        for entry in entries:
            if entry.kind is EntryKind.VOUCHER_SOLD and entry.voucher is not None:
                shelf.sold.setdefault(entry.voucher.serial, []).append(entry.voucher.payment)
        return shelf

    def differences(self, posted: set[str]) -> list[str]:
        found = [f"{serial} was sold to {payments}" for serial, payments in self.sold.items() if len(payments) > 1]
        sold = {payment for payments in self.sold.values() for payment in payments}
        return [*found, *(f"{payment} is POSTED or sold, not both" for payment in sold ^ posted)]


@dataclass
class Garden:
    """The payee of registries has a book of its own: what it took, by our number."""

    stack: Stack
    rng: Random
    book: dict[int, tuple[str, int]] = field(default_factory=dict)

    def answers(self, has_rest: Callable[[], bool]) -> None:
        """Its registry is cut, delivered and answered, all but the lines that it will not have."""
        key = load_operator_key(self.stack.settings, "root")
        with Client(self.stack.settings, ["root"], many=True) as client:
            carry_out(client, [CutRegistry(id=fresh_id(), issued_at=now(), payee="garden", number=1)], key)
            delivered = DeliverRegistry(
                id=fresh_id(), issued_at=now(), payee="garden", number=1, evidence="by courier, receipt 8"
            )  # fmt: skip
            carry_out(client, [delivered], key)
            answers = tuple(self._answer(line) for line in self._lines())
            told = AnswerRegistry(id=fresh_id(), issued_at=now(), payee="garden", number=1, answers=answers)
            carry_out(client, [told], key)
        until("every line of the registry is answered", has_rest, 60)

    def _answer(self, line: RegistryLine) -> AnswerOfLine:
        if self.rng.random() < 0.1:
            return AnswerOfLine(txn=line.txn, amount=line.amount, accepted=False, reason="no such contract")
        self.book[line.txn] = next(iter(line.subscriber.values())), line.amount
        return AnswerOfLine(txn=line.txn, amount=line.amount, accepted=True)

    def _lines(self) -> list[RegistryLine]:
        read = (Entry.decode(message.value() or b"") for message in read_to_end(self.stack.settings, LEDGER))
        return [one.registry.line for one in read if one.registry is not None and one.registry.line is not None]
