"""Identities that are given out once: a terminal's running numbers and ids of commands."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from console.errors import BadInput
from streams.keyring import terminal_key_file
from streams.settings import Settings

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def number_file(settings: Settings, terminal: str) -> Path:
    """Holds the last number given out, next to the terminal's key."""
    return terminal_key_file(settings, terminal).with_suffix(".number")


def reserve_numbers(settings: Settings, terminal: str, count: int = 1) -> int:
    """The first of `count` numbers nobody else on this machine gets, on disk before they are used.

    A crash in between leaves a gap, never a number used twice.
    """
    return _moved(number_file(settings, terminal), lambda last: last + count) + 1


def numbers_used(settings: Settings, terminal: str, last: int) -> None:
    """Numbers up to `last` were used by somebody who did not ask for them here: nobody else gets them."""
    _moved(number_file(settings, terminal), lambda given: max(given, last))


def _moved(path: Path, to: Callable[[int], int]) -> int:
    """The last number given out before; the file holds the next last one, on disk."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read().strip() or "0"
        if not (text.isascii() and text.isdigit()):
            raise BadInput(f"{path} does not hold a number: write the last number the terminal used into it")
        file.seek(0)
        file.write(f"{to(int(text))}\n")
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    return int(text)


def fresh_id() -> str:
    """A ULID: 48 bits of time and 80 random ones, in 26 letters and digits that sort by time."""
    value = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
