"""What a simulated payee is asked and what it says, in no protocol's words: wires write them as their protocol does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from agents.gateways.simulator_book import Paid

Command = Literal["check", "pay", "status", "cancel", "statement"]

_COMMANDS = frozenset(get_args(Command))
_TXN = re.compile(r"\d{1,20}", re.ASCII)
_SUM = re.compile(r"\d{1,13}(\.\d{1,3})?", re.ASCII)


class BadRequest(ValueError):
    """Not a request of the protocol."""


@dataclass(frozen=True, slots=True)
class Question:
    """One well-formed request to one payee. sum: major units, as it came.

    A status or cancel may come without account and sum. A statement has neither, nor a number: it has ms UTC.
    """

    payee: str
    command: str
    txn: int
    account: str = ""
    sum: str = ""
    since: int = 0
    until: int = 0

    @property
    def has_terms(self) -> bool:
        """Does it say for whom and how much, and not the number alone?"""
        return bool(self.account or self.sum)

    @property
    def part_of(self) -> str:
        """The question this request is a part of, where a question takes several: they meet one fault together."""
        return self.command

    @classmethod
    def read(cls, payee: str, command: str, txn: str, account: str, amount: str) -> Question:
        """A question about one payment. Raises BadRequest when a part is missing or cannot be meant."""
        has_terms = bool(account and _SUM.fullmatch(amount))
        by_number = command in ("status", "cancel") and not account and not amount
        if command not in _COMMANDS or not _TXN.fullmatch(txn) or not (has_terms or by_number):
            raise BadRequest(
                "expected a question there is, a number of up to 20 digits, an account, and a sum such as 200.00"
            )
        return cls(payee, command, int(txn), account, amount)


class Said(StrEnum):
    """What a payee says. A wire has a code for each."""

    OK = "ok"  # would take it; paid; given back
    TEMPORARY = "temporary"  # nothing was done: repeat later
    NOT_FINISHED = "not_finished"  # it is being paid
    REFUSED = "refused"  # for good, with the `code` that comes with it
    ABSENT = "absent"  # to a status: nobody paid under this number
    CANCELLED = "cancelled"  # it was given back: it is not paid, and never will be again under this number
    INCONSISTENT = "inconsistent"  # the number came before with another account or sum
    KNOWN = "known"  # to a pay: the number is here already, with the same terms or others
    NOT_PAID = "not_paid"  # to a cancel: there is nothing to give back
    NO_CANCELS = "no_cancels"  # to a cancel: never
    TOO_LATE = "too_late"  # to a cancel: no more
    KEPT = "kept"  # to a cancel: not this one


@dataclass(frozen=True, slots=True)
class Answer:
    """code: a REFUSED's. paid: the booking the answer is about, where there is one. lines: a statement's."""

    said: Said
    code: int = 0
    paid: Paid | None = None
    lines: tuple[tuple[int, Paid], ...] = ()
