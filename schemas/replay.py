"""A quarantined message that was sent again: once the cause was mended, the same bytes are an ordinary arrival."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.ids import Instant, Wire
from schemas.reject import RejectReason

Offset = Annotated[int, Field(ge=0)]


class Replay(Wire):
    """Topic `replays`, key: the message's offset on `rejects`. Written in the transaction that sends the message."""

    topic: Annotated[Literal["payments", "commands"], Field(description="where it had arrived, and now has again")]
    partition: Annotated[int, Field(ge=0, description="where it is now")]
    offset: Annotated[Offset, Field(description="where it is now")]
    origin_partition: Annotated[int, Field(ge=0, description="where it had arrived first")]
    origin_offset: Annotated[Offset, Field(description="where it had arrived first")]
    reason: Annotated[RejectReason, Field(description="why it was in quarantine")]
    at: Annotated[Instant, Field(description="when it was sent again")]
