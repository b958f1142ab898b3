"""Agents in each of their currencies, as the entries tell of them: terms, and whose accounts there may be. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from console.audit_report import Check
from schemas.entry import AgentTerms, Entry, EntryKind

_OPENS = (EntryKind.AGENT_OPENED, EntryKind.CURRENCY_OPENED)


class Purses:
    """Terms by book, agent and currency. own: those in the currency that an agent was opened in, its tree's own."""

    def __init__(self) -> None:
        self.own: dict[tuple[str, str], AgentTerms] = {}
        self._all: dict[tuple[str, str], dict[str, AgentTerms]] = {}

    def see(self, book: str, terms: AgentTerms) -> None:
        """An entry's. Parent, status, time zone and payees are the agent's in whatever currency."""
        here = self._all.setdefault((book, terms.agent), {})
        here[terms.currency] = terms
        shared = {"parent": terms.parent, "status": terms.status, "time_zone": terms.time_zone, "payees": terms.payees}
        for currency, one in here.items():
            if one is not terms:
                here[currency] = replace(one, **shared)  # type: ignore[arg-type]
        self.own[book, terms.agent] = next(iter(here.values()))

    def of(self, book: str, agent: str, currency: str = "") -> AgentTerms | None:
        """In that currency, "": the agent's own."""
        if not currency:
            return self.own.get((book, agent))
        return self._all.get((book, agent), {}).get(currency)

    def currencies(self, book: str, agent: str) -> list[str]:
        """Those the agent has accounts in, its own first."""
        return list(self._all.get((book, agent), {}))

    def everyone(self) -> Iterator[tuple[str, AgentTerms, bool]]:
        """(book, terms, whether they are in the agent's own currency) of each agent in each currency."""
        for (book, _), here in self._all.items():
            for place, terms in enumerate(here.values()):
                yield book, terms, not place

    def line(self, book: str, agent: str | None, currency: str = "") -> list[AgentTerms]:
        """The agent first, the root last; an altered ledger's circle ends where it began."""
        line: list[AgentTerms] = []
        while agent is not None and (terms := self.of(book, agent, currency)) is not None and terms not in line:
            line.append(terms)
            agent = terms.parent
        return line


class CurrencyAudit:
    """Sees every entry once, each partition in its order."""

    def __init__(self) -> None:
        self.check = Check("agents.currencies")
        self._purses = Purses()

    def see(self, place: str, entry: Entry) -> None:
        """place: how a failure about the entry begins."""
        for wrong in self._wrong(entry):
            self.check.fail(f"{place}: {wrong}")
        if entry.agent is not None:
            self._purses.see(entry.book, entry.agent)

    def _wrong(self, entry: Entry) -> Iterator[str]:
        """Before the entry's own terms are taken in."""
        terms = entry.agent
        if terms is not None:
            self.check.looked_at += 1
            yield from self._opened(entry, terms)
        for leg in entry.legs:
            kind, _, agent = leg.account.partition(":")
            if kind in ("agent", "hold"):
                self.check.looked_at += 1
                if leg.currency not in self._purses.currencies(entry.book, agent):
                    yield f"moved {leg.amount} {leg.currency} on {leg.account}, who has no account in that currency"

    def _opened(self, entry: Entry, terms: AgentTerms) -> Iterator[str]:
        has = self._purses.currencies(entry.book, terms.agent)
        is_new = entry.kind in _OPENS
        if (terms.currency in has) == is_new:
            yield f"agent {terms.agent} has {', '.join(has) or 'no account'} before it, and {terms.currency} after"
        should = {*has, terms.currency}
        if terms.parent is not None and (lacks := should.difference(self._purses.currencies(entry.book, terms.parent))):
            yield f"agent {terms.agent} has an account in {', '.join(sorted(lacks))}, and {terms.parent} above has none"
        if entry.kind is EntryKind.AGENT_OPENED and has:
            yield f"agent {terms.agent} is opened twice"
