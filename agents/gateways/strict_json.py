"""JSON from a stranger, about money: whole numbers, every name once, nothing that only some readers take."""

from __future__ import annotations

import codecs
import json
from typing import Any, NoReturn

MAX_DIGITS = 18  # fits 64 bits whatever the digits are


class NotStrict(ValueError):
    """Not JSON one can rely on. The text says what is wrong and holds nothing of the document."""


def loads(body: bytes) -> object:
    """The value in these bytes, UTF-8. Raises NotStrict.

    Readers differ in what they make of a name that is there twice, of 1e3, 0.1, NaN and of numbers of a hundred digits,
    and a sum that two readers read differently is nobody's sum. So none of them is taken, wherever it stands.
    """
    try:
        return json.loads(
            body.removeprefix(codecs.BOM_UTF8).decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_no_fraction,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError:
        raise NotStrict("it is not UTF-8") from None
    except RecursionError:
        raise NotStrict("it is nested too deep") from None
    except NotStrict:
        raise
    except ValueError:
        raise NotStrict("it is not well-formed JSON") from None


def whole(value: object) -> int | None:
    """The value where it is a whole number; true and false are none."""
    return value if type(value) is int else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise NotStrict("a name is there twice in one object")
    return named


def _whole(digits: str) -> int:
    if len(digits.removeprefix("-")) > MAX_DIGITS:
        raise NotStrict("a number has more than 18 digits")
    return int(digits)


def _no_fraction(_digits: str) -> NoReturn:
    raise NotStrict("a number has a fraction or an exponent")


def _no_constant(_name: str) -> NoReturn:
    raise NotStrict("a number is infinite, or none")
