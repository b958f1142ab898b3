"""A terminal: a kiosk, cashier's workstation, POS, app or partner gateway that signs payments."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.ids import AgentId, OperatorId, ShortText, TerminalId, Wire
from schemas.keys import PublicKey
from schemas.sealing import SealingKey


class Terminal(Wire):
    """Directory record, topic `terminals`, key: the terminal's id."""

    id: TerminalId
    agent: AgentId
    tree: Annotated[AgentId, Field(description="root agent: the key of everything this terminal produces")]
    keys: Annotated[tuple[PublicKey, ...], Field(min_length=1, max_length=8)]
    address: ShortText | None = None
    sealing: Annotated[
        SealingKey | None,
        Field(
            description="what secrets for it are sealed to; none: it is sold no vouchers",
            exclude_if=lambda sealing: sealing is None,  # records of old have none, and their digests are on ledgers
        ),
    ] = None

    @property
    def is_in_service(self) -> bool:
        """Has it a key that is not revoked? Without one nothing that it signs is believed."""
        return any(key.revoked_at is None for key in self.keys)


class Operator(Wire):
    """Directory record, topic `operators`, key: the operator's id. An operator signs commands."""

    id: OperatorId
    keys: Annotated[tuple[PublicKey, ...], Field(min_length=1, max_length=8)]
