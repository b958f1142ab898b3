"""Alerts about agents: little is left to spend (LOW_BALANCE), and payments are refused for it (LIMIT_HIT)."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.alert import Alert, AlertKind, Severity
from schemas.contact import Contact, contact_id
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.ids import ms_instant
from schemas.money import Money
from schemas.refusal import Refusal
from streams.ledger.balances import touched_agents
from streams.ledger.standing import CLOSED
from streams.ledger.state import AgentState, State
from streams.open_alerts import OpenAlerts

_REFUSED = frozenset(
    refusal.code
    for refusal in (
        Refusal.TERMINAL_MAXIMUM,
        Refusal.DAILY_LIMIT,
        Refusal.AGENT_LACKS_FUNDS,
        Refusal.UPSTREAM_LACKS_FUNDS,
    )
)
_NOT_HELD = {EntryKind.DECLINED: "was refused", EntryKind.WAITING_FUNDS: "waits for funds"}


class Funds:
    """LOW_BALANCE begins below the contact's `low_balance` and is over a tenth above it.

    An agent that spends the money of the one above it has none of its own to watch. What is watched is its balance in
    its tree's own currency.
    """

    def __init__(self, opened: OpenAlerts, contacts: Mapping[str, Contact]) -> None:
        self._open = opened
        self._contacts = contacts

    def entry(self, state: State, entry: Entry) -> list[Alert]:
        """After an entry that moved money or changed terms."""
        alerts = []
        for agent in sorted({agent for agent, _ in touched_agents(state.books[entry.book], entry)}):
            alerts += self._agent(state, entry.book, agent, entry.at)
        return alerts

    def look(self, state: State, at: int) -> list[Alert]:
        """After thresholds were changed; at: ms UTC."""
        watched = [one.id for one in list(self._contacts.values()) if one.low_balance]
        begun = [alert.subject for alert in self._open.of(AlertKind.LOW_BALANCE)]
        alerts = []
        for subject in dict.fromkeys([*watched, *begun]):
            tree, _, agent = subject.partition("/")
            alerts += self._agent(state, tree, agent, at)
        return alerts

    def _agent(self, state: State, tree: str, agent: str, at: int) -> list[Alert]:
        subject = contact_id(tree, agent)
        contact, begun = self._contacts.get(subject), self._open.find(AlertKind.LOW_BALANCE, subject)
        threshold = contact.low_balance if contact is not None else 0
        book = state.books.get(tree) if threshold or begun is not None else None
        found = book.agents.get(agent) if book is not None else None
        if found is None:
            return []
        if found.status == CLOSED:  # it has nothing, and needs nothing
            threshold = 0
        left = Money(found.available, found.currency)
        if begun is None:
            if found.funding != "own" or found.available >= threshold:
                return []
            return [self._open.begin(_low(tree, found, left, threshold, at))]
        if not threshold:
            return [self._open.end(begun, f"the balance of agent {agent} of tree {tree} is not watched any more", at)]
        if found.available < threshold + threshold // 10:
            return []
        text = f"agent {agent} of tree {tree} has {left} {left.currency} available again"
        return [self._open.end(begun, text, at)]


def _low(tree: str, agent: AgentState, left: Money, threshold: int, at: int) -> Alert:
    low = Money(threshold, agent.currency)
    return Alert(
        kind=AlertKind.LOW_BALANCE,
        subject=contact_id(tree, agent.id),
        agent=agent.id,
        severity=Severity.WARNING,
        text=f"agent {agent.id} of tree {tree} has {left} {left.currency} available, which is below {low}",
        at=ms_instant(at),
        since=ms_instant(at),
        tree=tree,
    )


class Limits:
    """LIMIT_HIT begins with the first payment that is refused, or waits for funds; and is over when one passes after
    `quiet_ms` without such a refusal.

    Without the quiet, large payments refused between small ones that pass would be an alert each.
    """

    def __init__(self, opened: OpenAlerts, quiet_ms: int) -> None:
        self._open = opened
        self._quiet_ms = quiet_ms
        # (refusals, time of the last) of what is open, since it was recovered.
        self._refused: dict[str, tuple[int, int]] = {}

    def entry(self, entry: Entry, facts: PaymentFacts) -> list[Alert]:
        if entry.kind in _NOT_HELD and entry.refusal in _REFUSED:
            return self._hit(entry, facts)
        if entry.kind is EntryKind.HELD:
            return self._passed(entry, facts)
        return []

    def _hit(self, entry: Entry, facts: PaymentFacts) -> list[Alert]:
        subject = contact_id(entry.book, facts.agent)
        begun = self._open.find(AlertKind.LIMIT_HIT, subject)
        before, _ = self._refused.get(subject, (begun.count if begun else 0, 0))
        self._refused[subject] = before + 1, entry.at
        if begun is not None:
            return []
        why, what = Refusal.by_code(entry.refusal), _NOT_HELD[entry.kind]
        said = entry.reason or why.sentence  # whose limit, where that is known
        alert = Alert(
            kind=AlertKind.LIMIT_HIT,
            subject=subject,
            agent=facts.agent,
            severity=Severity.WARNING,
            text=f"a payment of agent {facts.agent} of tree {entry.book} {what} ({why.code}): {said}",
            at=ms_instant(entry.at),
            since=ms_instant(entry.at),
            count=1,
            tree=entry.book,
        )
        return [self._open.begin(alert)]

    def _passed(self, entry: Entry, facts: PaymentFacts) -> list[Alert]:
        subject = contact_id(entry.book, facts.agent)
        begun = self._open.find(AlertKind.LIMIT_HIT, subject)
        if begun is None:
            return []
        began_at = round(begun.since.timestamp() * 1000)
        count, last_at = self._refused.get(subject, (begun.count, began_at))
        if entry.at - last_at < self._quiet_ms:
            return []
        self._refused.pop(subject, None)
        text = f"a payment of agent {facts.agent} of tree {entry.book} passed again; {count:,} had been refused"
        return [self._open.end(begun, text, entry.at, count)]
