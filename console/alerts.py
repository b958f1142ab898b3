"""`kassa alerts`: what people should know about, as the workers said it. `kassa deliveries`: who was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from pydantic import ValidationError

from console.context import broker_settings
from console.lookup import table
from console.options import AsJson
from console.output import listing, note
from schemas.alert import EVENTS, Alert
from schemas.delivery import Delivery, DeliveryState
from streams.compacted import read_to_end
from streams.settings import Settings
from streams.topics import ALERTS, DELIVERIES


def register(app: typer.Typer) -> None:
    app.command("alerts")(alerts)
    app.command("deliveries")(deliveries)


def alerts(
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Only those of this agent; '' are the operator's.")
    ] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only what is not over.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The last so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The alerts of the last year, oldest first: read from the topic itself, no worker is asked."""
    found = [alert for alert in _read(broker_settings()) if agent in (None, alert.agent)]
    if open_only:
        found = _open(found)
    found = found[-limit:]
    lines = (
        (f"{one.at:%Y-%m-%d %H:%M:%S}", one.severity.value, one.kind.value, one.subject, one.agent or "-", one.text)
        for one in found
    )
    listing(found, as_json, ("at (UTC)", "severity", "kind", "subject", "agent", "what"), lines)


def deliveries(
    state: Annotated[DeliveryState | None, typer.Option(help="Only those that came to this.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The last so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """To whom the alerts of the last year were delivered, and why not. Recipients are named by a hash."""
    found = sorted(table(broker_settings(), DELIVERIES, Delivery).values(), key=lambda one: one.at)
    found = [one for one in found if state in (None, one.state)][-limit:]
    columns = ("at (UTC)", "state", "tries", "kind", "subject", "to", "why")
    listing(found, as_json, columns, map(_line, found), right=("tries",))


def _line(one: Delivery) -> tuple[object, ...]:
    begin = "over: " if one.alert.over else ""
    to = f"{one.contact} {one.channel} {one.recipient}".strip() or "-"
    kind = begin + one.alert.kind.value
    return f"{one.at:%Y-%m-%d %H:%M:%S}", one.state.value, one.tries, kind, one.alert.subject, to, one.why or "-"


def _read(settings: Settings) -> Iterator[Alert]:
    for message in read_to_end(settings, ALERTS):
        try:
            yield Alert.model_validate_json(message.value() or b"")
        except ValidationError:
            note(f"{ALERTS.name} offset {message.offset()} is no alert")


def _open(found: list[Alert]) -> list[Alert]:
    """The newest word on each occurrence that is not over."""
    newest = {(one.kind, one.subject, one.since): one for one in found}
    return [one for one in newest.values() if not one.over and one.kind not in EVENTS]
