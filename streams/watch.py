"""What a partition's fold says that a person should know now: looked at after each entry, and from time to time.

The alert that an entry causes is written in the entry's own transaction; what time alone brings about, in one of its
own. Between its threshold and where it is over, an alert that was told is not told again (hysteresis).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.alert import Alert
from schemas.contact import Contact
from schemas.entry import Entry
from schemas.payee import Payee
from streams.ledger.state import State
from streams.open_alerts import OpenAlerts
from streams.settings import Settings
from streams.watch_agents import Funds, Limits
from streams.watch_cash import shortages
from streams.watch_gateways import Answers
from streams.watch_registries import registries_late
from streams.watch_statements import statement_over
from streams.watch_unclear import Unclear
from streams.watch_vouchers import Stocks
from streams.watch_waiting import long_waiting


class Watch:
    """One partition's. It lives and dies with the fold it looks at; only what is open survives it, on its topic."""

    def __init__(
        self,
        settings: Settings,
        partition: int,
        contacts: Mapping[str, Contact],
        payees: Mapping[str, Payee] = MappingProxyType({}),
    ) -> None:
        """contacts, payees: by id, kept up to date by whoever gives them."""
        self._settings = settings
        self._partition = partition
        self._open = OpenAlerts()
        self._funds = Funds(self._open, contacts)
        self._limits = Limits(self._open, settings.limit_quiet_s * 1000)
        self._answers = Answers(self._open, settings, partition)
        self._stocks = Stocks(self._open, payees)
        self._unclear = Unclear(self._open)

    def recover(self) -> None:
        """Learn what was told before, after the fence. Raises KafkaException and TopicUnreadable."""
        self._open.recover(self._settings, self._partition)

    def entry(self, state: State, entry: Entry) -> list[Alert]:
        """What the entry, which was just folded in, leads to."""
        alerts = self._funds.entry(state, entry) if entry.legs or entry.agent is not None else []
        if entry.payment is not None:
            alerts += self._limits.entry(entry, entry.payment)
            alerts += self._answers.entry(entry, entry.payment)
            alerts += statement_over(self._open, entry, entry.payment)
        if entry.cash is not None:
            alerts += shortages(entry, entry.cash, self._settings.shortage_above)
        if entry.voucher is not None:
            alerts += self._stocks.entry(state, entry)
        return alerts

    def tell(self, alert: Alert) -> list[Alert]:
        """What somebody else has noticed, unless it is open."""
        return [] if self._open.find(alert.kind, alert.subject) is not None else [self._open.begin(alert)]

    def look(self, state: State, at: int) -> list[Alert]:
        """What has come of time, and of contacts that were changed; at: ms UTC."""
        after_ms = self._settings.unknown_alert_s * 1000
        waiting_ms = self._settings.waiting_alert_s * 1000
        alerts = [*self._funds.look(state, at), *self._unclear.look(state, at, after_ms)]
        alerts += self._stocks.look(state, at)
        late_ms, answer_ms = self._settings.registry_late_s * 1000, self._settings.registry_answer_s * 1000
        alerts += registries_late(self._open, state, at, late_ms, answer_ms)
        return [*alerts, *long_waiting(self._open, state, at, waiting_ms)]
