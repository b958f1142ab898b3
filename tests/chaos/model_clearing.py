"""What must become of money that goes to another tree, and of what trees say to each other about it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

from schemas.agent_command import Transfer
from schemas.bring_change import BringChange
from schemas.clearing_command import ClearingCommand, ConfirmMoney, ReceiveMoney, TakeBackMoney
from schemas.crossing import Crossing
from schemas.entry import Entry
from tests.chaos.model_terms import Book, Expected, Sale, moves_of

_AT_MOST = 1_000


def sent(id: str, book: Book, order: Transfer, waiting: list[Sale]) -> Expected:
    """id: the book's. waiting: its sales that wait for funds."""
    agent = book.agents.get(order.giver)
    if agent is None or agent.status == "closed" or agent.funding != "own" or order.to_tree == id:
        return Expected("REFUSED", 300)
    if any(book.agents[one].status != "open" for one in book.line(order.giver)):
        return Expected("REFUSED", 300)
    if book.agent_in(order.giver, order.currency) is None:
        return Expected("REFUSED", 300)
    if any((sale.facts.payer_agent, sale.facts.currency) == (order.giver, order.currency) for sale in waiting):
        return Expected("REFUSED", 300)
    if book.may_spend(order.giver, order.currency) < order.amount:
        return Expected("REFUSED", 220)
    if len(book.under_way) >= _AT_MOST:
        return Expected("REFUSED", 1)
    assert order.to_tree is not None  # obeyed() looked
    crossing = Crossing(
        id, book.seq + 1, order.to_tree, f"agent:{order.giver}", f"agent:{order.taker}", order.amount, order.currency,
        order.document, order.comment, order.id, order.digest(), "",
    )  # fmt: skip
    return _left(crossing)


def brought(id: str, book: Book, order: BringChange) -> Expected:
    """A payer's change; id: the book's."""
    account = f"change:{blake2b(order.code.encode(), digest_size=16).hexdigest()}"
    kept = book.ends.get((account, order.currency))
    if order.to_tree != id and kept is not None and account in book.blocked:
        return Expected("REFUSED", 133)
    if order.to_tree == id or kept is None or kept[1] < order.amount:
        return Expected("REFUSED", 300)
    if len(book.under_way) >= _AT_MOST:
        return Expected("REFUSED", 1)
    crossing = Crossing(
        id, book.seq + 1, order.to_tree, account, account, order.amount, order.currency, "", "", order.id,
        order.digest(), "",
    )  # fmt: skip
    return _left(crossing)


def _left(crossing: Crossing) -> Expected:
    moves = (crossing.giver, -crossing.amount), (f"clearing:{crossing.target}", crossing.amount)
    return _about(crossing, "TRANSFER_SENT", *moves)


def heard(book: Book, command: ClearingCommand) -> Expected:
    """What another tree says; it is believed."""
    crossing = command.crossing
    match command:
        case ReceiveMoney():
            if not _takes(book, crossing):
                return _about(crossing, "TRANSFER_REJECTED")._replace(refusal=300)
            came = (f"clearing:{crossing.origin}", -crossing.amount), (crossing.taker, crossing.amount)
            return _about(crossing, "TRANSFER_RECEIVED", *came)
        case ConfirmMoney() | TakeBackMoney() if book.under_way.get(crossing.number) != crossing:
            return Expected("REFUSED", 300)
        case ConfirmMoney():
            return _about(crossing, "TRANSFER_CONFIRMED")
        case TakeBackMoney():
            back = (f"clearing:{crossing.target}", -crossing.amount), (crossing.giver, crossing.amount)
            return _about(crossing, "TRANSFER_RETURNED", *back)._replace(refusal=command.refusal)


def _takes(book: Book, crossing: Crossing) -> bool:
    kind, _, name = crossing.taker.partition(":")
    name = crossing.target if kind == "change" else name
    agent = book.agents.get(name)
    if agent is None or agent.status == "closed" or agent.funding != "own":
        return False
    return book.agent_in(name, crossing.currency) is not None


def remember_crossing(book: Book, entry: Entry) -> None:
    """Until its end is known its giver must be there."""
    crossing = entry.crossing
    if crossing is not None and entry.kind.value == "TRANSFER_SENT":
        book.under_way[crossing.number] = crossing
    elif crossing is not None and entry.kind.value in ("TRANSFER_CONFIRMED", "TRANSFER_RETURNED"):
        book.under_way.pop(crossing.number, None)


def waits_for(book: Book, id: str, agent: str) -> bool:
    """Could something come back to this agent, or to anybody below a root? id: the book's."""
    return any(agent == id or one.giver == f"agent:{agent}" for one in book.under_way.values())


def seen_crossing(entry: Entry) -> Crossing | None:
    """Who signed the command that asked for it is not the model's to know; the audit holds it against the cause."""
    return replace(entry.crossing, by="") if entry.crossing is not None else None


def _about(crossing: Crossing, kind: str, *parts: tuple[str, int]) -> Expected:
    moves = moves_of(crossing.currency, *parts)
    return Expected(kind, moves=moves, document=crossing.document, crossing=replace(crossing, by=""))
