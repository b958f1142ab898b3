"""Were the terminals told the truth, the whole of it, and one truth only?"""

from __future__ import annotations

from schemas.entry import FINAL, Entry, EntryKind
from tests.chaos.findings import HISTORY, REPLY, UNHEARD, Findings
from tests.chaos.past import Past, reply_fingerprint

# What became final so shortly before the terminals stopped listening may not have been heard.
LAST_WORDS_MS = 10_000
_NO_NEWS = frozenset({EntryKind.DEFERRED, EntryKind.REROUTED, EntryKind.SENT})
# How a transfer to another tree ends, and what whoever asked for it is told then.
_ENDS = {EntryKind.TRANSFER_CONFIRMED: "DONE", EntryKind.TRANSFER_RETURNED: "REFUSED"}


class Truths:
    """Feed it every entry of the ledger, then hold what was told against it."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._mine = set(past.ids)
        self._sayable: set[int] = set()
        self._unheard: list[str] = []

    def see(self, entry: Entry) -> None:
        facts, at = entry.payment, entry.at
        if facts is not None:
            state = EntryKind.HELD.value if entry.kind in _NO_NEWS else entry.kind.value
            self._sayable.add(reply_fingerprint(facts.id, state, entry.refusal, at, facts.txn))
            if entry.kind is EntryKind.REVERSAL_REFUSED:  # from then on it is posted again, since then
                self._sayable.add(reply_fingerprint(facts.id, EntryKind.POSTED.value, entry.refusal, at, facts.txn))
            if entry.kind in FINAL and facts.id in self._mine and facts.id not in self._past.finals:
                self._silent(facts.id, at)
        if entry.crossing is not None and entry.kind in _ENDS:
            self._command(entry.crossing.order, _ENDS[entry.kind], entry.refusal, at)
        elif entry.kind is EntryKind.TRANSFER_SENT:  # it has no end yet
            self._sayable.add(reply_fingerprint(entry.cause.id, "DONE", 0, at, 0))
        elif facts is None or entry.cause.id != facts.id:
            refused = entry.kind is EntryKind.REFUSED
            state, code = ("REFUSED", entry.refusal) if refused else ("DONE", 0)
            self._command(entry.cause.id, state, code, at)

    def finish(self, quarantined: set[int], wrong: Findings) -> None:
        """quarantined: fingerprints of what a sender may be told of a message in quarantine."""
        for number, told in enumerate(self._past.replies):
            if told not in self._sayable and told not in quarantined:
                wrong.add(REPLY, f"told, and the ledger says no such thing: {self._past.reply_line(number)}")
        for contradiction in self._past.contradictions:
            wrong.add(REPLY, contradiction)
        for silence in self._unheard:
            wrong.add(UNHEARD, silence)
        if self._past.unreadable:
            wrong.add(HISTORY, f"{self._past.unreadable} lines cannot be read")

    def _command(self, id: str, state: str, code: int, at: int) -> None:
        """A command has ended, and whoever gave it must have been told."""
        self._sayable.add(reply_fingerprint(id, state, code, at, 0))
        if id in self._mine and id not in self._past.finals:
            self._silent(id, at)

    def _silent(self, id: str, at: int) -> None:
        if at < self._past.ended_at - LAST_WORDS_MS:
            self._unheard.append(f"{id} ended on the ledger, and nobody was told")
