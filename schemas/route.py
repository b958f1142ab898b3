"""A route: one of the gateways a payee may be reached through, and when."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.ids import GatewayId, Wire
from schemas.week import WEEKDAYS, ClockTime, Weekday, clock_minute, minutes_of

# What a gateway says in a check when it speaks of itself: technical prohibition, cannot check, other.
TECHNICAL = ("8", "243", "300")

ResultCode = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,40}$")]


class Route(Wire):
    """The lowest priority goes first; among equals each gets its share of the payments. A band may go over midnight."""

    gateway: GatewayId
    priority: Annotated[int, Field(ge=1, le=1_000, description="the lowest is chosen first")] = 1
    share: Annotated[int, Field(ge=1, le=1_000, description="its weight among routes of the same priority")] = 1
    weekdays: Annotated[
        tuple[Weekday, ...], Field(max_length=7, description="in the payee's time zone; none: every day")
    ] = ()
    begins: ClockTime = "00:00"
    ends: ClockTime = "24:00"
    technical: Annotated[
        tuple[ResultCode, ...],
        Field(
            max_length=50,
            description="final refusals of a check by which the gateway speaks of itself: another route may be asked",
        ),
    ] = TECHNICAL

    def is_open(self, minute: int) -> bool:
        """Is it taken at this minute of the payee's week (0: Monday's first)?"""
        if not self.weekdays and self.begins == "00:00" and self.ends == "24:00":
            return True
        stretches = minutes_of(self.weekdays or WEEKDAYS, clock_minute(self.begins), clock_minute(self.ends))
        return any(first <= minute < end for first, end in stretches)


def draw(payment: str, priority: int, turn: int) -> int:
    """A number that is another for every payment, and always the same for one: 64 bits of a hash."""
    return int.from_bytes(blake2b(f"{payment}/{priority}/{turn}".encode(), digest_size=8).digest())
