"""The accounts of a book, and which of them each step of a payment moves. Credit positive, debit negative."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.change import account_change
from schemas.entry import Leg, PaymentFacts
from schemas.ids import account_agent, account_hold
from streams.ledger.state import Book

BANK = "bank"
FEE = "fee"
REWARD = "reward"
UNCLAIMED = "unclaimed"  # change that nobody came for in time
EXCHANGE = "exchange"
AGENT_FEES = "agent-fees"

# Memo accounts: what is in terminals is no money between agents and the operator.
MEMO = ("cash:", "cash-taken:")

Movements = list[tuple[str, int]]  # account, minor units


def account_payee(payee: str) -> str:
    """What is owed to a payee."""
    return f"payee:{payee}"


def account_cash(terminal: str) -> str:
    """What a terminal's collections were short of, as a debit; a surplus is a credit."""
    return f"cash:{terminal}"


def account_cash_taken(agent: str) -> str:
    """The other side of its terminals' accounts."""
    return f"cash-taken:{agent}"


def holding(facts: PaymentFacts) -> Movements:
    """Reserve the payer's change that was spent and the agent's money, which the cash for the rest replaces.

    Where the change is more than what is held, the rest of it is the agent's part of the fee.
    """
    return [
        *((account_change(mark), -amount) for mark, amount in facts.spent),
        (account_agent(facts.payer_agent), facts.from_change - facts.held),
        (account_hold(facts.payer_agent), facts.held),
    ]


def releasing(facts: PaymentFacts) -> Movements:
    """Give the reserved money back."""
    return [(account_hold(facts.payer_agent), -facts.held), (account_agent(facts.payer_agent), facts.held)]


def posting(facts: PaymentFacts) -> Movements:
    """Make the reservation final; then the payee's reward is shared out as it was fixed when funds were held."""
    payee = account_payee(facts.payee)
    return [
        (account_hold(facts.payer_agent), -facts.held),
        (payee, facts.amount),
        (FEE, facts.processing),
        (payee, -sum(share for _, share in facts.rewards)),
        *facts.rewards,
    ]


def legs_of(book: Book, currency: str, movements: Iterable[tuple[str, int]]) -> tuple[Leg, ...]:
    """The movements as the next lines of the accounts' statements. Empty movements are left out."""
    legs: list[Leg] = []
    ends: dict[str, Leg] = {}
    for account, amount in movements:
        if not amount:
            continue
        end = ends.get(account) or book.accounts.get((account, currency))
        seq, balance = (end.seq, end.balance) if end is not None else (0, 0)
        leg = Leg(account, currency, amount, seq + 1, balance + amount)
        ends[account] = leg
        legs.append(leg)
    return tuple(legs)
