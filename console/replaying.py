"""`kassa replay-rejects`: quarantined messages again, after what kept them from being believed was put right."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from console.broker import require_topics
from console.confirming import Yes, confirm
from console.context import broker_settings
from console.errors import BadInput
from console.output import rows, say
from schemas.reject import RejectReason
from streams.replay import Fate, Tally, Wanted, replay, survey
from streams.topics import COMMANDS, PAYMENTS


class Inbound(StrEnum):
    """The topics on which messages arrive."""

    PAYMENTS = PAYMENTS.name
    COMMANDS = COMMANDS.name


def register(app: typer.Typer) -> None:
    app.command("replay-rejects")(replay_rejects)


def replay_rejects(
    reason: Annotated[
        list[RejectReason] | None,
        typer.Option(help="Of this reason, whichever it is. Default: every reason that can be mended on our side."),
    ] = None,
    topic: Annotated[Inbound | None, typer.Option(help="That had arrived on this topic. Default: on either.")] = None,
    from_offset: Annotated[int, typer.Option(min=0, metavar="N", help="From this offset of rejects on.")] = 0,
    to_offset: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Up to this offset of rejects, itself included.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="So many messages at most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    yes: Yes = False,
) -> None:
    """Send quarantined messages again to the topic they had arrived on: once each, however often this is run."""
    settings = broker_settings()
    if to_offset is not None and to_offset < from_offset:
        raise BadInput(f"--to-offset {to_offset} is before --from-offset {from_offset}")
    require_topics(settings)
    reasons = frozenset(reason or [one for one in RejectReason if one.curable])
    topics = frozenset({topic.value} if topic else {PAYMENTS.name, COMMANDS.name})
    wanted = Wanted(reasons, topics, from_offset, to_offset, limit)
    tally = survey(settings, wanted)
    due = tally.count(Fate.REPLAYED)
    if dry_run or not due:
        _print(tally, "to be replayed")
        return
    confirm(f"replay {due:,} messages", yes)
    _print(replay(settings, wanted), Fate.REPLAYED.value)


def _print(tally: Tally, first: str) -> None:
    if not tally.of:
        say("nothing is in quarantine there")
        return
    columns = (first, Fate.BEFORE.value, Fate.INELIGIBLE.value, Fate.LEFT.value)
    lines = [(one.value, *(f"{tally.of[one][fate]:,}" for fate in Fate)) for one in RejectReason if one in tally.of]
    rows(("reason", *columns), lines, right=columns)
