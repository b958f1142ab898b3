"""What the one who asked is told."""

from __future__ import annotations

from typing import cast

from schemas.entry import FINAL, Entry, EntryKind
from schemas.ids import ms_instant
from schemas.keys import SERVER_KID, owner_of
from schemas.refusal import Refusal
from schemas.reply import Reply, ReplyState
from schemas.voucher import VoucherNote
from streams.ledger.change import kept_after
from streams.ledger.decisions import Duplicate
from streams.ledger.evolve import answers_command
from streams.ledger.origins import TIMER, UNSIGNED

# How a transfer to another tree ends, for whoever asked for it.
_ENDS = frozenset({EntryKind.TRANSFER_CONFIRMED, EntryKind.TRANSFER_RETURNED})
# What happens between us and the payee before there is an answer: whoever asks meanwhile hears HELD.
_NO_NEWS = frozenset({EntryKind.DEFERRED, EntryKind.REROUTED, EntryKind.SENT})
# A command that is carried out, and yet moved nothing.
_PROPOSED = "proposed: nothing moves until another operator approves it"
_REFUSED = frozenset({EntryKind.REFUSED, EntryKind.TRANSFER_RETURNED})


def reply_to(entry: Entry) -> Reply | None:
    """The reply an entry calls for: the payment's, or else the command's. None: it is no news, or nobody asked.

    What one book says to another is answered in its own way; but who asked for the transfer hears how it ended.
    """
    if entry.kind in _NO_NEWS or entry.cause.by == TIMER:
        return None
    if entry.crossing is not None and entry.kind in _ENDS:
        return _command_reply(entry.crossing.order, entry.kind, entry.refusal, entry.reason, entry.at)
    if entry.payment is None and (entry.cause.by == SERVER_KID or entry.cause.by in UNSIGNED):
        return None
    if entry.payment is None:
        reply = _command_reply(entry.cause.id, entry.kind, entry.refusal, entry.reason, entry.at)
        return _with_term(reply, entry.voucher)
    return _payment_reply(
        entry.payment.id, entry.kind, entry.refusal, entry.reason, entry.payment.txn, kept_after(entry), entry.at
    )


def replies_to(entry: Entry) -> list[tuple[str, Reply]]:
    """All replies, each with the terminal or operator it goes to: a payment resolved by hand is news to both."""
    reply = reply_to(entry)
    if reply is None:
        return []
    if entry.payment is None:
        by = entry.crossing.by if entry.crossing is not None else entry.cause.by
        return [(owner_of(by), reply)]
    replies = [(entry.payment.terminal, reply)]
    if answers_command(entry) and entry.cause.by != SERVER_KID:
        done = _command_reply(entry.cause.id, entry.kind, 0, "", entry.at)
        replies.append((owner_of(entry.cause.by), done))
    return replies


def reply_again(duplicate: Duplicate) -> Reply:
    """The stored outcome, repeated to a duplicate."""
    if duplicate.payment is not None:
        was = duplicate.payment
        told = EntryKind.HELD if was.state in _NO_NEWS else was.state
        return _payment_reply(was.id, told, was.refusal, was.reason, was.txn, was.kept, was.at, again=True)
    known = duplicate.command
    assert known is not None
    reply = _command_reply(known.id, known.kind, known.refusal, known.reason, known.at, again=True)
    return _with_term(reply, duplicate.voucher)


def _with_term(reply: Reply, note: VoucherNote | None) -> Reply:
    """Until when a voucher is reserved, where the reply is about that."""
    return reply.model_copy(update={"reserved_until": ms_instant(note.until)}) if note and note.until else reply


def _payment_reply(
    payment: str, state: EntryKind, refusal: int, reason: str, txn: int, kept: int, at: int, *, again: bool = False
) -> Reply:
    return Reply(
        id=payment,
        state=cast(ReplyState, state.value),
        code=refusal,
        reason=reason or _sentence(refusal),
        retryable=_retryable(refusal),
        final=state in FINAL or state is EntryKind.REVERSAL_REFUSED,
        txn=txn,
        kept=kept,
        at=ms_instant(at),
        again=again,
    )


def _command_reply(
    command: str, kind: EntryKind, refusal: int, reason: str, at: int, *, again: bool = False
) -> Reply:  # fmt: skip
    refused = kind in _REFUSED
    return Reply(
        id=command,
        state="REFUSED" if refused else "DONE",
        code=refusal if refused else 0,
        reason=(reason or _sentence(refusal)) if refused else _PROPOSED * (kind is EntryKind.CORRECTION_PROPOSED),
        retryable=refused and _retryable(refusal),
        final=kind is not EntryKind.TRANSFER_SENT,
        at=ms_instant(at),
        again=again,
    )


def _sentence(refusal: int) -> str:
    return Refusal.by_code(refusal).sentence if refusal else ""


def _retryable(refusal: int) -> bool:
    return bool(refusal) and Refusal.by_code(refusal).retryable
