"""What a payment costs the payer and what it earns the agents and the operator."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.ids import Minor, PayeeId, RateBps, Wire


class Rate(Wire):
    """A percentage of an amount, rounded down, with a floor and a ceiling in minor units."""

    rate_bps: RateBps = 0
    min_minor: Minor = 0
    max_minor: Minor | None = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.max_minor is not None and self.max_minor < self.min_minor:
            raise ValueError("max_minor is below min_minor")
        return self

    def of(self, amount: int) -> int:
        """The part of `amount` (minor units) this rate asks for (minor units)."""
        part = max(amount * self.rate_bps // 10_000, self.min_minor)
        return part if self.max_minor is None else min(part, self.max_minor)


class Fee(Rate):
    """What the payer pays on top. Base "collected": a percentage of everything put in; base "amount": of the amount."""

    base: Literal["collected", "amount"] = "amount"

    def within(self, total: int) -> int:
        """The fee inside `total` = amount + fee, minor units: 5 % of 100000 is 5000 by "collected", else 4762."""
        if self.base == "collected":
            return self.of(total)
        part = max(total - total * 10_000 // (10_000 + self.rate_bps), self.min_minor)
        return part if self.max_minor is None else min(part, self.max_minor)


class Tariff(Wire):
    """Directory record, topic `tariffs`, key: the payee's id.

    `fee` is what the payer pays on top and the agent keeps in cash; `processing` is what the operator takes of it
    from the agent's balance; `reward` is what the payee gives, shared by the agent (first share), the agents above
    it (next shares, nearest first) and the operator (the rest, with every rounding remainder).
    """

    payee: PayeeId
    version: Annotated[int, Field(ge=1, lt=2**31)] = 1
    fee: Fee = Fee()
    processing: Rate = Rate()
    reward: Rate = Rate()
    reward_shares_bps: Annotated[tuple[RateBps, ...], Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if sum(self.reward_shares_bps) > 10_000:
            raise ValueError("reward_shares_bps add up to more than 10000")
        return self
