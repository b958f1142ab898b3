"""The doctor at the warehouse: is it there, and has it our tables?"""

from __future__ import annotations

import time

from console.doctor_clocks import judge_clock
from console.doctor_findings import Deadline, Finding, fail, ok, skipped
from sinks.errors import MigrationError, WarehouseAway, WarehouseRefused
from sinks.migrations import unapplied
from sinks.warehouse import connect, rows
from streams.settings import Settings

_ANSWER_S = 3.0


def look_at_warehouse(settings: Settings, deadline: Deadline) -> list[Finding]:
    """`warehouse`, `warehouse.tables` and `clock.warehouse`."""
    if not settings.clickhouse:
        return _without(fail("warehouse", "none is known", "set KASSA_CLICKHOUSE=http://host:8123"))
    within_s = deadline.within(_ANSWER_S)
    try:
        client = connect(settings, "default", connect_s=within_s, answer_s=within_s)
        try:
            before_ms = time.time() * 1000
            now, version = rows(client, "SELECT toUnixTimestamp64Milli(now64(3)), version()")[0]
            ours_ms = (before_ms + time.time() * 1000) / 2
            tables = _tables(settings, [one.name for one in unapplied(client, settings.database)])
        except MigrationError as error:
            tables = fail("warehouse.tables", str(error), "run the release that made these tables, or a newer one")
        finally:
            client.close()
    except WarehouseAway as error:
        advice = "start ClickHouse, or correct KASSA_CLICKHOUSE; until then the sink waits and nothing is lost"
        return _without(fail("warehouse", f"no answer from {settings.clickhouse}: {str(error)[:150]}", advice))
    except WarehouseRefused as error:
        advice = "look at KASSA_CLICKHOUSE, KASSA_CLICKHOUSE_USER and its rights"
        return _without(fail("warehouse", f"{settings.clickhouse} said no: {str(error)[:150]}", advice))
    return [
        ok("warehouse", f"ClickHouse {version} at {settings.clickhouse}"),
        tables,
        judge_clock("clock.warehouse", "ClickHouse's clock", round(int(now) - ours_ms)),
    ]


def _tables(settings: Settings, missing: list[str]) -> Finding:
    if missing:
        return fail("warehouse.tables", f"database {settings.database} lacks {', '.join(missing)}", "run `kassa init`")
    return ok("warehouse.tables", f"database {settings.database} is up to date")


def _without(finding: Finding) -> list[Finding]:
    why = "no warehouse to ask"
    return [finding, skipped("warehouse.tables", why), skipped("clock.warehouse", why)]
