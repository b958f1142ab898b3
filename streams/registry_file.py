"""A registry as a file. The same lines make the same bytes, whoever makes them and whenever.

tsv, the form this field exchanges most:

    txn_id <TAB> DD.MM.YYYY HH:MM:SS <TAB> subscriber <TAB> sum
    Total: <TAB> count <TAB> sum

csv and xlsx have a header, further columns, and the same totals. Times are in the payee's zone, sums in major units
with a dot.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.ids import ms_instant
from schemas.money import Money
from schemas.registry import RegistryCut, RegistryLine
from streams.registry_sheet import sheet
from streams.spreadsheet import BREAKS, plain

HEADER = ("txn_id", "date", "time", "subscriber", "other_fields", "amount", "currency", "payment_id")


def registry_bytes(cut: RegistryCut, lines: Sequence[RegistryLine]) -> bytes:
    """The whole file, in the form and zone of the cut. lines: all it has, in their order."""
    if cut.form == "tsv":
        return "".join(f"{line}\n" for line in _text(cut, lines)).encode()
    table = [HEADER, *_rows(cut, lines)]
    if cut.form == "xlsx":
        return sheet(table, ms_instant(cut.until))
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=";", lineterminator="\r\n")
    writer.writerows([plain(cell) for cell in row] for row in table)
    return written.getvalue().encode()


def _text(cut: RegistryCut, lines: Sequence[RegistryLine]) -> Iterator[str]:
    zone = ZoneInfo(cut.time_zone)
    for line in lines:
        number, _ = _subscriber(line)
        yield f"{line.txn}\t{_paid_at(line, zone):%d.%m.%Y %H:%M:%S}\t{number}\t{_sum(line.amount, cut)}"
    yield f"Total:\t{cut.lines}\t{_sum(cut.total, cut)}"


def _rows(cut: RegistryCut, lines: Sequence[RegistryLine]) -> Iterator[tuple[str, ...]]:
    zone = ZoneInfo(cut.time_zone)
    for line in lines:
        number, others = _subscriber(line)
        at = _paid_at(line, zone)
        day, time = f"{at:%d.%m.%Y}", f"{at:%H:%M:%S}"
        yield str(line.txn), day, time, number, others, _sum(line.amount, cut), line.currency, line.payment
    yield "Total:", "", "", str(cut.lines), "", _sum(cut.total, cut), cut.currency, ""


def _subscriber(line: RegistryLine) -> tuple[str, str]:
    """The subscriber's number, which is the payee's first field, and the others in one cell."""
    (_, number), *others = line.subscriber.items() or [("", "")]
    return BREAKS.sub(" ", number), BREAKS.sub(" ", ", ".join(f"{name}={value}" for name, value in others))


def _paid_at(line: RegistryLine, zone: ZoneInfo) -> datetime:
    return ms_instant(line.paid_at).astimezone(zone)


def _sum(amount: int, cut: RegistryCut) -> str:
    return str(Money(amount, cut.currency)) if cut.currency else str(amount)
