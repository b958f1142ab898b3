"""Corrections by hand: one operator is enough up to a threshold, above it another one must approve what was proposed.

They move what is owed between agents, payees, the operator and its bank. What follows payments (holds, payers' change,
cash) and what two trees have between them is out of reach: it could not be held against its payments any more. An
agent's limit is not in the way: it then sells nothing until it is within it again.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.account_kinds import kind_of
from schemas.correction import ApproveCorrection, Correct, Correction, CorrectionCommand, DropCorrection
from schemas.entry import Entry, EntryKind
from schemas.keys import owner_of
from schemas.refusal import Refusal
from streams.ledger.accounts import AGENT_FEES, BANK, FEE, REWARD, UNCLAIMED, legs_of
from streams.ledger.agents import agent_at_work
from streams.ledger.currencies import purse_of
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.objections import Objection, no
from streams.ledger.state import Book, State

# Of one book: they stay in memory until they are decided.
PROPOSALS_MAX = 100

_OPERATORS_OWN = frozenset({FEE, REWARD, BANK, UNCLAIMED, AGENT_FEES})
_ENTRY = "entry "


def correction(
    state: State, book: Book, order: CorrectionCommand, blank: Entry, four_eyes_above: int
) -> Entry | Objection:
    """four_eyes_above: up to how many minor units of debits one operator is enough."""
    match order:
        case Correct():
            return _correct(state, book, order, blank, four_eyes_above)
        case ApproveCorrection():
            return _approve(book, order, blank)
        case DropCorrection():
            return _drop(book, order, blank)


def _correct(state: State, book: Book, order: Correct, blank: Entry, four_eyes_above: int) -> Entry | Objection:
    found = Correction(
        proposal=order.id,
        currency=order.currency,
        movements=tuple((one.account, one.amount) for one in order.movements),
        corrects=order.corrects,
        reason=order.reason,
        evidence=order.evidence,
        proposed_by=blank.cause.by,
        threshold=four_eyes_above,
    )
    if (why_not := _accounts_objection(book, found) or _link_objection(state, book, order.corrects)) is not None:
        return no(why_not)
    if found.total <= four_eyes_above:
        return _corrected(book, found, blank, order.evidence)
    if len(book.proposals) >= PROPOSALS_MAX:
        why = f"{PROPOSALS_MAX} corrections of tree {book.id} are proposed and not decided; approve or drop some first"
        return Objection(Refusal.TEMPORARY, why)
    return replace(
        blank, kind=EntryKind.CORRECTION_PROPOSED, correction=found, document=order.evidence, reason=order.reason
    )  # fmt: skip


def _approve(book: Book, order: ApproveCorrection, blank: Entry) -> Entry | Objection:
    """What may have changed since it was proposed is looked at again."""
    found = book.proposals.get(order.proposal)
    if found is None:
        return no(_not_open(book, order.proposal))
    if owner_of(found.proposed_by) == (who := owner_of(blank.cause.by)):
        return Objection(Refusal.NO_RIGHT, f"operator {who} proposed this correction: another one must approve it")
    if (why_not := _accounts_objection(book, found)) is not None:
        return no(why_not)
    return _corrected(book, replace(found, approved_by=blank.cause.by), blank, order.evidence)


def _drop(book: Book, order: DropCorrection, blank: Entry) -> Entry | Objection:
    found = book.proposals.get(order.proposal)
    if found is None:
        return no(_not_open(book, order.proposal))
    return replace(blank, kind=EntryKind.CORRECTION_DROPPED, correction=found, reason=order.reason)


def _corrected(book: Book, found: Correction, blank: Entry, evidence: str) -> Entry:
    legs = legs_of(book, found.currency, found.movements)
    return replace(
        blank, kind=EntryKind.CORRECTED, legs=legs, correction=found, document=evidence, reason=found.reason
    )  # fmt: skip


def _accounts_objection(book: Book, found: Correction) -> str | None:
    if not book.agents:
        return f"there is no tree {book.id}"
    if not book.agents_in(found.currency):
        return f"tree {book.id} has no accounts in {found.currency}"
    objections = (_account_objection(book, account, found.currency) for account, _ in found.movements)
    return next(filter(None, objections), None)


def _account_objection(book: Book, account: str, currency: str) -> str | None:
    whose = account.partition(":")[2]
    match kind_of(account):
        case "agent":
            agent = agent_at_work(book, whose)
            purse = agent if isinstance(agent, Objection) else purse_of(book, agent, currency, "the correction")
            return purse.reason if isinstance(purse, Objection) else None
        case "payee":
            is_there = (account, currency) in book.accounts
            return None if is_there else f"payee {whose} has no account in {currency} in tree {book.id}"
        case "hold" | "change" | "clearing" | "cash" | "cash-taken" | "exchange" as kind:
            return f"accounts of kind {kind} follow payments, transfers, counts or exchanges: none is corrected by hand"
        case _:
            return None if account in _OPERATORS_OWN else f"there is no account {account}"


def _link_objection(state: State, book: Book, corrects: str) -> str | None:
    """What is corrected must be there."""
    if corrects.startswith(_ENTRY):
        is_there = int(corrects.removeprefix(_ENTRY)) <= book.seq
        return None if is_there else f"tree {book.id} has {book.seq} entries: there is no {corrects}"
    payment = state.payments.find(corrects)
    is_there = payment is not None and payment.book == book.id
    return None if is_there else f"there is no payment {corrects} in tree {book.id}"


def _not_open(book: Book, proposal: str) -> str:
    return f"no correction {proposal} is proposed in tree {book.id}: none was, or it was approved or dropped before"


def fold_correction(book: Book, entry: Entry, found: Correction) -> None:
    """For `evolve`. Raises LedgerCorrupt when the entry is not the next step of that correction, or moves else."""
    moved = tuple((leg.account, leg.currency, leg.amount) for leg in entry.legs)
    due = tuple((account, found.currency, amount) for account, amount in found.movements)
    known = book.proposals.get(found.proposal)
    match entry.kind:
        case EntryKind.CORRECTION_PROPOSED:
            fits = known is None and not found.approved_by and not moved
            book.proposals[found.proposal] = found
        case EntryKind.CORRECTION_DROPPED:
            fits = book.proposals.pop(found.proposal, None) == found and not moved
        case EntryKind.CORRECTED if found.approved_by:
            fits = book.proposals.pop(found.proposal, None) == replace(found, approved_by="") and moved == due
        case EntryKind.CORRECTED:
            fits = known is None and moved == due and found.total <= found.threshold
        case _:
            fits = False
    if not fits:
        name = f"correction {found.proposal}"
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: {entry.kind} does not fit {name}")
