"""The codes of signed key=value: what each lets us conclude. Data; a gateway's record says where a dialect differs."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.gateway import Meaning

SESSION_EXISTS = "1"  # to a pay: the payee has it already, and what became of it is for a status to say

# ERROR -> meaning. 24, 26 and 30 are temporary; 11 is "no such session", which is an answer only to a status.
RESULTS: Mapping[str, Meaning] = {
    "0": "ok",
    SESSION_EXISTS: "unknown",
    "7": "fatal",
    "8": "fatal",
    "9": "fatal",
    "status:11": "absent",
    "23": "fatal",
    "24": "repeat",
    "26": "repeat",
    "30": "repeat",
    "34": "fatal",
    "81": "fatal",
}
FIXED = frozenset({"0", SESSION_EXISTS})

# RESULT: how far the payment has come.
TAKEN = 0  # of a check: it may be paid; of a pay: it will be seen to
ONLY_CHECKED = 1  # of a status: no pay has come
FINAL = 7  # it is over, and ERROR says whether it was paid

# A refusal in the codes terminals know, in which 7 and 8 mean something else; what is not here is 300, "other".
IN_THE_FIELDS_CODES: Mapping[str, str] = {"8": "4", "9": "4", "23": "5", "81": "242"}
