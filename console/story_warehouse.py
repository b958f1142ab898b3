"""A payment's story from the warehouse: the same entries and legs, found by an index instead of read from the start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from console.story import FACTS, MovedLeg, Step, Story, said
from sinks.warehouse import connect, rows
from streams.settings import Settings

_MOVES_MONEY = frozenset({"HELD", "POSTED", "VOIDED", "REVERSED"})
_NEVER = datetime.fromtimestamp(0, UTC)
_COLUMNS = ("book", *FACTS)
_ABOUT = "FINAL WHERE payment_id = {payment:String}"


def from_warehouse(settings: Settings, payment: str) -> Story | None:
    """None: the warehouse has nothing of it, or not all, yet. Raises sinks.errors.SinkError when it cannot be asked."""
    client = connect(settings)
    try:
        facts = _facts(client, payment)
        steps = _steps(client, payment) if facts is not None else ()
    finally:
        client.close()
    # Entries and legs are two tables, and an entry may be there a moment before its legs.
    is_whole = all(step.legs for step in steps if step.kind in _MOVES_MONEY)
    return Story(payment, facts, steps) if facts is not None and is_whole else None


def _facts(client: Client, payment: str) -> dict[str, Any] | None:
    query = f"SELECT {', '.join(_COLUMNS)} FROM entries {_ABOUT} ORDER BY partition, offset DESC LIMIT 1"
    found = rows(client, query, {"payment": payment})
    return dict(zip(_COLUMNS, found[0], strict=True)) if found else None


def _steps(client: Client, payment: str) -> tuple[Step, ...]:
    legs: dict[tuple[int, int], list[MovedLeg]] = {}
    for partition, offset, account, amount, balance in rows(
        client,
        f"SELECT partition, offset, account, amount, balance FROM legs {_ABOUT} ORDER BY partition, offset, leg_no",
        {"payment": payment},
    ):
        legs.setdefault((partition, offset), []).append(MovedLeg(account, amount, balance))
    entries = rows(
        client,
        "SELECT partition, offset, at, kind, caused_by, refusal, reason, tries, due_at, outcome_step, outcome_verdict, "
        f"outcome_code, provider_ref, outcome_comment FROM entries {_ABOUT} ORDER BY partition, offset",
        {"payment": payment},
    )
    return tuple(
        Step(
            *(at, kind, by, refusal, reason, tries, due_at if due_at > _NEVER else None, said(*answer)),
            legs=tuple(legs.get((partition, offset), ())),
        )
        for partition, offset, at, kind, by, refusal, reason, tries, due_at, *answer in entries
    )
