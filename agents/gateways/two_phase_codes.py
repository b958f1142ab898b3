"""The error codes of the two-phase protocol: what each lets us conclude. Data; dialects differ in what is final."""

from __future__ import annotations

from schemas.gateway import Meaning

NOT_FOUND = -31003  # the payee has no transaction of this number
# Said of a new transaction that is refused, and of an old one that is past being created: it must be looked at.
CANNOT_PERFORM = -31008
NO_RIGHT = -32504
# JSON-RPC's own: about the request and whoever serves it, so never a refusal of the payment.
TRANSPORT = range(-32768, -31999)

# What may be wrong with the payment: its sum, or (each payee has its own numbers for it) its subscriber.
_OF_THE_PAYMENT = (-31001, CANNOT_PERFORM, *range(-31099, -31049))

RESULTS: dict[str, Meaning] = {
    **{str(code): "fatal" for code in _OF_THE_PAYMENT},
    # To a cancel they make no sense, and so say nothing.
    **{f"cancel:{code}": "unknown" for code in _OF_THE_PAYMENT},
    f"status:{NOT_FOUND}": "absent",
    "cancel:-31007": "fatal",  # delivered, and not to be taken back
}
