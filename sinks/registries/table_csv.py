"""The day registry as a table for spreadsheets: UTF-8, `;`, a header, a row of totals, CRLF (RFC 4180)."""

from __future__ import annotations

import csv
import io

from sinks.registries.day import RegistryDay
from streams.spreadsheet import plain

HEADER = (
    "txn_id", "date", "time", "subscriber", "other_fields", "amount", "fee", "currency", "payment_id", "provider_ref",
)  # fmt: skip


def render(registry: RegistryDay) -> bytes:
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in registry.rows:
        writer.writerow(
            (
                row.txn,
                f"{row.paid_at:%d.%m.%Y}",
                f"{row.paid_at:%H:%M:%S}",
                plain(row.subscriber),
                plain(", ".join(f"{name}={value}" for name, value in row.others.items())),
                row.amount,
                row.fee,
                row.amount.currency,
                plain(row.payment_id),
                plain(row.provider_ref),
            )
        )
    count = len(registry.rows)
    writer.writerow(("Total:", "", "", count, "", registry.amount, registry.fee, registry.amount.currency, "", ""))
    return table.getvalue().encode()
