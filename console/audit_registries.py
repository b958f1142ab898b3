"""Registries, checked from the entries alone: numbers, totals, and that every queued payment has one line. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, PaymentFacts
from schemas.keys import SERVER_KID
from schemas.registry import LineAnswer, RegistryCut, RegistryLine, RegistryNote

KINDS = frozenset({
    EntryKind.REGISTRY_LINE, EntryKind.REGISTRY_CUT, EntryKind.REGISTRY_DELIVERED, EntryKind.REGISTRY_ANSWERED,
})  # fmt: skip
# What one key says to another must have been heard after so long, by the ledger's own time.
HEARD_AFTER_MS = 3_600_000


@dataclass(slots=True)
class _Registry:
    """One as it is added up here. total in minor units, by currency."""

    lines: int = 0
    totals: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    digest: str = ""
    is_cut: bool = False
    is_delivered: bool = False


@dataclass(slots=True)
class _Course:
    """One queued payment, by its number at the payee: what its tree says, and what the registry does.

    Times are ms UTC. line: payee and number; content: of its line, as facts have it. answer: when, and accepted?
    end: when, posted?, and the document it names.
    """

    tree: str = ""
    facts: tuple[object, ...] | None = None
    queued_at: int = 0
    line: tuple[str, int] | None = None
    content: tuple[object, ...] = ()
    lined_at: int = 0
    answer: tuple[int, bool] | None = None
    end: tuple[int, bool, str] | None = None


class RegistryAudit:
    """Sees every entry once, each partition in its order."""

    def __init__(self) -> None:
        self._chain = Check("registries.chain")
        self._payments = Check("registries.payments")
        self._last: dict[str, int] = {}
        self._registries: dict[tuple[str, int], _Registry] = {}
        self._at: dict[str, int] = defaultdict(int)  # book -> time of its last entry, ms
        self._courses: dict[int, _Course] = defaultdict(_Course)

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        self._at[entry.book] = entry.at
        if (entry.kind in KINDS) != (entry.registry is not None):
            what = "a" if entry.registry else "no"
            self._chain.fail(f"{where(partition, offset, entry)}: names {what} registry")
        elif entry.registry is not None:
            self._chain.looked_at += 1
            for wrong in self._wrong(entry, entry.registry):
                note = entry.registry
                self._chain.fail(f"{where(partition, offset, entry)}: registry {note.number} of {note.payee} {wrong}")
        if entry.payment is not None and entry.payment.served == "offline":
            self._see_payment(entry, entry.payment)

    def checks(self) -> list[Check]:
        newest, open_ = max(self._at.values(), default=0), 0
        for txn, course in self._courses.items():
            self._payments.looked_at += 1
            for wrong in self._contradicts(course):
                self._payments.fail(f"payment with number {txn} in tree {course.tree}: {wrong}")
            for at, book, what in _awaited(course):
                open_ += 1
                if newest - at > HEARD_AFTER_MS or (book and self._at[book] > at):
                    late = (newest - at) // 60_000
                    self._payments.fail(f"payment with number {txn} in tree {course.tree}: {what}, {late} minutes on")
        if open_:
            self._payments.note = f"{open_} between two books"
        return [self._chain, self._payments]

    def _wrong(self, entry: Entry, note: RegistryNote) -> Iterator[str]:
        if entry.book != f"registries/{note.payee}":
            yield "is in another book"
        last = self._last.get(note.payee, 0)
        registry = self._registries.setdefault((note.payee, note.number), _Registry())
        if entry.kind in (EntryKind.REGISTRY_LINE, EntryKind.REGISTRY_CUT) and note.number != last + 1:
            yield f"is not the open one: {last} was cut last"
        if entry.kind is EntryKind.REGISTRY_LINE and note.line is not None:
            yield from self._line(entry, note, note.line, registry)
        elif entry.kind is EntryKind.REGISTRY_CUT and note.cut is not None:
            yield from _cut_wrongly(registry, note.cut)
            registry.is_cut, self._last[note.payee] = True, note.number
        elif entry.kind is EntryKind.REGISTRY_DELIVERED:
            if not registry.is_cut or registry.is_delivered:
                yield "is delivered twice, or before it is cut"
            registry.is_delivered = True
        elif entry.kind is EntryKind.REGISTRY_ANSWERED:
            if not registry.is_delivered:
                yield "is answered and was not delivered"
            for one in note.answers:
                yield from self._answer(entry, note, one)

    def _line(self, entry: Entry, note: RegistryNote, line: RegistryLine, registry: _Registry) -> Iterator[str]:
        registry.lines += 1
        registry.totals[line.currency] += line.amount
        content = (line.txn, line.payment, line.tree, line.subscriber, line.amount, line.currency, line.paid_at)
        registry.digest = hashlib.blake2b(registry.digest.encode() + orjson.dumps(content), digest_size=16).hexdigest()
        course = self._courses[line.txn]
        if course.line is not None:
            yield f"has line {line.txn}, which is in registry {course.line[1]} of {course.line[0]} already"
        course.line, course.lined_at = (note.payee, note.number), entry.at
        course.content = (note.payee, line.payment, list(line.subscriber.items()), *content[4:])
        course.tree = course.tree or line.tree
        if entry.cause.id != f"registry.add.{line.txn}" or entry.cause.by != SERVER_KID:
            yield f"has line {line.txn} by {entry.cause.by} as {entry.cause.id}"

    def _answer(self, entry: Entry, note: RegistryNote, one: LineAnswer) -> Iterator[str]:
        course = self._courses[one.txn]
        if course.line != (note.payee, note.number):
            yield f"answers line {one.txn}, which it has not"
        elif course.answer is not None:
            yield f"answers line {one.txn} twice"
        elif (course.content[1], course.content[3]) != (one.payment, one.amount):
            yield f"answers line {one.txn} with another payment or amount"
        course.answer = entry.at, one.accepted

    def _see_payment(self, entry: Entry, facts: PaymentFacts) -> None:
        if entry.kind is EntryKind.QUEUED:
            course = self._courses[facts.txn]
            course.tree, course.queued_at = entry.book, entry.at
            course.facts = (
                facts.payee, facts.id, list(facts.subscriber.items()), facts.amount, facts.currency, facts.received_at,
            )  # fmt: skip
        elif entry.kind in (EntryKind.POSTED, EntryKind.VOIDED):
            self._courses[facts.txn].end = entry.at, entry.kind is EntryKind.POSTED, entry.document

    def _contradicts(self, course: _Course) -> Iterator[str]:
        if course.facts is not None and course.line is not None and course.facts != course.content:
            yield "its line says something else than the payment does"
        if course.end is not None and course.answer is not None and course.line is not None:
            payee, number = course.line
            if course.end[1] != course.answer[1] or course.end[2] != f"registry {payee} {number}":
                yield f"ended by {course.end[2] or 'nothing'}, otherwise than registry {number} of {payee} was answered"


def _cut_wrongly(registry: _Registry, cut: RegistryCut) -> Iterator[str]:
    if (cut.lines, cut.digest) != (registry.lines, registry.digest):
        yield f"is cut with {cut.lines} lines and digest {cut.digest}, has {registry.lines} and {registry.digest}"
    if {cut.currency: cut.total} != (registry.totals or {cut.currency: 0}):
        yield f"is cut with {cut.total} {cut.currency}, its lines have {dict(registry.totals)}"


def _awaited(course: _Course) -> Iterator[tuple[int, str, str]]:
    """What one book has said and the other has not answered: since when, whose silence proves it, and what it is.

    Books are read one after another: what the later one knows may be beyond what was read of the earlier.
    """
    if course.facts is not None and course.line is None:
        yield course.queued_at, "", "it is queued and has no line"
    if course.line is not None and course.facts is None:
        yield course.lined_at, course.tree, "it has a line and is not queued"
    if course.answer is not None and course.end is None:
        yield course.answer[0], "", "it is answered and has no end"
    if course.end is not None and course.answer is None:
        yield course.end[0], f"registries/{course.line[0]}" if course.line else "", "it has an end and is not answered"


def doubt_offline(entry: Entry, facts: PaymentFacts, state: str) -> str | None:
    """Why the entry must not be believed, if so.

    No gateway is asked: it is queued at once, and ends by what a registry's book says, signed by a worker.
    """
    cause = entry.cause
    if entry.kind is EntryKind.QUEUED:
        return None if (cause.by, cause.id) == ("registry", facts.id) else f"is queued by {cause.by} on {cause.id}"
    if state == "QUEUED" and (cause.by, cause.id) == (SERVER_KID, f"registry.answered.{facts.txn}"):
        return None
    return f"is {entry.kind} by {cause.by} on {cause.id}, and its payee is served offline"
