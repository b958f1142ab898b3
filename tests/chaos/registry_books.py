"""Registries in the end: each queued payment has one line in one file, and ends as its payee answered to that line."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.registry import RegistryDelivery, RegistryNote
from tests.chaos.findings import DIVERGENCE, DOUBLED, LOST, PAYEE, Findings
from tests.chaos.other_payees import takes
from tests.chaos.registry_files import FileLine, lines_of, number_of


class PaidByRegistry:
    """Of the one payee there is. Feed it all entries of all partitions, in any order of partitions, then finish."""

    def __init__(self) -> None:
        self.lines = 0
        self._queued: dict[int, tuple[str, FileLine]] = {}  # by number: payment, what its line must say
        self._ended: dict[int, bool] = {}  # was it posted?
        self._registry: dict[int, int] = {}  # the one that has its line
        self._answers: dict[int, bool] = {}
        self._deliveries: dict[int, RegistryDelivery] = {}

    def see(self, entry: Entry, wrong: Findings) -> None:
        if entry.registry is not None:
            self._see_registry(entry.registry, wrong)
        if (facts := entry.payment) is not None and facts.served == "offline":
            self._see_payment(entry.kind, facts)

    def finish(self, files: Mapping[str, bytes], first: Mapping[str, str], wrong: Findings) -> None:
        """All is calm: what one book has said the other has heard.

        files: what the payee was brought, by name. first: SHA-256 of each as it was when it was first there.
        """
        for txn, (payment, _) in self._queued.items():
            if txn not in self._registry:
                wrong.add(LOST, f"payment {payment} is queued, and no registry has it")
        for txn, number in self._registry.items():
            if txn not in self._queued:
                wrong.add(DIVERGENCE, f"registry {number} has line {txn}, and no payment was queued under it")
        for txn, is_accepted in self._answers.items():
            self._compare(txn, is_accepted, wrong)
        for txn in self._ended.keys() - self._answers.keys():
            wrong.add(DIVERGENCE, f"{self._name(txn)} has ended, and its payee never answered")
        for name, sha in first.items():
            if name not in files or sha256(files[name]).hexdigest() != sha:
                wrong.add(DOUBLED, f"{name} was another file when it was first there")
        self._read(files, wrong)

    def _see_registry(self, note: RegistryNote, wrong: Findings) -> None:
        if note.line is not None:
            self.lines += 1
            number = self._registry.setdefault(note.line.txn, note.number)
            if number != note.number:
                wrong.add(DOUBLED, f"payment {note.line.payment} is in registries {number} and {note.number}")
        if note.delivery is not None:
            self._deliveries[note.number] = note.delivery
        self._answers |= {one.txn: one.accepted for one in note.answers}

    def _see_payment(self, kind: EntryKind, facts: PaymentFacts) -> None:
        if kind is EntryKind.QUEUED:
            account = next(iter(facts.subscriber.values()))
            self._queued[facts.txn] = facts.id, FileLine(facts.txn, account, facts.amount)
        elif kind in (EntryKind.POSTED, EntryKind.VOIDED):
            self._ended[facts.txn] = kind is EntryKind.POSTED

    def _compare(self, txn: int, is_accepted: bool, wrong: Findings) -> None:
        if is_accepted != takes(txn):
            wrong.add(PAYEE, f"{self._name(txn)} is not answered on the ledger as its payee answers")
        elif txn not in self._ended:
            wrong.add(LOST, f"{self._name(txn)} was answered by its payee, and has not ended")
        elif self._ended[txn] != is_accepted:
            wrong.add(DIVERGENCE, f"{self._name(txn)} ended otherwise than its payee answered")

    def _read(self, files: Mapping[str, bytes], wrong: Findings) -> None:
        met: dict[int, int] = {}
        there = {number_of(name): content for name, content in files.items()}
        for number, content in there.items():
            delivery = self._deliveries.get(number)
            if delivery is not None and delivery.sha256 != sha256(content).hexdigest():
                wrong.add(PAYEE, f"registry {number} is another file than the ledger says was delivered")
            for line in _lines(number, content, wrong):
                if (before := met.setdefault(line.txn, number)) != number:
                    wrong.add(DOUBLED, f"{self._name(line.txn)} is in the files of registries {before} and {number}")
                _, due = self._queued.get(line.txn, ("", None))
                if line != due or self._registry.get(line.txn) != number:
                    wrong.add(PAYEE, f"registry {number} brings line {line}, which the ledger has not so")
        for number, delivery in self._deliveries.items():
            if number not in there:
                wrong.add(PAYEE, f"registry {number} was delivered ({delivery.how}), and the payee has it not")
        for txn, number in self._registry.items():
            if number in there and txn not in met:
                wrong.add(PAYEE, f"{self._name(txn)} is not in the file of registry {number}")

    def _name(self, txn: int) -> str:
        return f"payment {self._queued[txn][0]}" if txn in self._queued else f"the payment with number {txn}"


def _lines(number: int, content: bytes, wrong: Findings) -> list[FileLine]:
    try:
        return lines_of(content)
    except ValueError as error:
        wrong.add(PAYEE, f"registry {number} is no whole file: {error}")
        return []
