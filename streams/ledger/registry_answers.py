"""What a payee answers to a registry's lines, and what that means for their payments."""

from __future__ import annotations

from dataclasses import replace

from schemas.entry import Entry, EntryKind
from schemas.ids import ms_instant
from schemas.refusal import Refusal
from schemas.registry import LineAnswer, RegistryNote
from schemas.registry_command import (
    AddToRegistry,
    AnswerOfLine,
    AnswerRegistry,
    PaymentAnswered,
    RegistryWord,
    adding_id,
    answered_id,
)  # fmt: skip
from streams.ledger.objections import Objection, no
from streams.ledger.registry_state import RegistryUnderWay
from streams.ledger.settle import Change, payment_entry
from streams.ledger.state import Book, State


def answer_lines(book: Book, order: AnswerRegistry, blank: Entry) -> Entry | Objection:
    """REGISTRY_ANSWERED with the answers that are new. One line that cannot be answered so refuses all of them."""
    if (why_not := _not_answerable(book, order)) is not None:
        return no(why_not)
    assert book.registries is not None
    under_way = book.registries.under_way[order.number]
    fresh: list[LineAnswer] = []
    for said in order.answers:
        if (why_not := _wrong(under_way, said)) is not None:
            return no(f"registry {order.number} of payee {order.payee}, line {said.txn}: {why_not}")
        if (line := under_way.lines.get(said.txn)) is not None:
            fresh.append(LineAnswer(line.txn, line.payment, line.tree, line.amount, said.accepted, said.reason))
    note = RegistryNote(order.payee, order.number, answers=tuple(fresh))
    return replace(blank, kind=EntryKind.REGISTRY_ANSWERED, registry=note)


def _not_answerable(book: Book, order: AnswerRegistry) -> str | None:
    whose = f"registry {order.number} of payee {order.payee}"
    if book.registries is None or order.number >= book.registries.current.number:
        return f"{whose} is not cut yet"
    under_way = book.registries.under_way.get(order.number)
    if under_way is None:
        return f"{whose} is answered to its last line"
    if not under_way.delivered_at:
        return f"{whose} is not delivered yet: say so first, if the payee has it (kassa registry deliver)"
    return None


def _wrong(under_way: RegistryUnderWay, said: AnswerOfLine) -> str | None:
    line = under_way.lines.get(said.txn)
    if line is not None:
        return f"its amount is {line.amount}, not {said.amount}" if line.amount != said.amount else None
    before = under_way.answered.get(said.txn)
    if before is None:
        return "there is no such line"
    if before != said.accepted:
        words = {True: "accepted", False: "rejected"}
        return f"it was {words[before]}, and cannot be {words[said.accepted]} now"
    return None


def end_queued(state: State, book: Book, order: PaymentAnswered, blank: Entry) -> Entry | Objection:
    """POSTED or VOIDED, as the payee answered to the payment's line."""
    payment = state.payments.find(order.payment)
    if payment is None or payment.book != book.id or payment.txn != order.txn:
        return no(f"there is no payment {order.payment} with number {order.txn} in tree {order.tree}")
    if payment.state is not EntryKind.QUEUED:
        return no(f"payment {payment.id} is {payment.state}: it waits for no registry")
    if order.accepted:
        change = Change(EntryKind.POSTED, 0)
    else:
        change = Change(EntryKind.VOIDED, 0, Refusal.OTHER.code, order.reason or "the payee rejected it")
    entry = payment_entry(book, payment, blank.cause, change, blank.at)
    return replace(entry, document=f"registry {order.payee} {order.number}")


def registry_words(entry: Entry) -> list[RegistryWord]:
    """What the entry says to another key. It is the same whenever it is asked: ids and times are the entry's."""
    at = ms_instant(entry.at)
    if entry.kind is EntryKind.QUEUED and entry.payment is not None:
        facts = entry.payment
        return [
            AddToRegistry(
                id=adding_id(facts.txn), issued_at=at, payee=facts.payee, tree=entry.book, payment=facts.id,
                txn=facts.txn, subscriber=dict(facts.subscriber), amount=facts.amount, currency=facts.currency,
                paid_at=facts.received_at,
            )
        ]  # fmt: skip
    note = entry.registry
    if note is None:
        return []
    return [
        PaymentAnswered(
            id=answered_id(one.txn), issued_at=at, tree=one.tree, payment=one.payment, txn=one.txn, payee=note.payee,
            number=note.number, accepted=one.accepted, reason=one.reason,
        )
        for one in note.answers
    ]  # fmt: skip
