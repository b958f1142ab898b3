"""Exchanges between an agent's currencies, worked out again from the entries alone, with fractions. Pure."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from console.audit_ledger import where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind, Leg
from schemas.money import CURRENCIES

# A closing pays its payee out in each currency by itself.
_MAY_HAVE_SEVERAL = (EntryKind.EXCHANGED, EntryKind.WINDOW_CLOSED)


class ExchangeAudit:
    """Sees every entry once."""

    def __init__(self) -> None:
        self.check = Check("ledger.exchanges")

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        coins = {leg.currency for leg in entry.legs}
        wrong = ""
        self.check.looked_at += bool(coins)
        if entry.kind is EntryKind.EXCHANGED:
            wrong = _wrong(entry)
        elif entry.rate:
            wrong = f"is no exchange and has the rate {entry.rate}"
        elif len(coins) > 1 and entry.kind not in _MAY_HAVE_SEVERAL:
            wrong = f"moved {' and '.join(sorted(coins))}"
        if wrong:
            self.check.fail(f"{where(partition, offset, entry)}: {wrong}")


def _wrong(entry: Entry) -> str:
    """One agent gives in one currency and takes in another; the account `exchange` does the opposite."""
    given = [leg for leg in entry.legs if leg.account.startswith("agent:") and leg.amount < 0]
    taken = [leg for leg in entry.legs if leg.account.startswith("agent:") and leg.amount > 0]
    between = sorted((leg.currency, leg.amount) for leg in entry.legs if leg.account == "exchange")
    if (len(given), len(taken), len(between), len(entry.legs)) != (1, 1, 2, 4):
        return f"an exchange moved {[(leg.account, leg.currency, leg.amount) for leg in entry.legs]}"
    (give,), (take,) = given, taken
    if give.account != take.account or give.currency == take.currency:
        return f"exchanged {give.currency} of {give.account} for {take.currency} of {take.account}"
    if between != sorted((leg.currency, -leg.amount) for leg in (give, take)):
        return f"the account exchange has {between} for {give.amount} {give.currency} and {take.amount} {take.currency}"
    return _wrong_rate(entry.rate, give, take)


def _wrong_rate(rate: str, give: Leg, take: Leg) -> str:
    try:
        exact = (
            -give.amount * Fraction(rate) * Fraction(10 ** CURRENCIES[take.currency], 10 ** CURRENCIES[give.currency])
        )
    except (ValueError, ZeroDivisionError):
        return f"{rate!r} is no rate"
    if take.amount != floor(exact):
        return f"{-give.amount} {give.currency} at {rate} are {floor(exact)} {take.currency}, not {take.amount}"
    return ""
