"""Agent XML's codes: what each lets us conclude. Data; a gateway's record says where a dialect differs."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.gateway import Meaning
from schemas.outcome import Verdict

# Result -> meaning. 13: the payee is busy, repeat in a minute. 150 and 339: it does not know us, or not from here. 210:
# it has no such payment. 300 says nothing here, unlike in OSMP; the others mean what they mean there.
RESULTS: Mapping[str, Meaning] = {
    "0": "ok",
    "4": "fatal",
    "5": "fatal",
    "7": "fatal",
    "8": "fatal",
    "13": "repeat",
    "79": "fatal",
    "150": "fatal",
    "status:210": "absent",
    "241": "fatal",
    "242": "fatal",
    "243": "fatal",
    "300": "unknown",
    "339": "fatal",
}
FIXED = frozenset({"0", "13"})

PAID = 60
FAILED_FROM = 100


def of_status(status: int) -> Verdict:
    """What a payment's status at the payee means. Below 50 it is accepted, below 60 under way: nothing is known yet.

    Nobody told us of 61 to 99.
    """
    if status == PAID:
        return Verdict.PAID
    return Verdict.FATAL if status >= FAILED_FROM else Verdict.UNCLEAR
