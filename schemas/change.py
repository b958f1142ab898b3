"""Change: what a payer put in beyond the price is kept under a code that only the payer has.

The terminal makes the code, 128 random bits, and prints it. All that is sent, kept and shown is its fingerprint, so
that nobody who reads a topic or a table can spend it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.ids import PositiveMinor, Wire

# With which the accounts begin.
CHANGE = "change:"

ChangeCode = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
ChangeMark = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]

# Codes that one payment may spend from.
SPENT_MAX = 5


class ChangeSpent(Wire):
    """So much of a payer's change, wholly or partly, goes into a payment: the code proves whose it is."""

    code: Annotated[ChangeCode, Field(description="as it is printed on the payer's receipt")]
    amount: PositiveMinor


@dataclass(frozen=True, slots=True)
class ChangeNote:
    """What an entry about change says beside its legs. days: without a touch after which it expires. account: what is
    blocked or not."""

    days: int = 0
    account: str = ""


def new_code() -> str:
    """A code nobody can guess."""
    return secrets.token_hex(16)


def mark_of(code: str) -> str:
    """The fingerprint of a code: BLAKE2b of its 32 hex digits as text, 16 bytes, in hex."""
    return hashlib.blake2b(code.encode(), digest_size=16).hexdigest()


def account_change(mark: str) -> str:
    """The ledger account of the change under this fingerprint."""
    return f"{CHANGE}{mark}"


def account_meant(code: str | None, payment: str | None) -> str:
    """The ledger account of change that is named by its code, or where it has none by its payment."""
    return account_change(mark_of(code)) if code is not None else account_change_of(payment or "")


def account_change_of(payment: str) -> str:
    """The ledger account of what is due to the payer of a payment that named no fingerprint."""
    return f"{CHANGE}payment:{payment}"
