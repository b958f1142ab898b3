"""An agent's live balance: topic `balances`, compacted.

Key "<tree>/<agent>" for the tree's own currency, "<tree>/<agent>/<currency>" for a further one.
"""

from __future__ import annotations

from schemas.ids import AgentId, Currency, Instant, Wire


class Balance(Wire):
    """Minor units. available = balance + overdraft; `held` has already left `balance`.

    An agent with funding "shared" spends the money of the agent above it, whose record shows what is available.
    `seq` is the number of the tree's entry after which all this holds, `at` that entry's time.
    `status`: "open", "blocked" (and with it all below) or "closed" for good. `payment_max`, `daily_max`, `monthly_max`:
    none where there is no such limit; days are those of `time_zone`. `payees`: those permitted; none: all.
    """

    tree: AgentId
    agent: AgentId
    parent: AgentId | None
    name: str
    currency: Currency
    balance: int
    held: int
    overdraft: int
    available: int
    funding: str
    seq: int
    at: Instant
    status: str = "open"
    time_zone: str = "UTC"
    payment_max: int | None = None
    daily_max: int | None = None
    monthly_max: int | None = None
    payees: tuple[str, ...] = ()


def balance_key(tree: str, agent: str, further: str = "") -> str:
    """The key of an agent's balance. further: a currency that is not its tree's own."""
    return f"{tree}/{agent}/{further}" if further else f"{tree}/{agent}"
