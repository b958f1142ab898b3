"""Periodic fees of agents, checked from the entries alone: each period once, in order, and for the right sum. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from console.audit_ledger import LedgerAudit, where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind
from schemas.plan import Charge

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FeeAudit:
    """Sees every entry once, each partition in its order, after `ledger` has seen it."""

    def __init__(self, ledger: LedgerAudit) -> None:
        self.check = Check("agents.fees")
        self._ledger = ledger
        self._last: dict[tuple[str, str, str], str] = {}  # book, plan, agent -> the last period charged

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        if (entry.kind is EntryKind.FEE_CHARGED) != (entry.charge is not None):
            self.check.fail(f"{where(partition, offset, entry)}: names {'a' if entry.charge else 'no'} fee")
        elif entry.charge is not None:
            self.check.looked_at += 1
            for wrong in self._wrong(entry, entry.charge):
                self.check.fail(f"{where(partition, offset, entry)}: plan {entry.charge.plan} {wrong}")

    def _wrong(self, entry: Entry, one: Charge) -> Iterator[str]:
        key = (entry.book, one.plan, one.agent)
        last = self._last.get(key, "")
        self._last[key] = max(last, one.period)
        if one.period <= last:
            yield f"charged agent {one.agent} for {one.period}, after {last}"
        elif one.period != (due := max(one.since, _after(last)) if last else one.since):
            yield f"charged agent {one.agent} for {one.period}, and {due} was next"
        chain = self._ledger.chain_of(entry.book, one.agent)
        if not chain or chain[0].status == "closed":
            yield f"charged {one.agent}, which is no agent at work"
            return
        moment = (_EPOCH + timedelta(milliseconds=entry.at)).astimezone(ZoneInfo(chain[-1].time_zone))
        if _begins(one.period) > moment.date():
            yield f"charged agent {one.agent} for {one.period} on {moment.date()}"
        payer = next((terms.agent for terms in chain if terms.funding == "own"), "")
        if one.payer != payer:
            yield f"charged {one.payer} for agent {one.agent}, which spends the money of {payer or 'nobody'}"
        amount = one.fixed + one.per_terminal * one.terminals
        moved = [(leg.account, leg.currency, leg.amount) for leg in entry.legs]
        due_legs = [(f"agent:{payer}", one.currency, -amount), ("agent-fees", one.currency, amount)] if amount else []
        if one.amount != amount or moved != due_legs:
            yield f"costs agent {one.agent} {amount} {one.currency}, says {one.amount} and moved {moved}"


def _begins(period: str) -> date:
    """The first day of a month, an ISO week or a day."""
    if "W" in period:
        return date.fromisocalendar(int(period[:4]), int(period[-2:]), 1)
    return date.fromisoformat(period if period.count("-") == 2 else f"{period}-01")


def _after(period: str) -> str:
    """The name of the next one."""
    begins = _begins(period)
    if "W" in period:
        year, week, _ = (begins + timedelta(days=7)).isocalendar()
        return f"{year:04}-W{week:02}"
    if period.count("-") == 2:
        return str(begins + timedelta(days=1))
    return f"{begins.year + begins.month // 12:04}-{begins.month % 12 + 1:02}"
