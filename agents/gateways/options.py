"""A protocol's own options in a gateway record, where it cannot do without them."""

from __future__ import annotations

from agents.gateways.errors import NotSent
from schemas.gateway import Gateway


def option(record: Gateway, name: str) -> str:
    """Raises NotSent where the record has none: nothing can be asked without it."""
    if name not in record.options:
        raise NotSent("bad-option", f"protocol {record.protocol} needs the option {name!r}")
    return record.options[name]
