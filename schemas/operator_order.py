"""What every operator's command has: an id, a time, and a digest by which redelivery is judged."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

import orjson
from pydantic import Field

from schemas.ids import CommandId, Instant, Wire


class OperatorOrder(Wire):
    """Base of all commands.

    later: fields that an earlier release did not know. They count for the digest only when they say something, so that
    a command decided before they were there is still the same command.
    """

    later: ClassVar[frozenset[str]] = frozenset()

    id: Annotated[CommandId, Field(description="the idempotency key; same id and content: done once")]
    issued_at: Annotated[Instant, Field(description="the operator's clock; recorded, never trusted")]

    def digest(self) -> str:
        """128-bit hash of the content, equal for equal orders however their JSON was written; 32 hex digits."""
        content = self.model_dump(mode="json")
        for name in self.later:
            if getattr(self, name) == type(self).model_fields[name].default:
                del content[name]
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(canonical, digest_size=16).hexdigest()
