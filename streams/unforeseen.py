"""A fault of ours, met while a message was worked on: where it was, and nothing of what was in the message."""

from __future__ import annotations

import traceback
from pathlib import Path


def place_of(error: BaseException) -> str:
    """ "KeyError at place.py:31": the line that raised it. The exception's own words may quote the message."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
