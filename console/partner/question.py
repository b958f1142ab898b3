"""An OSMP question as it comes: what is wrong with it by itself, whatever else is known.

What is refused here is refused for ever: the same question can never have been taken before. So a refusal may be final.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from schemas.refusal import Refusal

MOST_QUERY_BYTES = 4_096
# The protocol's 20 digits for a check; a payment's number is one of ours, and has 18.
_TXN = {"check": re.compile(r"[1-9][0-9]{0,19}", re.ASCII), "pay": re.compile(r"[1-9][0-9]{0,17}", re.ASCII)}
_SUM = re.compile(r"\d{1,13}(?:\.\d{1,3})?", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_OWN = frozenset({"command", "txn_id", "txn_date", "account", "sum"})
_LONGEST = 64


class BadQuestion(Exception):
    """It can never be answered with a yes. txn: the number as it came, as far as it can be told back."""

    def __init__(self, refusal: Refusal, comment: str, txn: str = "") -> None:
        super().__init__(comment)
        self.refusal, self.comment, self.txn = refusal, comment, txn


@dataclass(frozen=True, slots=True)
class Question:
    """txn: as it came. sum: major units as text; "" where a check names none. others: further fields by their names."""

    command: str
    txn: str
    account: str
    sum: str
    txn_date: str
    others: Mapping[str, str]


def parsed(query: bytes, charset: str) -> Question:
    """Raises BadQuestion."""
    values = _values(query, charset)
    txn, command = values.get("txn_id", ""), values.get("command", "")
    if command not in _TXN:
        raise BadQuestion(Refusal.OTHER, "command must be check or pay", txn[:20])
    if not _TXN[command].fullmatch(txn):
        raise BadQuestion(Refusal.OTHER, "txn_id must be 1 to 18 digits (of a check 20), no zeros in front", txn[:20])
    account = values.get("account", "").strip()
    if not account or len(account) > _LONGEST or not account.isprintable():
        raise BadQuestion(Refusal.BAD_SUBSCRIBER_FORMAT, f"account must be 1 to {_LONGEST} characters", txn)
    amount = values.get("sum", "")
    if not _SUM.fullmatch(amount) and (amount or command == "pay"):
        raise BadQuestion(Refusal.OTHER, "sum must be an amount such as 200.00", txn)
    others = {name: value for name, value in values.items() if name not in _OWN}
    if len(others) > 7 or not all(
        _NAME.fullmatch(name) and 0 < len(value) <= _LONGEST for name, value in others.items()
    ):
        raise BadQuestion(Refusal.OTHER, "a further field has no name of ours or no value of 1 to 64 characters", txn)
    return Question(command, txn, account, amount, values.get("txn_date", ""), others)


def _values(query: bytes, charset: str) -> dict[str, str]:
    """Raises BadQuestion: too long, not of the charset, or a parameter twice."""
    if len(query) > MOST_QUERY_BYTES:
        raise BadQuestion(Refusal.OTHER, f"the question is longer than {MOST_QUERY_BYTES} bytes")
    try:
        pairs = parse_qsl(query.decode("ascii"), True, True, charset, "strict", 20)
    except ValueError:
        raise BadQuestion(Refusal.OTHER, f"the question is no query in {charset} of at most 20 parameters") from None
    values = dict(pairs)
    if len(values) < len(pairs):
        raise BadQuestion(Refusal.OTHER, "a parameter is there twice")
    return values
