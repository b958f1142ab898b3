"""Records written by hand in a file, TOML or JSON."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import orjson

from console.errors import BadInput


def read_record(path: Path, what: str) -> dict[str, Any]:
    """The file's names and values: JSON where its name ends so, else TOML. `what` it is to be, for people.

    Raises BadInput without the file's name.
    """
    try:
        text = path.read_bytes()
        value = orjson.loads(text) if path.suffix == ".json" else tomllib.loads(text.decode())
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(str(error)) from None
    if not isinstance(value, dict):
        raise BadInput(f"is a list, not a {what}")
    if not value:  # which would be a tariff without prices
        raise BadInput(f"is empty, not a {what}")
    return value
