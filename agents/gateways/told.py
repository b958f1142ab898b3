"""What a payee tells of a subscriber besides yes and no: its name, debt and what else is to be shown, made fit to show.

Which of a payee's fields is what differs by dialect, so the gateway record's options name them: `name_field` ("name"),
`debt_field` ("debt"), `balance_field` ("balance": a debt with the other sign), `denominations_field` ("denominations").
Case does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from agents.gateways.xml_reply import plain
from schemas.money import MAX_MINOR, Money
from schemas.outcome import GatewayOutcome, Verdict
from schemas.tracking import MAX_DENOMINATIONS, MAX_LABEL, MAX_SHOWN, MAX_TEXT, Tracked

# Reads an amount as the protocol writes it, to minor units; None: it is none.
ReadAmount = Callable[[str], int | None]


def tracked(
    outcome: GatewayOutcome, told: Iterable[tuple[str, str]], options: Mapping[str, str], amount: ReadAmount
) -> Tracked:
    """told: name and text of each field, in the payee's order, as they came. Of an answer that is no yes it is nothing.

    A field that does not hold what it should is shown as it is; a name that is there twice counts the first time.
    """
    if outcome.verdict is not Verdict.CHECKED:
        return Tracked(outcome)
    fields: dict[str, str] = {}
    shown: list[tuple[str, str]] = []
    meant = {options.get(f"{what}_field", what).casefold(): what for what in _READ}
    for label, text in told:
        label, text = plain(label, MAX_LABEL), plain(text, MAX_TEXT)
        what = meant.get(label.casefold(), "")
        if what and what not in fields and _READ[what](text, amount):
            fields[what] = text
        elif label and len(shown) < MAX_SHOWN:
            shown.append((label, text))
    return Tracked(
        outcome,
        name=fields.get("name", ""),
        debt=_debt(fields, amount),
        denominations=_denominations(fields.get("denominations", ""), amount),
        shown=tuple(shown),
    )


def major_units(currency: str) -> ReadAmount:
    """Amounts such as 312.50, 312,5 or -15.20."""

    def read(text: str) -> int | None:
        try:
            minor = Money.parse(text.removeprefix("-").replace(",", "."), currency).minor
        except ValueError:  # MoneyError, and Python's own for thousands of digits
            return None
        return _bounded(-minor if text.startswith("-") else minor)

    return read


def minor_units(text: str) -> int | None:
    """Amounts such as 31250."""
    return _bounded(int(text)) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else None


def _bounded(minor: int) -> int | None:
    return minor if abs(minor) <= MAX_MINOR else None


def _debt(fields: Mapping[str, str], amount: ReadAmount) -> int | None:
    if "debt" in fields:
        return amount(fields["debt"])
    balance = amount(fields["balance"]) if "balance" in fields else None
    return None if balance is None else -balance


def _denominations(text: str, amount: ReadAmount) -> tuple[int, ...]:
    """Separated by semicolons, bars or blanks; all of them amounts above nothing, or none of them is."""
    read = [amount(one) or 0 for one in re.split(r"[;| ]+", text) if one]
    return tuple(sorted(set(read))) if len(read) <= MAX_DENOMINATIONS and all(minor > 0 for minor in read) else ()


def _is_amount(text: str, amount: ReadAmount) -> bool:
    return amount(text) is not None


# By what a field is: does its text hold that?
_READ: dict[str, Callable[[str, ReadAmount], bool]] = {
    "name": lambda text, _: bool(text),
    "debt": _is_amount,
    "balance": _is_amount,
    "denominations": lambda text, amount: bool(_denominations(text, amount)),
}
