"""A tariff written by hand, TOML or JSON. Text is a percentage or major units, a number basis points or minor units."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from console.amounts import basis_points, minor_units
from console.errors import BadInput
from console.written_by_hand import read_record
from schemas.tariff import Tariff

Json = dict[str, Any]

_PRICES = ("fee", "processing", "reward")


def read_tariff(path: Path, payee: str, currency: str, version: int) -> Tariff:
    """The file's tariff as this version of the payee's; what `kassa tariff show --json` prints can be read too.

    Raises BadInput with the file's name, where in it, and what is wrong.
    """
    try:
        value = read_record(path, "tariff")
        value.pop("version", None)
        if value.pop("payee", payee) != payee:
            raise BadInput(f"it is the tariff of another payee, not of {payee}")
        if value.get("rules") and "fee" not in value:
            raise BadInput('it has rules and no fee of its own: say what holds where none does, as fee = {rate = "5%"}')
        record = {**_priced(value, currency), "payee": payee, "version": version}
        record["rules"] = [_rule(rule, currency) for rule in _listed(value, "rules")]
        return Tariff.model_validate_json(orjson.dumps(record))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{path}: {where}{': ' if where else ''}{first['msg'].removeprefix('Value error, ')}") from None
    except (ValueError, orjson.JSONEncodeError, BadInput) as error:  # which is how orjson takes a number above 64 bits
        raise BadInput(f"{path}: {error}") from None


def _listed(value: Json, name: str) -> list[Any]:
    found = value.pop(name, [])
    if not isinstance(found, list):
        raise BadInput(f"{name}: {found!r} is not a list")
    return found


def _rule(rule: Any, currency: str) -> Json:
    if not isinstance(rule, dict):
        raise BadInput(f"{rule!r} is not a rule")
    found = _priced(rule, currency)
    for name, value in found.items():
        if name in ("amount_from", "amount_to") and isinstance(value, str):
            found[name] = minor_units(value, currency)
        elif isinstance(value, datetime):
            found[name] = value.isoformat()
        elif isinstance(value, time):
            if value.second or value.microsecond:
                raise BadInput(f"{name} is {value}: a time band begins and ends with a minute")
            found[name] = f"{value:%H:%M}"
    return found


def _priced(value: Json, currency: str) -> Json:
    """The same with prices in basis points and minor units."""
    found = dict(value)
    if {"reward_shares", "reward_shares_bps"} <= found.keys():
        raise BadInput("reward_shares and reward_shares_bps say the same: give one of them")
    shares = found.get("reward_shares")
    if isinstance(shares, list) and not any(isinstance(share, str) for share in shares):
        found["reward_shares_bps"] = found.pop("reward_shares")
    for name in _PRICES:
        if isinstance(found.get(name), dict):
            found[name] = _price(found[name], currency)
    if "reward_shares" in found:
        found["reward_shares_bps"] = [basis_points(str(share)) for share in _listed(found, "reward_shares")]
    return found


def _price(price: Json, currency: str) -> Json:
    """`rate`, `min`, `max` as people write them; `sum` is one sum whatever the amount."""
    readers: dict[str, tuple[str, Callable[[str], int]]] = {
        "rate": ("rate_bps", basis_points),
        "min": ("min_minor", lambda text: minor_units(text, currency)),
        "max": ("max_minor", lambda text: minor_units(text, currency)),
        "sum": ("min_minor", lambda text: minor_units(text, currency)),
    }
    if "sum" in price and price.keys() & {"rate", "min", "max", "rate_bps", "min_minor", "max_minor"}:
        raise BadInput("a price is a sum, or a rate with bounds, not both")
    found: Json = {}
    for name, value in price.items():
        key, read = readers.get(name, (name, None))
        if key in found:
            raise BadInput(f"a price says {key} twice: here as {name}")
        found[key] = read(value) if read is not None and isinstance(value, str) else value
    return found
