"""Money between trees, checked from the entries alone: what left one is in the other, or back, or on its way. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from console.audit_index import fingerprint
from console.audit_ledger import LedgerAudit, where
from console.audit_report import Check
from schemas.crossing import Crossing
from schemas.entry import Entry, EntryKind

# What has left must have ended after so long, by the ledger's own time.
OPEN_AT_MOST_MS = 3_600_000
_NAMED = 5

Name = tuple[str, int]  # the book it left, and the number of the entry by which it did

_SENT, _RECEIVED, _REJECTED, _RETURNED, _CONFIRMED = (
    EntryKind.TRANSFER_SENT, EntryKind.TRANSFER_RECEIVED, EntryKind.TRANSFER_REJECTED, EntryKind.TRANSFER_RETURNED,
    EntryKind.TRANSFER_CONFIRMED,
)  # fmt: skip
KINDS = frozenset({_SENT, _RECEIVED, _REJECTED, _RETURNED, _CONFIRMED})
# Kind -> what the other book must have said before. An end is never without what it is the end of.
_ANSWERS = {_RECEIVED: _SENT, _REJECTED: _SENT, _CONFIRMED: _RECEIVED, _RETURNED: _REJECTED}


@dataclass(slots=True)
class _Course:
    """One transfer so far. said: kind -> number of the entry. heard: kind -> number of the entry it names as cause."""

    content: int
    crossing: Crossing
    at: int
    said: dict[EntryKind, int]
    heard: dict[EntryKind, int]

    @property
    def is_open(self) -> bool:
        return _CONFIRMED not in self.said and _RETURNED not in self.said


class ClearingAudit:
    """Sees every entry once, each partition in its order, after `ledger` has seen it."""

    def __init__(self, ledger: LedgerAudit) -> None:
        self._ledger = ledger
        self._courses: dict[Name, _Course] = {}
        self._newest = 0
        self._pairs = Check("clearing.pairs")
        self._zero = Check("clearing.zero")

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        self._newest = max(self._newest, entry.at)
        if entry.crossing is None:
            if entry.kind in KINDS:
                self._pairs.fail(f"{where(partition, offset, entry)}: names no transfer")
            return
        self._pairs.looked_at += 1
        for wrong in self._wrong(entry, entry.crossing):
            self._pairs.fail(f"{where(partition, offset, entry)}: {_words(entry.crossing)} {wrong}")

    def checks(self) -> list[Check]:
        self._finish()
        return [self._pairs, self._zero]

    def _wrong(self, entry: Entry, crossing: Crossing) -> Iterator[str]:
        is_origins = entry.kind in (_SENT, _RETURNED, _CONFIRMED)
        if entry.book != (crossing.origin if is_origins else crossing.target):
            yield "is not of this book"
        asked = entry.seq, entry.cause.id, entry.cause.digest, entry.cause.by
        if entry.kind is _SENT and (crossing.number, crossing.order, crossing.digest, crossing.by) != asked:
            yield f"is named after entry {crossing.number} and command {crossing.order} by {crossing.by}"
        name, content = (crossing.origin, crossing.number), fingerprint(orjson.dumps(crossing))
        course = self._courses.setdefault(name, _Course(content, crossing, entry.at, {}, {}))
        if course.content != content:
            yield "says other things than before"
        if entry.kind in course.said:
            yield f"was {entry.kind} in entry {course.said[entry.kind]} already"
        course.said[entry.kind] = entry.seq
        if entry.kind is not _SENT:
            other = crossing.target if is_origins else crossing.origin
            begin, _, number = entry.cause.id.rpartition(".")
            if begin != f"clearing.{other}" or not number.isdecimal():
                yield f"is caused by {entry.cause.id}"
            else:
                course.heard[entry.kind] = int(number)

    def _finish(self) -> None:
        amounts: dict[tuple[str, str, str], int] = defaultdict(int)
        under_way: list[str] = []
        for course in self._courses.values():
            crossing = course.crossing
            for wrong in self._unanswered(course):
                self._pairs.fail(f"book {crossing.origin}: {_words(crossing)} {wrong}")
            if course.is_open:
                under_way.append(f"{crossing.origin}.{crossing.number}")
                if self._newest - course.at > OPEN_AT_MOST_MS:
                    minutes = (self._newest - course.at) // 60_000
                    self._pairs.fail(f"book {crossing.origin}: {_words(crossing)} has no end after {minutes} minutes")
            one, other = sorted((crossing.origin, crossing.target))
            signs = {_SENT: 1, _RECEIVED: -1, _RETURNED: -1}
            amounts[one, other, crossing.currency] += sum(signs.get(kind, 0) * crossing.amount for kind in course.said)
        if under_way:
            more = f" and {len(under_way) - _NAMED} more" if len(under_way) > _NAMED else ""
            self._pairs.note = f"{len(under_way)} under way: {', '.join(under_way[:_NAMED])}{more}"
        self._compare(amounts)

    def _unanswered(self, course: _Course) -> Iterator[str]:
        """Books are read one after another: what the later one knows may be beyond what was read of the earlier."""
        both = {_RECEIVED, _REJECTED} <= course.said.keys(), {_CONFIRMED, _RETURNED} <= course.said.keys()
        if any(both):
            yield "arrived and came back"
        for kind in course.said:
            if kind is _SENT:
                continue
            before, number = _ANSWERS[kind], course.heard.get(kind)
            other = course.crossing.origin if before is _SENT else course.crossing.target
            last = self._ledger.books[other].seq if other in self._ledger.books else 0
            if number is not None and number > last:
                continue
            if course.said.get(before) != number:
                yield f"is {kind} after entry {number} of {other}, which is not its {before}"

    def _compare(self, amounts: dict[tuple[str, str, str], int]) -> None:
        """What two books have for each other is what is under way between them."""
        has: dict[tuple[str, str, str], int] = defaultdict(int)
        for (book, account, currency), statement in self._ledger.statements.items():
            if account.startswith("clearing:"):
                one, other = sorted((book, account.removeprefix("clearing:")))
                has[one, other, currency] += statement.total
        for between in sorted(has.keys() | amounts.keys()):
            self._zero.looked_at += 1
            if has[between] != amounts[between]:
                one, other, currency = between
                self._zero.fail(
                    f"trees {one} and {other}: {has[between]} {currency} stands between them, and "
                    f"{amounts[between]} is under way"
                )


def wrong_crossing(entry: Entry, moved: list[tuple[str, int]]) -> str | None:
    """What is wrong with the accounts and amounts of an entry about a transfer between trees, if anything."""
    crossing = entry.crossing
    if crossing is None:
        return f"{entry.kind} names no transfer"
    if not _is_alike(crossing.giver, crossing.taker):
        return f"{crossing.giver} has nothing for {crossing.taker}"
    amount, away, back = crossing.amount, f"clearing:{crossing.target}", f"clearing:{crossing.origin}"
    due = {
        _SENT: [(crossing.giver, -amount), (away, amount)],
        _RECEIVED: [(back, -amount), (crossing.taker, amount)],
        _RETURNED: [(away, -amount), (crossing.giver, amount)],
    }.get(entry.kind, [])
    if sorted(moved) != sorted(due) or amount <= 0:
        return f"should move {due}, moved {moved}"
    if any(leg.currency != crossing.currency for leg in entry.legs):
        return f"the transfer is in {crossing.currency}, moved {sorted({leg.currency for leg in entry.legs})}"
    return None


def _is_alike(giver: str, taker: str) -> bool:
    """An agent gives to an agent; a payer's change stays under its code."""
    if giver.startswith("change:"):
        return giver == taker
    return giver.startswith("agent:") and taker.startswith("agent:")


def _words(crossing: Crossing) -> str:
    return f"transfer {crossing.number} of {crossing.origin} to {crossing.target}"
