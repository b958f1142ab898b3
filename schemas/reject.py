"""Quarantine: topic `rejects`. The value is the bytes exactly as they came; the story is in the headers.

Of a value longer than KEPT_BYTES, which only compression brings through the broker, it is as many of its first bytes.
"""

from __future__ import annotations

from enum import StrEnum


class RejectReason(StrEnum):
    """Why a message is in quarantine, in the order in which it is looked at."""

    TOO_LARGE = "TOO_LARGE"  # above the envelope's bound
    NOT_JWS = "NOT_JWS"  # not three base64url parts with a JSON header
    WRONG_ALGORITHM = "WRONG_ALGORITHM"  # the header's alg is not the one of the key on file
    UNKNOWN_KEY = "UNKNOWN_KEY"  # no terminal or operator has such a key
    REVOKED_KEY = "REVOKED_KEY"  # the key was revoked before the message was received
    BAD_SIGNATURE = "BAD_SIGNATURE"
    BAD_SCHEMA = "BAD_SCHEMA"  # signed, but not a valid payload
    WRONG_TERMINAL = "WRONG_TERMINAL"  # signed by a key of another terminal
    WRONG_AGENT = "WRONG_AGENT"  # the terminal does not belong to the agent it names
    WRONG_SIGNER = "WRONG_SIGNER"  # such a command, or such an id, is not this key's to sign
    WRONG_CLOCK = "WRONG_CLOCK"  # made too long before, or after, it was received
    UNPROCESSABLE = "UNPROCESSABLE"  # reading or deciding it failed in a way nobody foresaw: a fault of ours
    CONFLICT = "CONFLICT"  # the id was used before with other content

    @property
    def curable(self) -> bool:
        """May the very same bytes be accepted later, once something on our side was put right?"""
        return self in _CURABLE


# A key enrolled late, a terminal given to the wrong agent, a server's clock or its bounds, a fault of ours. The rest is
# in the bytes.
_CURABLE = frozenset(
    {RejectReason.UNKNOWN_KEY, RejectReason.WRONG_AGENT, RejectReason.WRONG_CLOCK, RejectReason.UNPROCESSABLE}
)

KEPT_BYTES = 12 * 1024 * 1024

# Header names on topic `rejects`; values are UTF-8 text.
HEADER_REASON = "reason"
HEADER_DETAIL = "detail"
HEADER_TOPIC = "origin_topic"
HEADER_PARTITION = "origin_partition"
HEADER_OFFSET = "origin_offset"
HEADER_RECEIVED_AT = "received_at_ms"
