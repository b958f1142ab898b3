"""Money between trees: it leaves one, and the other takes it or sends it back. Two entries, each balanced.

Between them it stands on the clearing accounts: each book has one for every tree it has dealt with, and what they have
together is what is under way. The sender keeps what is under way until it hears of the end, so that a giver is there
for what comes back, and that there is a bound.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.agent_command import Transfer
from schemas.bring_change import BringChange
from schemas.change import CHANGE, account_change, mark_of
from schemas.clearing_command import (
    ClearingCommand,
    ConfirmMoney,
    ReceiveMoney,
    TakeBackMoney,
    clearing_id,
)  # fmt: skip
from schemas.crossing import Crossing, account_clearing
from schemas.entry import Entry, EntryKind
from schemas.ids import account_agent, ms_instant
from schemas.refusal import Refusal
from streams.ledger.accounts import legs_of
from streams.ledger.agents import agent_at_work
from streams.ledger.change_block import blocked
from streams.ledger.currencies import purse_of
from streams.ledger.objections import Objection, no
from streams.ledger.state import Book, State
from streams.ledger.transfers import not_given

# Of one book: they stay in memory until they have ended.
UNDER_WAY_MAX = 1_000


def send_money(state: State, book: Book, order: Transfer, blank: Entry) -> Entry | Objection:
    """An agent's money leaves for another tree's. What it could not give away within its own it cannot here."""
    assert order.to_tree is not None
    if order.to_tree == book.id:
        return no(f"both agents are in tree {book.id}: name no other tree")
    giver = agent_at_work(book, order.giver)
    if isinstance(giver, Objection):
        return giver
    if giver.funding == "shared":
        return no(f"agent {giver.id} spends the money of {giver.parent}: transfer from that one")
    why_not = not_given(state, book, giver, order.amount, order.currency, "transfer")
    if why_not is not None:
        return why_not
    crossing = Crossing(
        book.id, blank.seq, order.to_tree, account_agent(giver.id), account_agent(order.taker), order.amount,
        order.currency, order.document, order.comment, blank.cause.id, blank.cause.digest, blank.cause.by,
    )  # fmt: skip
    return sent(book, crossing, blank)


def bring_change(book: Book, order: BringChange, blank: Entry) -> Entry | Objection:
    """A payer's change leaves for another tree, where it is kept under the same code. The code ends here."""
    if order.to_tree == book.id:
        return no(f"the change is kept in tree {book.id} already: it can be spent there")
    account = account_change(mark_of(order.code))
    kept = book.accounts.get((account, order.currency))
    if kept is None:
        return no(f"no change in {order.currency} is kept under this in tree {book.id}")
    if (stopped_change := blocked(book, account)) is not None:
        return stopped_change
    if kept.balance < order.amount:
        return no(f"{kept.balance} minor units of change are left, not {order.amount}")
    crossing = Crossing(
        book.id, blank.seq, order.to_tree, account, account, order.amount, order.currency, "", "",
        blank.cause.id, blank.cause.digest, blank.cause.by,
    )  # fmt: skip
    return sent(book, crossing, blank)


def sent(book: Book, crossing: Crossing, blank: Entry) -> Entry | Objection:
    """TRANSFER_SENT, when not too much is under way."""
    if len(book.under_way) >= UNDER_WAY_MAX:
        why = f"{UNDER_WAY_MAX} transfers from tree {book.id} to others are under way already; repeat later"
        return Objection(Refusal.TEMPORARY, why)
    movements = [(crossing.giver, -crossing.amount), (account_clearing(crossing.target), crossing.amount)]
    legs = legs_of(book, crossing.currency, movements)
    return _about(crossing, replace(blank, kind=EntryKind.TRANSFER_SENT, legs=legs, reason=crossing.comment))


def obey(book: Book, order: ClearingCommand, blank: Entry) -> Entry | Objection:
    """What another tree says. blank: the entry but for what it says."""
    match order:
        case ReceiveMoney():
            return _receive(book, order.crossing, blank)
        case TakeBackMoney():
            return _take_back(book, order, blank)
        case ConfirmMoney():
            return _ended(book, order.crossing) or _about(
                order.crossing, replace(blank, kind=EntryKind.TRANSFER_CONFIRMED)
            )


def _receive(book: Book, crossing: Crossing, blank: Entry) -> Entry:
    """It is never refused: what cannot be taken goes back, and that is an entry too."""
    why_not = _not_taken(book, crossing)
    if why_not is not None:
        rejected = replace(
            blank, kind=EntryKind.TRANSFER_REJECTED, refusal=why_not.refusal.code, reason=why_not.reason
        )  # fmt: skip
        return _about(crossing, rejected)
    movements = [(account_clearing(crossing.origin), -crossing.amount), (crossing.taker, crossing.amount)]
    legs = legs_of(book, crossing.currency, movements)
    return _about(crossing, replace(blank, kind=EntryKind.TRANSFER_RECEIVED, legs=legs, reason=crossing.comment))


def _not_taken(book: Book, crossing: Crossing) -> Objection | None:
    if not book.agents:
        return no(f"there is no tree {book.id}")
    if crossing.taker.startswith(CHANGE):
        return _change_not_taken(book, crossing)
    taker = agent_at_work(book, crossing.taker.removeprefix(account_agent("")))
    if isinstance(taker, Objection):
        return taker
    if taker.funding == "shared":
        return no(f"agent {taker.id} spends the money of {taker.parent}: transfer to that one")
    purse = purse_of(book, taker, crossing.currency, "the transfer")
    return purse if isinstance(purse, Objection) else None


def _change_not_taken(book: Book, crossing: Crossing) -> Objection | None:
    """Change is of its tree: somebody must be there to hand it out, in the currency of what is sold there."""
    root = agent_at_work(book, book.id)
    if isinstance(root, Objection):
        return root
    purse = purse_of(book, root, crossing.currency, "the change")
    return purse if isinstance(purse, Objection) else None


def _take_back(book: Book, order: TakeBackMoney, blank: Entry) -> Entry | Objection:
    crossing = order.crossing
    if (why_not := _ended(book, crossing)) is not None:
        return why_not
    movements = [(account_clearing(crossing.target), -crossing.amount), (crossing.giver, crossing.amount)]
    legs = legs_of(book, crossing.currency, movements)
    returned = replace(
        blank, kind=EntryKind.TRANSFER_RETURNED, legs=legs, refusal=order.refusal, reason=order.reason
    )  # fmt: skip
    return _about(crossing, returned)


def _ended(book: Book, crossing: Crossing) -> Objection | None:
    """There is nothing to end: no writer of ours says so, but what is not there must not move money."""
    if book.under_way.get(crossing.number) == crossing:
        return None
    return no(f"transfer {crossing.number} of tree {book.id} is not under way")


def _about(crossing: Crossing, entry: Entry) -> Entry:
    return replace(entry, crossing=crossing, document=crossing.document)


def called_for(entry: Entry) -> ClearingCommand | None:
    """What the entry says to another tree. It is the same whenever it is asked: id and time are the entry's."""
    crossing = entry.crossing
    if crossing is None:
        return None
    id, at = clearing_id(entry.book, entry.seq), ms_instant(entry.at)
    match entry.kind:
        case EntryKind.TRANSFER_SENT:
            return ReceiveMoney(id=id, issued_at=at, tree=crossing.target, crossing=crossing)
        case EntryKind.TRANSFER_RECEIVED:
            return ConfirmMoney(id=id, issued_at=at, tree=crossing.origin, crossing=crossing)
        case EntryKind.TRANSFER_REJECTED:
            return TakeBackMoney(
                id=id, issued_at=at, tree=crossing.origin, crossing=crossing, refusal=entry.refusal, reason=entry.reason
            )  # fmt: skip
        case _:
            return None
