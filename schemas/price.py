"""What a payment costs the payer, and what the payee gives for it: rates, fees, and the shares of a reward."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.ids import Minor, RateBps, Wire

# Digests of commands on old ledgers are of content without what came later, so a thing not said is not written.
_ROUNDING = Field(exclude_if=lambda rounding: rounding is None, description="of the part; half: halves go up")
Shares = Annotated[tuple[RateBps, ...], Field(max_length=16)]


class Rate(Wire):
    """A percentage of an amount, with a floor and a ceiling in minor units; rounded down where nothing is said.

    A rate of 0 with a floor is one sum, whatever the amount.
    """

    rate_bps: RateBps = 0
    min_minor: Minor = 0
    max_minor: Minor | None = None
    rounding: Annotated[Literal["down", "up", "half"] | None, _ROUNDING] = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.max_minor is not None and self.max_minor < self.min_minor:
            raise ValueError("max_minor is below min_minor")
        return self

    def of(self, amount: int) -> int:
        """The part of `amount` (minor units) this rate asks for (minor units)."""
        return self._bounded(_divided(amount * self.rate_bps, 10_000, self.rounding or "down"))

    def _bounded(self, part: int) -> int:
        part = max(part, self.min_minor)
        return part if self.max_minor is None else min(part, self.max_minor)


class Fee(Rate):
    """What the payer pays on top. Base "collected": a percentage of everything put in; base "amount": of the amount.

    Where nothing is said, a fee of base "amount" is rounded up, since the amount inside a total is rounded down.
    """

    base: Literal["collected", "amount"] = "amount"

    def within(self, total: int) -> int:
        """The fee inside `total` = amount + fee, minor units: 5 % of 100000 is 5000 by "collected", else 4762."""
        if self.base == "collected":
            return self.of(total)
        return self._bounded(_divided(total * self.rate_bps, 10_000 + self.rate_bps, self.rounding or "up"))

    def on_top(self, amount: int) -> int | None:
        """The fee (minor units) for an amount (minor units), such that `within` finds it in both together.

        None when there is none: where everything that is put in would be the fee. Near it other fees may fit too, since
        rounding hides a minor unit; this is the exact one, rounded.
        """
        if self.base == "amount":
            return self._bounded(_divided(amount * self.rate_bps, 10_000, self.rounding or "up"))
        if self.rate_bps == 10_000:
            return self.max_minor
        return self._bounded(_divided(amount * self.rate_bps, 10_000 - self.rate_bps, self.rounding or "down"))


class Prices(Wire):
    """What one rule asks and gives.

    `fee` is what the payer pays on top and the agent keeps in cash; `processing` is what the operator takes of it
    from the agent's balance; `reward` is what the payee gives, shared by the agent (first share), the agents above
    it (next shares, nearest first) and the operator (the rest, with every rounding remainder).
    """

    fee: Fee = Fee()
    processing: Rate = Rate()
    reward: Rate = Rate()
    reward_shares_bps: Shares = ()

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if sum(self.reward_shares_bps) > 10_000:
            raise ValueError("reward_shares_bps add up to more than 10000")
        return self


def _divided(dividend: int, divisor: int, rounding: str) -> int:
    if rounding == "up":
        return -(-dividend // divisor)
    if rounding == "half":
        return (2 * dividend + divisor) // (2 * divisor)
    return dividend // divisor
