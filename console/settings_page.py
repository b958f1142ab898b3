"""docs/settings.md, from the settings themselves: `python -m console.settings_page > docs/settings.md`."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from streams.settings import Settings

_HEAD = """\
# Settings

Each setting is a variable `KASSA_<NAME>` or a line `name = value` in `kassa.toml` (another file: `KASSA_CONFIG`). The
variable wins over the file, and both win over the stack that runs in this directory (`stack.toml`, written by
`kassa up`). A value that cannot be used stops the command with one line that names it.

| setting | variable | default | bounds | what it is |
|---|---|---|---|---|
"""
_TAIL = """
Not settings: `KASSA_CONFIG` (the file above) and `KASSA_OPERATOR` (whose key signs commands; see [cli.md](cli.md)).

This page is made by `python -m console.settings_page > docs/settings.md`; a test compares it with the settings.
"""
# What the names alone say well enough in the code.
_WORDS = {
    "kafka_user": "who we are there, with SASL",
    "kafka_password": "its password; better in the environment than in a file",
    "clickhouse_user": "who reads and writes there",
    "clickhouse_password": "its password; better in the environment than in a file",
    "transaction_time_out_ms": "how long a batch's Kafka transaction may take before the broker aborts it",
    "log_level": "debug, info, warning or error, on stderr",
}


def page() -> str:
    """The whole page as Markdown."""
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items()) + _TAIL


def _row(name: str, field: FieldInfo) -> str:
    words = field.description or _WORDS.get(name, "")
    default = "" if field.default in ("", PydanticUndefined) else f"`{field.default}`"
    return f"| `{name}` | `KASSA_{name.upper()}` | {default} | {_bounds(field)} | {words} |\n"


def _bounds(field: FieldInfo) -> str:
    found: dict[str, Any] = {}
    for one in field.metadata:
        found |= {key: getattr(one, key) for key in ("ge", "le", "pattern") if getattr(one, key, None) is not None}
    if "pattern" in found:
        return f"`{found['pattern']}`".replace("|", "\\|")
    if "ge" in found:
        return f"{found['ge']} … {found['le']}" if "le" in found else f"at least {found['ge']}"
    return ""


if __name__ == "__main__":
    print(page(), end="")
