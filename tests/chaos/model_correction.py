"""What must become of a correction by hand, and of those that are proposed."""

from __future__ import annotations

from schemas.correction import ApproveCorrection, Correct, Correction, CorrectionCommand
from schemas.entry import Entry
from tests.chaos.model_terms import Book, Expected, moves_of

_OWN = ("fee", "reward", "bank", "unclaimed", "agent-fees")
_MOST = 100


def remember_correction(book: Book, entry: Entry) -> None:
    """As the entry says it, right or wrong."""
    if entry.payment is not None:
        book.payments.add(entry.payment.id)
    if (said := entry.correction) is None:
        return
    book.proposals.pop(said.proposal, None)
    if entry.kind.value == "CORRECTION_PROPOSED":
        book.proposals[said.proposal] = said


def corrected(book: Book, command: CorrectionCommand, entry: Entry, above: list[int]) -> list[Expected]:
    """above: the thresholds that may have been set. Several are right only where the ledger does not say which was."""
    by = entry.cause.by
    if isinstance(command, Correct):
        return [_asked(book, command, by, one) for one in above]
    found = book.proposals.get(command.proposal)
    if found is None:
        return [Expected("REFUSED", 300)]
    if not isinstance(command, ApproveCorrection):
        return [Expected("CORRECTION_DROPPED", correction=found)]
    if by.split(":")[0] == found.proposed_by.split(":")[0]:
        return [Expected("REFUSED", 133)]
    if not _movable(book, found):
        return [Expected("REFUSED", 300)]
    return [_moved(_like(found, by), command.evidence)]


def _asked(book: Book, order: Correct, by: str, above: int) -> Expected:
    movements = tuple((one.account, one.amount) for one in order.movements)
    found = Correction(
        order.id, order.currency, movements, order.corrects, order.reason, order.evidence, by, above
    )  # fmt: skip
    word, _, number = order.corrects.partition(" ")
    is_there = int(number) <= book.seq if word == "entry" else order.corrects in book.payments
    if not is_there or not _movable(book, found):
        return Expected("REFUSED", 300)
    if sum(abs(amount) for _, amount in movements) <= 2 * above:
        return _moved(found, order.evidence)
    if len(book.proposals) >= _MOST:
        return Expected("REFUSED", 1)
    return Expected("CORRECTION_PROPOSED", document=order.evidence, correction=found)


def _like(found: Correction, approved_by: str) -> Correction:
    return Correction(
        found.proposal, found.currency, found.movements, found.corrects, found.reason, found.evidence,
        found.proposed_by, found.threshold, approved_by,
    )  # fmt: skip


def _moved(found: Correction, evidence: str) -> Expected:
    moves = moves_of(found.currency, *found.movements)
    return Expected("CORRECTED", moves=moves, document=evidence, correction=found)


def _movable(book: Book, found: Correction) -> bool:
    coins = {one.currency for one in book.agents.values()} | {coin for _, coin in book.further}
    if found.currency not in coins:
        return False
    for account, _ in found.movements:
        kind, _, whose = account.partition(":")
        if kind == "agent":
            agent = book.agent_in(whose, found.currency)
            if agent is None or agent.status == "closed":
                return False
        elif kind == "payee":
            if (account, found.currency) not in book.ends:
                return False
        elif account not in _OWN:
            return False
    return True
