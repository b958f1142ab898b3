"""Why a window cannot be posted."""

from __future__ import annotations

from sinks.settlement.windows import SettlementError


class NoChart(SettlementError):
    """No chart of accounts was in force when the window was closed."""


class NotMapped(SettlementError):
    """The chart that was in force has no number for an account that moved."""


class PostingsDiffer(SettlementError):
    """The legs in the warehouse are not those that the window's closing fixed. Nothing was written."""
