"""`kassa rebuild-warehouse`: ClickHouse anew from the topics, and what the old one had said differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from console.broker import require_topics
from console.confirming import Yes, confirm
from console.context import broker_settings
from console.errors import BadInput, Differs
from console.output import rows, say

if TYPE_CHECKING:
    from sinks.rebuild_proof import Compared


def register(app: typer.Typer) -> None:
    app.command("rebuild-warehouse")(rebuild_warehouse)


def rebuild_warehouse(yes: Yes = False) -> None:
    """Build ClickHouse anew from the topics, compare it with the old one, and put it in its place.

    Reports and sinks go on meanwhile. Exit code 1: what was built does not add up, and nothing was changed.
    """
    settings = broker_settings()
    if not settings.clickhouse:
        raise BadInput("no warehouse is known: set KASSA_CLICKHOUSE=http://host:8123")
    require_topics(settings)
    confirm(f"replace the tables of database {settings.database} at {settings.clickhouse}", yes)
    from sinks.rebuild import NotTheLedger, Rebuild  # ClickHouse's client takes half a second to import

    try:
        compared = Rebuild(settings, say).run()
    except NotTheLedger as error:
        raise Differs(str(error)) from None
    rows(
        ("table", "rows", "before and after", ""),
        [(one.table, f"{one.now + one.further:,}", _verdict(one), _more(one)) for one in compared],
        right=("rows",),
    )


def _verdict(one: Compared) -> str:
    return f"differed: {one.differs}" if one.differs else "identical"


def _more(one: Compared) -> str:
    notes = [f"{one.further:,} not loaded before"] if one.further else []
    notes += [f"{one.doubled:,} had been stored twice"] if one.doubled else []
    return ", ".join(notes)
