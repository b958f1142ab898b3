"""Money on its way from one tree to another, where no decision can touch both at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crossing:
    """What every entry about it says of it, in both books, and never otherwise. Amount in minor units.

    origin, number: the book it left and that book's entry by which it did; together they name it. target: the tree it
    goes to. giver, taker: whose account it leaves and is for. document, comment: of the paper behind it. order, digest,
    by: id, content and signing key of the command that asked for it.
    """

    origin: str
    number: int
    target: str
    giver: str
    taker: str
    amount: int
    currency: str
    document: str
    comment: str
    order: str
    digest: str
    by: str


def account_clearing(tree: str) -> str:
    """The ledger account of what this book owes that other tree."""
    return f"clearing:{tree}"
