"""The day registry as text, the form this field exchanges most:

    txn_id <TAB> DD.MM.YYYY HH:MM:SS <TAB> subscriber <TAB> sum
    Total: <TAB> count <TAB> sum

UTF-8, lines end with LF, times in the payee's zone, sums in major units with a dot and the currency's decimals.
"""

from __future__ import annotations

from collections.abc import Iterator

from sinks.registries.day import RegistryDay
from streams.spreadsheet import BREAKS


def render(registry: RegistryDay) -> bytes:
    return "".join(f"{line}\n" for line in _lines(registry)).encode()


def _lines(registry: RegistryDay) -> Iterator[str]:
    for row in registry.rows:
        subscriber = BREAKS.sub(" ", row.subscriber)
        yield f"{row.txn}\t{row.paid_at:%d.%m.%Y %H:%M:%S}\t{subscriber}\t{row.amount}"
    yield f"Total:\t{len(registry.rows)}\t{registry.amount}"
