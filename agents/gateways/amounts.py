"""The amount of a payment as payees write it: major units, a dot, the currency's decimals."""

from __future__ import annotations

from schemas.entry import PaymentFacts
from schemas.money import Money


def sum_of(facts: PaymentFacts) -> str:
    return str(Money(facts.amount, facts.currency))


def sum_of_payer(facts: PaymentFacts) -> str:
    """What the payer gave for this payment: the amount and the fee on top, without change."""
    return str(Money(facts.amount + facts.fee, facts.currency))


def is_amount(text: str, facts: PaymentFacts) -> bool:
    """Is it the payment's own amount, with or without all the decimals?"""
    if text == sum_of(facts):
        return True
    try:
        return Money.parse(text, facts.currency).minor == facts.amount
    except ValueError:  # MoneyError, and Python's own for thousands of digits
        return False
