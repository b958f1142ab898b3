"""Identifiers and bounded scalars that every wire format shares."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.money import CURRENCIES, MAX_MINOR

# Letters, digits, "-" and "_": safe in a Kafka key, a file name, an account name and a URL.
_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"

AgentId = Annotated[str, StringConstraints(pattern=_ID)]
TerminalId = Annotated[str, StringConstraints(pattern=_ID)]
PayeeId = Annotated[str, StringConstraints(pattern=_ID)]
GatewayId = Annotated[str, StringConstraints(pattern=_ID)]
OperatorId = Annotated[str, StringConstraints(pattern=_ID)]
CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$")]

# A payment is named by its terminal and the terminal's own running number: "<terminal>.<number>".
PaymentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}\.[1-9][0-9]{0,17}$")]


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError(f"unknown currency {code!r}: expected an ISO 4217 code in capitals")
    return code


Currency = Annotated[str, Field(min_length=3, max_length=3, examples=["RUB"]), AfterValidator(_known_currency)]
Minor = Annotated[int, Field(strict=True, ge=0, le=MAX_MINOR, description="whole minor units")]
PositiveMinor = Annotated[int, Field(strict=True, ge=1, le=MAX_MINOR, description="whole minor units")]
RateBps = Annotated[int, Field(strict=True, ge=0, le=10_000, description="hundredths of a per cent")]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# A reason, evidence, the number of a paper: what somebody asks for later. Blanks are none.
Grounds = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
FieldValue = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Instant = Annotated[AwareDatetime, Field(description="RFC 3339 instant with an offset")]


class Wire(BaseModel):
    """Base of all wire models: immutable, strict about types, silent extra fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="null")


def instant_ms(moment: datetime) -> int:
    """An aware instant as milliseconds since the epoch, UTC."""
    return int(moment.timestamp() * 1000)


def ms_instant(at: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC instant."""
    return datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)


def account_agent(agent: str) -> str:
    """The ledger account of an agent's own money."""
    return f"agent:{agent}"


def account_hold(agent: str) -> str:
    """The ledger account of what is reserved of an agent's money for open payments."""
    return f"hold:{agent}"
