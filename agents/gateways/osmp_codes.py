"""OSMP's result codes: what each lets us conclude. Data; dialects differ in what is final."""

from __future__ import annotations

from schemas.gateway import Meaning

# "Repeat" and "not finished": whatever a dialect says, these are no refusals. 90 comes after the payment was taken.
FIXED = frozenset({"0", "1", "90"})

RESULTS: dict[str, Meaning] = {
    "0": "ok",
    "1": "repeat",
    "90": "repeat",
    "4": "fatal",
    "5": "fatal",
    "7": "fatal",
    "8": "fatal",
    "79": "fatal",
    "241": "fatal",
    "242": "fatal",
    "243": "fatal",
    "300": "fatal",
    # The protocol has no status; dialects that have one answer 210 when they do not know the number. A refusal may then
    # be of the question (a subscriber that is inactive by now, and was paid for yesterday): no code of another question
    # is one of a status.
    "status:210": "absent",
}
