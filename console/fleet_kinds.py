"""What a simulated fleet sends, and what must become of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.refusal import Refusal
from schemas.reject import RejectReason


class Outcome(StrEnum):
    """What must become of a message."""

    ACCEPTED = "ACCEPTED"  # held and then paid, voided or left to an operator, as the payee answers
    DECLINED = "DECLINED"  # refused with a code; final
    QUARANTINED = "QUARANTINED"  # kept on `rejects` with a reason; no state in the ledger
    DUPLICATE = "DUPLICATE"  # the stored outcome again


@dataclass(frozen=True, slots=True)
class Expected:
    """`code` is that of DECLINED, `reason` that of QUARANTINED."""

    outcome: Outcome
    code: int = 0
    reason: RejectReason | None = None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.outcome.value, self.code or "", self.reason or "") if part)


class Kind(StrEnum):
    """GOOD, and the bad ones by where they are found out."""

    GOOD = "good"
    WRONG_KEY = "good, keyed to no tree"
    # duplicates of a good one
    REPEAT = "exact duplicate"
    CONFLICT = "conflicting duplicate"
    # not an envelope
    NOISE = "malformed bytes"
    EMPTY = "nothing"
    CUT = "truncated JWS"
    UNSIGNED = "alg none"
    MORE_HEADERS = "header with jwk"
    TOO_LARGE = "too large"
    # an envelope not to be believed
    NONE_WITH_SIGNATURE = "alg none with a signature"
    HMAC = "HS256 with the public key"
    OTHER_ALGORITHM = "another algorithm"
    UNKNOWN_KEY = "unknown key"
    PATH_AS_KEY = "path as key id"
    WRONG_SIGNATURE = "wrong signature"
    ALTERED = "altered payload"
    FORGED = "known kid, other key"
    # believed, and not an order
    NOT_JSON = "signed text"
    WRONG_SHAPE = "list, not an object"
    MISSING_FIELD = "missing field"
    EXTRA_FIELD = "unknown field"
    NUMBER_AS_TEXT = "text where a number belongs"
    TEXT_AS_NUMBER = "number where text belongs"
    FRACTION = "fraction of a minor unit"
    NEGATIVE = "negative amount"
    HUGE = "huge amount"
    NAN = "NaN amount"
    UNKNOWN_CURRENCY = "unknown currency"
    OTHER_NUMBER = "id of another number"
    # an order that is not the sender's to make
    OTHER_TERMINAL = "key of another terminal"
    OTHER_AGENT = "agent not its own"
    YEAR_9999 = "year 9999"
    YEAR_1 = "year 1"
    # an order the rules refuse
    NO_SUCH_PAYEE = "unknown payee"
    BAD_SUBSCRIBER = "bad subscriber"
    NO_SUBSCRIBER = "missing subscriber field"
    TOO_SMALL = "amount below minimum"
    TOO_BIG = "amount above maximum"
    WRONG_FEE = "wrong fee"


def _quarantined(reason: RejectReason) -> Expected:
    return Expected(Outcome.QUARANTINED, reason=reason)


def _declined(refusal: Refusal) -> Expected:
    return Expected(Outcome.DECLINED, code=refusal.code)


EXPECTED: dict[Kind, Expected] = {
    Kind.GOOD: Expected(Outcome.ACCEPTED),
    Kind.WRONG_KEY: Expected(Outcome.ACCEPTED),
    Kind.REPEAT: Expected(Outcome.DUPLICATE),
    Kind.CONFLICT: _quarantined(RejectReason.CONFLICT),
    Kind.NOISE: _quarantined(RejectReason.NOT_JWS),
    Kind.EMPTY: _quarantined(RejectReason.NOT_JWS),
    Kind.CUT: _quarantined(RejectReason.NOT_JWS),
    Kind.UNSIGNED: _quarantined(RejectReason.NOT_JWS),
    Kind.MORE_HEADERS: _quarantined(RejectReason.NOT_JWS),
    Kind.TOO_LARGE: _quarantined(RejectReason.TOO_LARGE),
    Kind.NONE_WITH_SIGNATURE: _quarantined(RejectReason.WRONG_ALGORITHM),
    Kind.HMAC: _quarantined(RejectReason.WRONG_ALGORITHM),
    Kind.OTHER_ALGORITHM: _quarantined(RejectReason.WRONG_ALGORITHM),
    Kind.UNKNOWN_KEY: _quarantined(RejectReason.UNKNOWN_KEY),
    Kind.PATH_AS_KEY: _quarantined(RejectReason.UNKNOWN_KEY),
    Kind.WRONG_SIGNATURE: _quarantined(RejectReason.BAD_SIGNATURE),
    Kind.ALTERED: _quarantined(RejectReason.BAD_SIGNATURE),
    Kind.FORGED: _quarantined(RejectReason.BAD_SIGNATURE),
    Kind.NOT_JSON: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.WRONG_SHAPE: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.MISSING_FIELD: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.EXTRA_FIELD: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.NUMBER_AS_TEXT: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.TEXT_AS_NUMBER: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.FRACTION: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.NEGATIVE: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.HUGE: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.NAN: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.UNKNOWN_CURRENCY: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.OTHER_NUMBER: _quarantined(RejectReason.BAD_SCHEMA),
    Kind.OTHER_TERMINAL: _quarantined(RejectReason.WRONG_TERMINAL),
    Kind.OTHER_AGENT: _quarantined(RejectReason.WRONG_AGENT),
    Kind.YEAR_9999: _quarantined(RejectReason.WRONG_CLOCK),
    Kind.YEAR_1: _quarantined(RejectReason.WRONG_CLOCK),
    Kind.NO_SUCH_PAYEE: _declined(Refusal.NO_SUCH_PAYEE),
    Kind.BAD_SUBSCRIBER: _declined(Refusal.BAD_SUBSCRIBER_FORMAT),
    Kind.NO_SUBSCRIBER: _declined(Refusal.BAD_SUBSCRIBER_FORMAT),
    Kind.TOO_SMALL: _declined(Refusal.TOO_SMALL),
    Kind.TOO_BIG: _declined(Refusal.TOO_LARGE),
    Kind.WRONG_FEE: _declined(Refusal.BAD_FEE),
}
BAD = tuple(kind for kind in Kind if kind is not Kind.GOOD)
