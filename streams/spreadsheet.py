"""What a payer typed in, in a file that people open: never a formula, never two columns or two lines of one."""

from __future__ import annotations

import re

# A spreadsheet evaluates a cell of text that begins with one of these.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def plain(text: str) -> str:
    """The text as a cell that no spreadsheet evaluates: an apostrophe in front makes it text."""
    return f"'{text}" if text.startswith(FORMULA) else text
