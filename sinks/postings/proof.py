"""Are the legs that are posted those that the window's closing fixed? Each of every account, and no other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.change import CHANGE
from schemas.window import ALL_CHANGE, WindowPosition
from sinks.postings.entries import PostedLeg
from sinks.postings.errors import PostingsDiffer


@dataclass(slots=True)
class _Reached:
    """The last leg seen of an account, and the balance after it; minor units."""

    seq: int
    balance: int


class Proof:
    """`see` every leg in its order, then `end`: both raise PostingsDiffer at the first thing that is wrong."""

    def __init__(self, window: str, positions: Sequence[WindowPosition]) -> None:
        self._window = window
        self._positions = positions
        self._reached = {(one.account, one.currency): _Reached(one.first - 1, one.opening) for one in positions}

    def see(self, leg: PostedLeg) -> None:
        is_change = leg.account.startswith(CHANGE)  # all of it is one position, whose numbers count its legs
        reached = self._reached.get((ALL_CHANGE if is_change else leg.account, leg.currency))
        if reached is None:
            raise self._differs(f"account {leg.account} {leg.currency} moved and has no position in it")
        if not is_change and leg.seq != reached.seq + 1:
            raise self._differs(f"leg {reached.seq + 1} of account {leg.account} {leg.currency} is missing or doubled")
        reached.seq += 1
        reached.balance += leg.amount

    def end(self) -> None:
        for one in self._positions:
            reached = self._reached[one.account, one.currency]
            if (reached.seq, reached.balance) != (one.last, one.closing):
                raise self._differs(
                    f"account {one.account} {one.currency} comes to {reached.balance} at leg {reached.seq}, "
                    f"and was closed with {one.closing} at leg {one.last}"
                )

    def _differs(self, what: str) -> PostingsDiffer:
        return PostingsDiffer(f"{self._window}: {what}: nothing is written; run `kassa audit`")
