"""The settings a command runs with, and what is wrong with them in one line."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from console.errors import BadInput, NoBroker
from console.explain import fields
from streams.settings import Settings, SettingsUnreadable

_PREFIX = "KASSA_"
# Read by the command line itself, not settings: where the file is, and whose key signs commands.
_OTHERS = {"KASSA_CONFIG", "KASSA_OPERATOR"}


def load_settings() -> Settings:
    """Settings of this process; raises BadInput naming the setting, or the file that cannot be read."""
    config = os.environ.get("KASSA_CONFIG")
    if config is not None and not Path(config).is_file():
        raise BadInput(f"KASSA_CONFIG={config}: there is no such file")
    try:
        return Settings()
    except ValidationError as error:
        raise BadInput(f"settings: {fields(error)}: change KASSA_<NAME> or kassa.toml (docs/settings.md)") from None
    except SettingsUnreadable as error:
        raise BadInput(str(error)) from None
    except SettingsError as error:
        raise BadInput(f"settings: {error}") from None


def broker_settings() -> Settings:
    """The same for a command that needs Kafka; raises NoBroker when none is known."""
    settings = load_settings()
    if not settings.kafka:
        raise NoBroker("no broker is known: start one with `kassa up`, or set KASSA_KAFKA=host:port")
    return settings


def misspelt_variables() -> list[str]:
    """A sentence for each KASSA_* variable that no setting has: a typing error would otherwise change nothing."""
    known = {_PREFIX + name.upper() for name in Settings.model_fields} | _OTHERS
    notes = []
    for name in sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known):
        near = difflib.get_close_matches(name, known, n=1)
        notes.append(f"{name} is not a setting" + (f": did you mean {near[0]}?" if near else ""))
    return notes
