"""What can be wrong with a ledger."""

from __future__ import annotations


class LedgerCorrupt(Exception):
    """The log contradicts itself: an entry is missing, doubled or was altered.

    The worker must stop. The state that was being folded is half changed and must be thrown away.
    """
