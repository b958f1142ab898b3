"""A payee's tariff: its prices, and the rules by which other prices hold for some agents, times and amounts."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.ids import Instant, Minor, PayeeId, PositiveMinor, Wire
from schemas.payee import ZoneName
from schemas.price import Fee, Prices, Rate, Shares
from schemas.week import ClockTime, Weekday

__all__ = ["AgentPath", "Fee", "Prices", "Rate", "Tariff", "TariffRule"]

MAX_RULES = 500
MAX_MEMBERS = 2_000

# "<tree>/<agent>": two trees may both have an agent of one name.
AgentPath = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}/[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")
]
RuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
Members = Annotated[tuple[AgentPath, ...], Field(min_length=1, max_length=MAX_MEMBERS)]


def _new(empty: object, description: str) -> object:
    """A field that flat tariffs do not have: unsaid it is not written, so that digests of old commands stay theirs."""
    return Field(exclude_if=lambda value: value == empty, description=description)


class TariffRule(Wire):
    """Prices for some agents, times and amounts. A condition that is not given holds always; a price, the tariff's own.

    Weekdays and times are read on the walls of the tariff's time zone. A time band that ends before it begins goes over
    midnight and belongs to the weekday on which it began. An agent's rule holds for its own payments, not for those of
    agents below it.
    """

    name: RuleName
    agent: Annotated[AgentPath | None, Field(description="for this agent only: <tree>/<agent>")] = None
    group: Annotated[RuleName | None, Field(description="for the agents of this group only")] = None
    weekdays: Annotated[tuple[Weekday, ...], Field(max_length=7, description="empty: every day")] = ()
    time_from: Annotated[ClockTime | None, Field(description="HH:MM")] = None
    time_to: Annotated[ClockTime | None, Field(description="HH:MM, no longer in the band")] = None
    amount_from: Annotated[Minor, Field(description="what the payee receives, minor units")] = 0
    amount_to: Annotated[PositiveMinor | None, Field(description="no longer in the band, minor units")] = None
    valid_from: Instant | None = None
    valid_until: Annotated[Instant | None, Field(description="RFC 3339 instant, no longer valid")] = None
    fee: Fee | None = None
    processing: Rate | None = None
    reward: Rate | None = None
    reward_shares_bps: Shares | None = None

    @model_validator(mode="after")
    def _conditions_can_hold(self) -> Self:
        if self.agent is not None and self.group is not None:
            raise ValueError(f"rule {self.name} is for an agent or for a group, not for both")
        if len(set(self.weekdays)) < len(self.weekdays):
            raise ValueError(f"rule {self.name} names a weekday twice")
        if (self.time_from is None) != (self.time_to is None):
            raise ValueError(f"rule {self.name} has one end of a time band only")
        if self.time_from is not None and self.time_from == self.time_to:
            raise ValueError(f"rule {self.name}: its time band is empty (the whole day is 00:00 to 24:00)")
        if self.time_from == "24:00":
            raise ValueError(f"rule {self.name}: a time band cannot begin at 24:00, which is the next day's 00:00")
        if self.amount_to is not None and self.amount_to <= self.amount_from:
            raise ValueError(f"rule {self.name}: its amount band ends at {self.amount_to}, before it begins")
        if self.valid_from is not None and self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError(f"rule {self.name}: its validity ends before it begins")
        if self.reward_shares_bps is not None and sum(self.reward_shares_bps) > 10_000:
            raise ValueError(f"rule {self.name}: reward_shares_bps add up to more than 10000")
        return self


class Tariff(Prices):
    """Directory record, topic `tariffs`, key: the payee's id.

    Its own prices hold wherever none of its rules does, so every payment has a price. groups: named sets of agents.
    Two rules that would tie are refused when the tariff is set (streams/ledger/tariff_ties.py).
    """

    payee: PayeeId
    version: Annotated[int, Field(ge=1, lt=2**31)] = 1
    time_zone: Annotated[ZoneName, _new("UTC", "in which weekdays and time bands of its rules are meant")] = "UTC"
    groups: dict[RuleName, Members] = Field(
        default_factory=dict,
        exclude_if=lambda groups: not groups,
        description="named sets of agents, each <tree>/<agent>",
    )
    rules: Annotated[tuple[TariffRule, ...], _new((), "the narrowest that holds wins")] = ()

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        if len(self.rules) > MAX_RULES:
            raise ValueError(f"a tariff has {MAX_RULES} rules at most, this one has {len(self.rules)}")
        for name, count in Counter(rule.name for rule in self.rules).items():
            if count > 1:
                raise ValueError(f"two rules have the name {name}")
        for rule in self.rules:
            if rule.group is not None and rule.group not in self.groups:
                raise ValueError(f"rule {rule.name} is for the group {rule.group}, which the tariff does not list")
        for group, members in self.groups.items():
            if len(set(members)) < len(members):
                raise ValueError(f"group {group} lists an agent twice")
        return self
