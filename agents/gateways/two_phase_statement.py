"""A two-phase payee's statement, whole: an interval whose reply would be too long is asked for in halves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from agents.gateways import two_phase_reply
from agents.gateways.capabilities import StatementLine
from agents.gateways.two_phase_reply import (
    CANCELLED_AFTER,
    CANCELLED_BEFORE,
    CREATED,
    PERFORMED,
    BrokenReply,
    Listed,
    Refused,
)
from schemas.outcome import GatewayOutcome, Verdict

MAX_PARTS = 500
TOO_LONG = "reply-too-large"  # what HTTP says of a reply that was not read to its end

_STATES: dict[int, Literal["open", "paid", "cancelled"]] = {
    CREATED: "open", PERFORMED: "paid", CANCELLED_BEFORE: "cancelled", CANCELLED_AFTER: "cancelled",
}  # fmt: skip

Part = Callable[[int, int], Awaitable[dict[str, Any] | Refused | GatewayOutcome]]


async def whole_statement(part: Part, since_ms: int, until_ms: int) -> Sequence[StatementLine] | GatewayOutcome:
    """All lines from `since_ms` until before `until_ms`, UTC; part: asks for an interval that holds both its ends.

    One part without an answer, and there is no statement: UNCLEAR or NOT_SENT.
    """
    lines: list[StatementLine] = []
    left, asked = [(since_ms, until_ms - 1)], 0
    while left:
        since, until = left.pop()
        if asked == MAX_PARTS:
            return _none("too-long", "the statement has too many parts")
        asked += 1
        said = await part(since, until)
        if isinstance(said, GatewayOutcome):
            if said.code != TOO_LONG or since >= until:
                return said
            middle = (since + until) // 2
            left += [(middle + 1, until), (since, middle)]
            continue
        if isinstance(said, Refused):
            return _none(str(said.code), said.comment)
        try:
            lines += map(_line, two_phase_reply.listed(said))
        except BrokenReply as error:
            return _none(error.code, str(error))
    return lines


def _line(listed: Listed) -> StatementLine:
    return StatementLine(listed.txn, listed.amount, _STATES[listed.state], listed.provider_ref, listed.at)


def _none(code: str, comment: str) -> GatewayOutcome:
    return GatewayOutcome("status", Verdict.UNCLEAR, code, comment=comment)
