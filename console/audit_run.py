"""The whole audit, from the first look at Kafka to the last row of the warehouse."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from console.audit_agents import AgentAudit
from console.audit_arrivals import Arrivals, Origin, Quarantine, command_of, made_up, payment_of
from console.audit_cash import CashAudit
from console.audit_charts import CHART_BOOKS, ChartAudit
from console.audit_clearing import ClearingAudit
from console.audit_core import CoreFold, compare_balances
from console.audit_corrections import CorrectionAudit
from console.audit_fees import FeeAudit
from console.audit_ledger import LedgerAudit
from console.audit_limits import LimitAudit
from console.audit_payee import GatewayAddresses, PayeeAudit, books
from console.audit_payments import PaymentAudit
from console.audit_reading import Record, Span, committed, read, spans
from console.audit_registries import RegistryAudit
from console.audit_replays import Replays
from console.audit_report import CATALOGUE, Check, Report
from console.audit_tariffs import TARIFF_BOOKS, TariffAudit
from console.audit_vouchers import VoucherAudit
from console.audit_warehouse import Ends, WarehouseAudit
from console.audit_windows import WindowAudit
from schemas.entry import Entry
from sinks.warehouse import connect
from streams.compacted import read_all
from streams.settings import Settings
from streams.topics import BALANCES, CHECKS, COMMANDS, LEDGER, PAYMENTS, REJECTS, REPLAYS

_BALANCES_S = 60.0

Passed = dict[str, dict[int, int]]


# Is told what is being looked at, and how many things of it were.
Watching = Callable[[str, int], None]


def _unwatched(what: str, count: int) -> None:
    pass


class Audit:
    """One audit. Everything is read after the workers' offsets, so that what they have passed must be there."""

    def __init__(self, settings: Settings, watching: Watching = _unwatched) -> None:
        self._settings = settings
        self._watching = watching
        self._readable = Check("ledger.readable")
        self._spans: dict[int, Span] = {}
        self._partitions: list[int] = []
        self._ends = Ends()
        self._gateways = GatewayAddresses()
        self.ledger = LedgerAudit()
        self.payments = PaymentAudit()
        self.agents = AgentAudit(self.ledger)
        self.limits = LimitAudit()
        self.tariffs = TariffAudit()
        self.windows = WindowAudit(self.ledger)
        self.clearing = ClearingAudit(self.ledger)
        self.charts = ChartAudit()
        self.cash = CashAudit()
        self.fees = FeeAudit(self.ledger)
        self.corrections = CorrectionAudit()
        self.vouchers = VoucherAudit(self.ledger)
        self.registries = RegistryAudit()
        self.core = CoreFold()

    def run(self, simulator: str | None, wait_s: float) -> list[Check]:
        began_at = time.time_ns() // 1_000_000
        client = connect(self._settings)
        try:
            self._spans = spans(self._settings, LEDGER)
            self._partitions = sorted(self._spans)
            passed = {topic.name: committed(self._settings, topic) for topic in (PAYMENTS, COMMANDS)}
            self._read_ledger()
            checks = [*self._ledger_checks(), self._balances(), *self._arrivals(passed)]
            checks += self._warehouse(WarehouseAudit(self._settings, client, self._partitions, self._ends), wait_s)
        finally:
            client.close()
        return checks + (self._payees(simulator, began_at) if simulator else [])

    def _read_records(self) -> None:
        """A payment may stand on a partition that is read before its tariff's, a window before its chart's."""
        unread = Check("ledger.readable")  # counted when the ledger itself is read
        for partition in self._partitions:
            for record in self._counted("tariffs and charts", read(self._settings, LEDGER, partition)):
                is_wanted = record.key is not None and record.key.startswith((TARIFF_BOOKS, CHART_BOOKS))
                if is_wanted and (entry := entry_of(record, unread)) is not None:
                    self.tariffs.learn(entry)
                    self.charts.learn(entry)

    def _read_ledger(self) -> None:
        self._read_records()
        for partition in self._partitions:
            self.core.begin(partition, self.ledger, self.payments)
            for record in self._counted("ledger", read(self._settings, LEDGER, partition)):
                if (entry := entry_of(record, self._readable)) is not None:
                    self._see(partition, record.offset, entry)
            self.core.end(self.ledger, self.payments)

    def _see(self, partition: int, offset: int, entry: Entry) -> None:
        self.ledger.see(partition, offset, entry)
        self.payments.see(partition, offset, entry)
        self.agents.see(partition, offset, entry)
        self.limits.see(partition, offset, entry)
        self.tariffs.see(partition, offset, entry, self.ledger)
        self.windows.see(partition, offset, entry)
        self.clearing.see(partition, offset, entry)
        self.charts.see(partition, offset, entry)
        self.cash.see(partition, offset, entry)
        self.fees.see(partition, offset, entry)
        self.corrections.see(partition, offset, entry)
        self.vouchers.see(partition, offset, entry)
        self.registries.see(partition, offset, entry)
        self.core.see(partition, offset, entry)
        self._gateways.see(entry)
        self._ends.reached("entries", partition, offset)
        if entry.legs:
            self._ends.reached("legs", partition, offset)
        if entry.payment is not None:
            self._ends.reached("payment_states", partition, offset)

    def _ledger_checks(self) -> list[Check]:
        ours = [*self.ledger.checks(), *self.payments.checks(self.ledger), *self.windows.checks(), self.tariffs.check]
        ours += [*self.clearing.checks(), self.charts.check, self.fees.check, self.cash.check]
        ours += [self.corrections.check, *self.vouchers.checks(), *self.registries.checks()]
        return [self._readable, *ours, *self.agents.checks(), *self.limits.checks(), self.core.check]

    def _balances(self) -> Check:
        table = read_all(self._settings, BALANCES, _BALANCES_S)
        return compare_balances(table, self.ledger, at_rest=spans(self._settings, LEDGER) == self._spans)

    def _arrivals(self, passed: Passed) -> list[Check]:
        quarantine, replays = Quarantine(), Replays()
        for record in self._counted("replays", read(self._settings, REPLAYS, 0)):
            replays.see(record)
        for record in replays.rejects(self._counted("rejects", read(self._settings, REJECTS, 0))):
            quarantine.see(record)
            self._ends.reached("rejects", 0, record.offset)
        orders = Arrivals(PAYMENTS.name, payment_of, self.payments.payments, quarantine, passed[PAYMENTS.name])
        commands = Arrivals(COMMANDS.name, command_of, self.payments.commands, quarantine, passed[COMMANDS.name])
        sources = []
        for topic, source in ((PAYMENTS, orders), (COMMANDS, commands)):
            there = spans(self._settings, topic)
            for partition in there:
                records = self._counted(topic.name, read(self._settings, topic, partition))
                source.see(replays.messages(topic.name, records))
            sources.append((source, there))
        origins = {(source.topic, partition): span for source, there in sources for partition, span in there.items()}
        origins |= self._checks_before_payment(quarantine)
        found = [orders.finish(), commands.finish(), made_up(sources), quarantine.finish(origins)]
        return [*found, replays.finish(origins)]

    def _checks_before_payment(self, quarantine: Quarantine) -> dict[Origin, Span]:
        """Nothing is decided about them, but some are in quarantine. Spans are looked at last: they soon expire."""
        places = quarantine.partitions_from(CHECKS.name)
        for partition in places:
            for record in self._counted(CHECKS.name, read(self._settings, CHECKS, partition)):
                quarantine.has(CHECKS.name, record)
        there = spans(self._settings, CHECKS) if places else {}
        return {(CHECKS.name, partition): there[partition] for partition in places}

    def _warehouse(self, warehouse: WarehouseAudit, wait_s: float) -> list[Check]:
        self._watching("waiting for the warehouse", 0)
        behind = warehouse.wait(wait_s)
        entries, legs = warehouse.ledger_rows(self._counter("entries in the warehouse"))
        entries.note = behind
        self._watching("payments in the warehouse", len(self.payments.index))
        found = [entries, legs, warehouse.payments(self.payments.index)]
        return [*found, warehouse.rejects(), warehouse.trial_balance(self.ledger)]

    def _payees(self, simulator: str, began_at: int) -> list[Check]:
        audit = PayeeAudit(self.payments.index, self._gateways.at(simulator), began_at)
        for paid in books(simulator):
            audit.see(paid)
        return audit.checks()

    def _counted(self, what: str, records: Iterator[Record]) -> Iterator[Record]:
        count = self._counter(what)
        for record in records:
            yield record
            count(1)

    def _counter(self, what: str) -> Callable[[int], None]:
        seen = 0

        def count(more: int) -> None:
            nonlocal seen
            seen += more
            if seen % 10_000 == 0:
                self._watching(what, seen)

        return count


def entry_of(record: Record, check: Check) -> Entry | None:
    """The entry a ledger record is; None, and a failure of the check, when it is none."""
    check.looked_at += 1
    place = f"partition {record.partition} offset {record.offset}"
    try:
        entry = Entry.decode(record.value or b"")
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]
        check.fail(f"{place}: not an entry: {' '.join([*map(str, why['loc']), why['msg']])}")
        return None
    if record.key != entry.book.encode():
        check.fail(f"{place}: entry of book {entry.book} under the key {record.key!r}")
    return entry


def run_audit(settings: Settings, *, simulator: str | None, wait_s: float, watching: Watching = _unwatched) -> Report:
    """Audit what these settings lead to. wait_s: how long the warehouse may take to reach the ledger's end, seconds.

    Raises KafkaException, TopicUnreadable, WarehouseAway, WarehouseRefused, NoSimulator when it cannot look.
    """
    started = time.monotonic()
    order = list(CATALOGUE)
    with _few_collections():
        checks = Audit(settings, watching).run(simulator, wait_s)
    checks.sort(key=lambda check: order.index(check.name))
    return Report(checks, time.monotonic() - started)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Entries come and go by the thousand and have no cycles for the garbage collector to find."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
