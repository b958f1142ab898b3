"""The day registry as text, the form this field exchanges most:

    txn_id <TAB> DD.MM.YYYY HH:MM:SS <TAB> subscriber <TAB> sum
    Total: <TAB> count <TAB> sum

UTF-8, lines end with LF, times in the payee's zone, sums in major units with a dot and the currency's decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sinks.registries.day import RegistryDay

# A subscriber's number with one of these in it would make two columns or two lines of one.
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def render(registry: RegistryDay) -> bytes:
    return "".join(f"{line}\n" for line in _lines(registry)).encode()


def _lines(registry: RegistryDay) -> Iterator[str]:
    for row in registry.rows:
        subscriber = _BREAKS.sub(" ", row.subscriber)
        yield f"{row.txn}\t{row.paid_at:%d.%m.%Y %H:%M:%S}\t{subscriber}\t{row.amount}"
    yield f"Total:\t{len(registry.rows)}\t{registry.amount}"
