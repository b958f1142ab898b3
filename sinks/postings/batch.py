"""A closed window of a tree as one batch of postings: a CSV that is the same whenever and wherever it is made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from schemas.account_kinds import kind_of
from schemas.chart import Chart
from schemas.ids import instant_ms, ms_instant
from schemas.money import Money
from schemas.window import WindowPosition
from sinks.postings.charts import chart_in_force
from sinks.postings.entries import PostedEntry, entries_of
from sinks.postings.errors import NotMapped
from sinks.postings.pairs import Pair, pairs
from sinks.postings.proof import Proof
from sinks.postings.purposes import purpose
from sinks.settlement.instructions import payout_reference
from sinks.settlement.tables import line_of
from sinks.settlement.windows import ClosedWindow, find_window, positions_of
from sinks.warehouse import rows

COLUMNS = (
    "batch", "entry", "operation_date", "value_date", "document", "debit", "credit", "amount", "currency", "purpose",
    "payment", "branch", "reversal_of",
)  # fmt: skip

_ROOT = """
SELECT argMax(terms_time_zone, entry_seq), argMax(terms_currency, entry_seq) FROM entries FINAL
WHERE book = {tree:String} AND terms_agent = {tree:String} AND entry_seq <= {last:Int64}
"""


@dataclass(slots=True)
class Totals:
    """Of one currency; minor units. debit and credit are added up from the legs, amount from the postings."""

    count: int = 0
    debit: int = 0
    credit: int = 0
    amount: int = 0


@dataclass(frozen=True)
class Batch:
    """What is to be posted. zone: the tree's. totals: by currency, filled while `lines` are read."""

    client: Client
    window: ClosedWindow
    positions: list[WindowPosition]
    chart: Chart
    zone: ZoneInfo
    totals: dict[str, Totals] = field(default_factory=lambda: defaultdict(Totals))

    def lines(self) -> Iterator[str]:
        """The file, a line at a time: header, postings, and for each currency a trailer with count and control sums.

        Raises PostingsDiffer, also at the end: write nothing that cannot be taken back before it has ended.
        """
        proof = Proof(f"window {self.window.number} of {self.window.subject}", self.positions)
        yield line_of(COLUMNS)
        for entry in entries_of(self.client, self.window):
            for leg in entry.legs:
                proof.see(leg)
                totals = self.totals[leg.currency]
                totals.debit += max(0, -leg.amount)
                totals.credit += max(0, leg.amount)
            for pair in pairs((leg.account, leg.currency, leg.amount) for leg in entry.legs):
                self.totals[pair.currency].count += 1
                self.totals[pair.currency].amount += pair.amount
                yield line_of(self._posting(entry, pair))
        proof.end()
        for currency, totals in sorted(self.totals.items()):
            sums = (Money(minor, currency) for minor in (totals.debit, totals.credit, totals.amount))
            yield line_of(("Total:", totals.count, "", "", "", *sums, currency, "", "", "", ""))

    def _posting(self, entry: PostedEntry, pair: Pair) -> tuple[object, ...]:
        payee = entry.settled[1] if entry.settled is not None else entry.payee
        return (
            f"{self.window.tree}.{self.window.number}",
            entry.seq,
            f"{ms_instant(entry.at).astimezone(self.zone):%d.%m.%Y}",
            f"{self.window.closed_at.astimezone(self.zone):%d.%m.%Y}",
            self._document(entry, pair),
            self._number(pair.debit, pair.currency),
            self._number(pair.credit, pair.currency),
            Money(pair.amount, pair.currency),
            pair.currency,
            purpose(entry.kind, entry.payment, payee, pair.debit, pair.credit),
            entry.payment,
            self.chart.branch,
            entry.takes_back or "",
        )

    def _document(self, entry: PostedEntry, pair: Pair) -> str:
        """Of a payout the reference under which it is paid, so that the bank's statement and this meet."""
        if entry.settled is not None:
            number, payee = entry.settled
            return payout_reference(self.window.tree, payee, number, pair.currency)
        return entry.document or entry.payment or entry.cause

    def _number(self, account: str, currency: str) -> str:
        number = self.chart.number(kind_of(account), currency)
        if number is None:
            raise not_mapped(self.chart, account, currency)
        return number


def batch_of(client: Client, tree: str, number: int) -> Batch:
    """Ready to be written: the window is closed, a chart was in force, and it has a number for whatever moved.

    Raises NotClosed, NoChart, NotMapped, WarehouseAway.
    """
    window = find_window(client, tree, "", number)
    chart = chart_in_force(client, tree, instant_ms(window.closed_at))
    positions = positions_of(client, window)
    for one in positions:
        if one.last >= one.first and chart.number(kind_of(one.account), one.currency) is None:
            raise not_mapped(chart, one.account, one.currency)
    ((zone, currency),) = rows(client, _ROOT, {"tree": tree, "last": window.last_entry})
    totals: dict[str, Totals] = defaultdict(Totals)
    for name in {one.currency for one in positions} or {str(currency)}:
        totals[name] = Totals()
    return Batch(client, window, positions, chart, ZoneInfo(str(zone) or "UTC"), totals)


def not_mapped(chart: Chart, account: str, currency: str) -> NotMapped:
    whose = f"of tree {chart.tree}" if chart.tree else "of all trees"
    return NotMapped(
        f"version {chart.version} of the chart {whose}, in force when the window was closed, has no {currency} account "
        f"for {kind_of(account)}"
    )
