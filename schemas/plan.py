"""What agents pay for being served: a plan of periodic fees, and what an entry says of one that was charged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Self

import orjson
from pydantic import Field, StringConstraints, model_validator

from schemas.ids import AgentId, Currency, Minor, Wire
from schemas.period import PeriodKind, earlier, following, period_of

# Periods that are charged at once, the current one among them, where nobody charged for long.
PERIODS_BACK = 24

PlanId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class Plan(Wire):
    """Directory record, topic `plans`, key: the plan's id. Amounts in minor units.

    A period is charged when it has begun, by the calendar of the tree.
    """

    id: PlanId
    tree: AgentId
    agents: Annotated[
        tuple[AgentId, ...], Field(max_length=200, description="whom it is for; an empty list: every agent of the tree")
    ] = ()
    fixed: Annotated[Minor, Field(description="of each agent")] = 0
    per_terminal: Annotated[Minor, Field(description="of each terminal of the agent that has a key in force")] = 0
    currency: Currency
    period: PeriodKind
    starts: Annotated[date, Field(description="the period this day lies in is the first that is charged")]
    is_paused: Annotated[bool, Field(description="nothing is charged; its periods are when it goes on")] = False

    @model_validator(mode="after")
    def _costs_something(self) -> Self:
        if not self.fixed and not self.per_terminal:
            raise ValueError("a plan has a fixed fee, or one per terminal, or both")
        if len(set(self.agents)) < len(self.agents):
            raise ValueError("an agent is listed twice")
        return self

    def next_period(self, last: str, opened: str, today: str) -> tuple[str, str]:
        """(the period to be charged next, the first that could be) to an agent that was opened on that day.

        opened: in the plan's currency. last: the one charged before, "": none. Not before the plan starts, before the
        agent was opened, or before the last PERIODS_BACK periods.
        """
        begins = max(period_of(self.starts.isoformat(), self.period), period_of(opened, self.period))
        since = max(begins, earlier(period_of(today, self.period), PERIODS_BACK - 1))
        return max(since, following(last)) if last else since, since

    def digest(self) -> str:
        """128-bit hash of the record, by which an entry says what it was charged by; 32 hex digits."""
        canonical = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(canonical, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee as its entry has it; minor units. amount: fixed, and per_terminal for each of `terminals`.

    payer: whose money it is, the agent itself or the one above whose money it spends. period: such as "2026-11".
    since: the first period that the plan charged this agent for, or goes on with. plan_digest: of the plan's record.
    """

    plan: str
    agent: str
    payer: str
    period: str
    since: str
    currency: str
    fixed: int
    per_terminal: int
    terminals: int
    amount: int
    plan_digest: str
