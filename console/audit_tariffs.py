"""The prices of held payments, worked out again from the tariffs on the ledger. Pure."""

from __future__ import annotations

import orjson

from console.audit_ledger import LedgerAudit, where
from console.audit_prices import worked_out
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.tariff import Tariff

TARIFF_BOOKS = b"tariffs/"  # how the keys of their books begin


class TariffAudit:
    """First `learn` every tariff there was, then `see` every entry, each after the LedgerAudit has seen it."""

    def __init__(self) -> None:
        self.check = Check("payments.prices")
        self._versions: dict[tuple[str, int], Tariff] = {}

    def learn(self, entry: Entry) -> None:
        record = entry.record
        if record is not None and record.table == "tariffs":
            tariff = Tariff.model_validate_json(orjson.dumps(record.value))
            self._versions[tariff.payee, tariff.version] = tariff

    def see(self, partition: int, offset: int, entry: Entry, ledger: LedgerAudit) -> None:
        facts = entry.payment
        if entry.kind is not EntryKind.HELD or facts is None:
            return
        self.check.looked_at += 1
        if wrong := self._wrong(entry, facts, ledger):
            self.check.fail(f"{where(partition, offset, entry)}: payment {facts.id} {wrong}")

    def _wrong(self, entry: Entry, facts: PaymentFacts, ledger: LedgerAudit) -> str:
        """Offline and late payments are priced by when they were made: the payer was told the fee then."""
        found = (facts.tariff_rule, facts.fee, facts.processing, facts.rewards)
        tariff = self._versions.get((facts.payee, facts.tariff_version))
        if tariff is None:
            if facts.tariff_version:
                return f"is priced by tariff {facts.tariff_version} of {facts.payee}, which is not on the ledger"
            should: tuple[object, ...] = ("", 0, 0, ())
        else:
            line = [terms.agent for terms in ledger.chain_of(entry.book, facts.agent)]
            at = min(facts.made_at, facts.received_at) if facts.collected else facts.received_at
            should = worked_out(tariff, line, entry.book, facts.amount, facts.fee, at)
        names = ("rule", "fee", "processing", "rewards")
        return "; ".join(
            f"has {name} {there!r}, should have {right!r}"
            for name, there, right in zip(names, found, should, strict=True)
            if there != right
        )
