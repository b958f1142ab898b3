"""A protocol's own options in a gateway record: those it cannot do without, and those it knows."""

from __future__ import annotations

from collections.abc import Mapping

from agents.gateways.errors import NotSent
from schemas.gateway import COMPLETE, Gateway

# Which of a payee's fields is what (agents.gateways.told).
_FIELDS = {"name_field": False, "debt_field": False, "balance_field": False, "denominations_field": False}

# Protocol -> option -> is it needed? A protocol that is not here takes what it is given.
OPTIONS: Mapping[str, Mapping[str, bool]] = {
    "osmp": {"repeats": False, **_FIELDS},
    "two-phase": {COMPLETE: False, **_FIELDS},
    "agent-xml": {"login": True, "terminal": True, "service": True, "password": True, "digest": False, **_FIELDS},
    "signed-kv": {
        "sd": True,
        "ap": True,
        "op": True,
        "key": True,
        "payee_key": True,
        "digest": False,
        "account_field": False,
        "accept_keys": False,
        "pay_is_final": False,
        "check_path": False,
        "pay_path": False,
        "status_path": False,
        **_FIELDS,
    },
}


# What an option may say, where another word would be passed over: a payee that books twice must not be asked twice.
_VALUES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("osmp", "repeats"): ("never",),
    ("agent-xml", "digest"): ("sha256", "md5"),
    ("signed-kv", "digest"): ("sha256", "sha1"),
    ("signed-kv", "pay_is_final"): ("yes", "no"),
}


def option(record: Gateway, name: str) -> str:
    """Raises NotSent where the record has none: nothing can be asked without it."""
    if name not in record.options:
        raise NotSent("bad-option", f"protocol {record.protocol} needs the option {name!r}")
    return record.options[name]


def wrong_options(record: Gateway) -> str:
    """What is wrong with the names of its options, in words; "": nothing is."""
    known = OPTIONS.get(record.protocol)
    if known is None:
        return ""
    missing = [name for name, is_needed in known.items() if is_needed and name not in record.options]
    if missing:
        return f"protocol {record.protocol} needs the options {', '.join(missing)}"
    unknown = [name for name in record.options if name not in known]
    if unknown:
        return f"protocol {record.protocol} has no option {unknown[0]!r}; it has {', '.join(known)}"
    for name, value in record.options.items():
        meant = _VALUES.get((record.protocol, name))
        if meant is not None and value not in meant:
            return f"{name} is {' or '.join(meant)}, and not {value!r}"
    return ""
