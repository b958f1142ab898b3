"""What came of one question to a payee's gateway, in the only terms the ledger cares about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """How sure we are. Everything that is neither a clear yes nor a clear no is UNCLEAR."""

    PAID = "PAID"  # the payee confirms the payment
    CANCELLED = "CANCELLED"  # the payee gave the payment back; only ever the answer to a cancel
    CHECKED = "CHECKED"  # the payee would take it; only ever the answer to a check, never reaches the ledger
    FATAL = "FATAL"  # the payee refuses for good; to a status: it will never be paid under this number
    ABSENT = "ABSENT"  # only ever the answer to a status: the payee has not heard of this number
    UNCLEAR = "UNCLEAR"  # temporary code, time-out, 5xx, unreadable reply: the payee may have been paid
    NOT_SENT = "NOT_SENT"  # the request never left us: asking again is safe


Step = Literal["check", "pay", "status", "cancel"]


@dataclass(frozen=True, slots=True)
class GatewayOutcome:
    """One answered (or unanswered) question.

    step: which request it was. code: the payee's own result code, or a word of ours such as "timeout".
    At most 40 characters. provider_ref: the payee's number of the payment, when it gave one, at most 100. comment: for
    people, at most 200.
    """

    step: Step
    verdict: Verdict
    code: str = ""
    provider_ref: str = ""
    comment: str = ""
