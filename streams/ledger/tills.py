"""What should be in a terminal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Till:
    """The cash of one terminal, agent and currency since it was last collected; minor units.

    collections: how many there were. first_entry: the book's first entry after the last of them.
    """

    expected: int = 0
    collections: int = 0
    first_entry: int = 1
