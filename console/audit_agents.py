"""Who may work, checked from the entries alone: agents' courses, and no sale below one that is stopped. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from console.audit_currencies import CurrencyAudit
from console.audit_ledger import LedgerAudit, where
from console.audit_report import Check
from schemas.entry import AgentTerms, Entry, EntryKind

# Kind of entry -> the statuses it may be given in, and the status after it. None: no such agent yet.
_COURSE: dict[EntryKind, tuple[frozenset[str | None], str | None]] = {
    EntryKind.AGENT_OPENED: (frozenset({None}), "open"),
    EntryKind.AGENT_BLOCKED: (frozenset({"open"}), "blocked"),
    EntryKind.AGENT_UNBLOCKED: (frozenset({"blocked"}), "open"),
    EntryKind.AGENT_CLOSED: (frozenset({"open", "blocked"}), "closed"),
}
_UNCHANGED: tuple[frozenset[str | None], None] = frozenset({"open", "blocked"}), None


class AgentAudit:
    """Sees every entry once, each partition in its order, after `ledger` has seen it."""

    def __init__(self, ledger: LedgerAudit) -> None:
        self._ledger = ledger
        self._terms: dict[str, dict[str, AgentTerms]] = {}  # book -> agent -> its terms before the entry seen
        self._standing = Check("agents.standing")
        self._currencies = CurrencyAudit()

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        for wrong in self._wrong(entry):
            self._standing.fail(f"{where(partition, offset, entry)}: {wrong}")
        self._currencies.see(where(partition, offset, entry), entry)
        if entry.agent is not None:
            self._terms.setdefault(entry.book, {})[entry.agent.agent] = entry.agent

    def checks(self) -> list[Check]:
        return [self._standing, self._currencies.check]

    def _wrong(self, entry: Entry) -> Iterator[str]:
        agents = self._terms.get(entry.book, {})
        if entry.kind is EntryKind.HELD and entry.payment is not None:
            self._standing.looked_at += 1
            yield from (
                f"payment {entry.payment.id} of agent {entry.payment.agent} was held while {one.agent} is {one.status}"
                for one in _line(agents, entry.payment.agent)
                if one.status != "open"
            )
        if entry.agent is not None:
            self._standing.looked_at += 1
            yield from self._off_course(entry, agents, entry.agent)
        for leg in entry.legs:
            kind, _, owner = leg.account.partition(":")
            if kind in ("agent", "hold") and owner in agents and agents[owner].status == "closed":
                yield f"moved {leg.amount} on account {leg.account} of an agent who is closed"

    def _off_course(self, entry: Entry, agents: dict[str, AgentTerms], terms: AgentTerms) -> Iterator[str]:
        before = agents.get(terms.agent)
        allowed, after = _COURSE.get(entry.kind, _UNCHANGED)
        was = before.status if before is not None else None
        if was not in allowed or terms.status != (after or was):
            yield f"agent {terms.agent} was {was or 'not known'} and is {terms.status}"
        if before is not None and terms.parent != before.parent:
            above = [one.agent for one in _line(agents, terms.parent)]
            if entry.kind is not EntryKind.AGENT_MOVED or not above or terms.agent in above:
                yield f"agent {terms.agent} was below {before.parent} and is below {terms.parent}"
        if entry.kind is EntryKind.AGENT_CLOSED:
            for currency in self._ledger.purses.currencies(entry.book, terms.agent):
                money = {name: self._ledger.total_of(entry.book, f"{name}:{terms.agent}", currency)
                         for name in ("agent", "hold")}  # fmt: skip
                if any(money.values()):
                    yield f"agent {terms.agent} was closed with {money['agent']} {currency}, {money['hold']} held"
            below = [one.agent for one in agents.values() if one.parent == terms.agent and one.status != "closed"]
            if below:
                yield f"agent {terms.agent} was closed above {', '.join(below)}"


def _line(agents: dict[str, AgentTerms], agent: str | None) -> list[AgentTerms]:
    """The agent first, the root last; an altered ledger's circle ends where it began."""
    line: list[AgentTerms] = []
    while agent is not None and agent in agents and agents[agent] not in line:
        line.append(agents[agent])
        agent = agents[agent].parent
    return line
