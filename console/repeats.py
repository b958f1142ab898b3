"""What this machine sent under an id, so that the same order given again is the same to the last byte.

The time an order was made is part of its content: a repeat with a new time would be a conflict, not a repeat.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import orjson

from schemas.ids import Wire
from streams.settings import Settings

Order = TypeVar("Order", bound=Wire)


def remembered(settings: Settings, order: Order, instant: str) -> Order:
    """The order as it was sent before under its id, when nothing but `instant` (a field's name) differs; else itself.

    The first order under an id is kept in a file only its owner can read: it may name a payer.
    """
    now = order.model_dump(mode="json")
    before = sent_before(settings, now["id"])
    if before is None:
        _write(_file(settings, now["id"]), orjson.dumps(now))
        return order
    if _given({**before, instant: None}) == _given({**now, instant: None}):
        return type(order).model_validate_json(orjson.dumps(before))
    return order


def _given(content: dict[str, Any]) -> dict[str, Any]:
    """Without what is not given, since a later version may know more that is not."""
    return {name: value for name, value in content.items() if value is not None}


def sent_before(settings: Settings, order_id: str) -> dict[str, Any] | None:
    """The content of the order this machine sent under an id, if any."""
    try:
        before = orjson.loads(_file(settings, order_id).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return before if isinstance(before, dict) else None


def _file(settings: Settings, order_id: str) -> Path:
    return settings.dir / "outbox" / f"{order_id}.json"


def _write(path: Path, text: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)
    part.replace(path)
