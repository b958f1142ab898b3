"""What can be wrong with a ledger."""

from __future__ import annotations


class LedgerCorrupt(Exception):
    """The log contradicts itself: an entry is missing, doubled or was altered.

    The worker must stop. The state that was being folded is half changed and must be thrown away.
    """


class Undecidable(Exception):
    """`decide` failed in a way nobody foresaw: a fault of ours, which is its cause. The state is what it was."""
