"""Every closed window can be posted: the chart that was in force has a number for each account in it. Pure.

Read from the entries' records alone, with none of the exporter's code.
"""

from __future__ import annotations

from typing import Any

from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry

CHART_BOOKS = b"charts/"  # how the keys of their books begin
_COMMON = "charts/_common"


class ChartAudit:
    """First `learn` every chart there was, each book's in its order, then `see` every entry."""

    def __init__(self) -> None:
        self._check = Check("postings.charts")
        self._versions: dict[str, list[tuple[int, dict[str, Any]]]] = {}  # book -> when it was set, ms UTC, and it
        self._unposted = 0

    @property
    def check(self) -> Check:
        """Windows closed before there was a chart are counted in its note: nobody wanted them posted."""
        self._check.note = f"{self._unposted} windows were closed before there was a chart" if self._unposted else ""
        return self._check

    def learn(self, entry: Entry) -> None:
        if entry.record is not None and entry.record.table == "charts":
            self._versions.setdefault(entry.book, []).append((entry.at, entry.record.value))

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        window = entry.window
        if window is None or window.subject:
            return
        chart = self._in_force(entry)
        if chart is None:
            self._unposted += 1
            return
        for one in window.positions:
            self._check.looked_at += 1
            kind, _, _ = one.account.partition(":")
            if one.last >= one.first and not chart["accounts"].get(one.currency, {}).get(kind):
                self._check.fail(
                    f"{where(partition, offset, entry)}: window {window.number}: account {one.account} {one.currency} "
                    f"has no number in version {chart['version']} of the chart that was in force"
                )

    def _in_force(self, entry: Entry) -> dict[str, Any] | None:
        for book in (f"charts/{entry.book}", _COMMON):
            set_before = [chart for at, chart in self._versions.get(book, ()) if at <= entry.at]
            if set_before:
                return set_before[-1]
        return None
