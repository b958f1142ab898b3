"""Money as whole minor units of one ISO 4217 currency; floats are nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

# ISO 4217 code -> exponent: how many decimal digits the minor unit has.
CURRENCIES: dict[str, int] = {
    "AED": 2, "AMD": 2, "AUD": 2, "AZN": 2, "BDT": 2, "BGN": 2, "BHD": 3, "BRL": 2, "BYN": 2, "CAD": 2,
    "CHF": 2, "CLP": 0, "CNY": 2, "COP": 2, "CZK": 2, "DKK": 2, "EGP": 2, "EUR": 2, "GBP": 2, "GEL": 2,
    "GHS": 2, "HKD": 2, "HUF": 2, "IDR": 2, "ILS": 2, "INR": 2, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0,
    "KES": 2, "KGS": 2, "KRW": 0, "KWD": 3, "KZT": 2, "LYD": 3, "MAD": 2, "MDL": 2, "MNT": 2, "MXN": 2,
    "MYR": 2, "NGN": 2, "NOK": 2, "NZD": 2, "OMR": 3, "PEN": 2, "PHP": 2, "PKR": 2, "PLN": 2, "QAR": 2,
    "RON": 2, "RSD": 2, "RUB": 2, "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2, "TJS": 2, "TMT": 2, "TND": 3,
    "TRY": 2, "TWD": 2, "TZS": 2, "UAH": 2, "UGX": 0, "USD": 2, "UZS": 2, "VND": 0, "XAF": 0, "XOF": 0,
    "ZAR": 2,
}  # fmt: skip

# No single amount may exceed this many minor units: sums of billions of them still fit a signed 64-bit integer.
MAX_MINOR = 10**12

_DECIMAL = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)


class MoneyError(ValueError):
    """The text is not an amount of that currency."""


@dataclass(frozen=True, slots=True)
class Money:
    """Whole minor units of one currency. Never a float."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise MoneyError(f"unknown currency {self.currency!r}: expected an ISO 4217 code")

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read "200", "200.5" or "200.00" in major units; more digits than the currency has is an error."""
        exponent = CURRENCIES.get(currency)
        if exponent is None:
            raise MoneyError(f"unknown currency {currency!r}: expected an ISO 4217 code")
        match = _DECIMAL.fullmatch(text)
        if match is None or len(match[2] or "") > exponent:
            raise MoneyError(f"{text!r} is not an amount in {currency} with at most {exponent} decimals")
        return cls(int(match[1]) * 10**exponent + int((match[2] or "").ljust(exponent, "0") or "0"), currency)

    def __str__(self) -> str:
        """Major units with a dot and every decimal of the currency: 200.00"""
        exponent = CURRENCIES[self.currency]
        sign, digits = "-" if self.minor < 0 else "", str(abs(self.minor)).rjust(exponent + 1, "0")
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else sign + digits

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def split(self, rate_bps: int) -> tuple[Money, Money]:
        """(share, rest): the share rounds down, so both add up to the whole."""
        share = Money(self.minor * rate_bps // 10_000, self.currency)
        return share, self - share

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise MoneyError(f"cannot mix {self.currency} and {other.currency}")
        return other.minor
