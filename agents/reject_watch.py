"""Who and what is rejected on one partition, and when a person should hear of it.

`look` says what a batch would lead to and changes nothing, for the batch may fail and be decided again; `keep` makes
the last look true once the batch is committed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.token_bucket import TokenBucket
from schemas.alert import Alert, AlertKind, Severity
from schemas.ids import ms_instant
from schemas.keys import owner_of
from streams.arrival import Ask, Check, Item, Look, Quarantine, Tell

# Senders whose runs of rejects are remembered; beyond it the one longest without a reject is forgotten.
MAX_RUNS = 10_000


@dataclass(frozen=True, slots=True)
class Run:
    """Rejects of one sender in a row. since: the first, ms UTC."""

    since: int
    count: int = 0


@dataclass(slots=True)
class _Draft:
    """What the last look found. runs: of the senders in the batch; None: a good message ended it."""

    rejected: int = 0
    storm: Run | None = None
    runs: dict[str, Run | None] = field(default_factory=dict)


class RejectWatch:
    """`place` is "<topic>/<partition>"; `whose` says which (tree, agent) has a sender, ("", "") for operators.

    A storm begins when the bucket is empty and is over when it is half full again: one alert each.
    """

    def __init__(
        self, place: str, bucket: TokenBucket, burst: int, in_a_row: int, whose: Callable[[str], tuple[str, str]]
    ) -> None:
        self._place = place
        self._bucket = bucket
        self._calm = burst / 2
        self._in_a_row = in_a_row
        self._whose = whose
        self._storm: Run | None = None
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._draft = _Draft()

    @property
    def is_storm(self) -> bool:
        return self._storm is not None

    def look(self, items: Sequence[Item], at: int, rejected: Sequence[Quarantine]) -> list[Alert]:
        """The alerts of a batch of these items, of which the ledger rejected these; at: ms UTC."""
        self._draft = _Draft(len(rejected), self._storm)
        return [*self._look_at_storm(at), *self._look_at_runs(items, at, {one.arrival.offset for one in rejected})]

    def keep(self) -> None:
        """The batch of the last look is committed."""
        draft, self._draft = self._draft, _Draft(storm=self._draft.storm)
        self._bucket.take(draft.rejected)
        self._storm = draft.storm
        for sender, run in draft.runs.items():
            if run is None:
                self._runs.pop(sender, None)
            else:
                self._runs[sender] = run
                self._runs.move_to_end(sender)
        while len(self._runs) > MAX_RUNS:
            self._runs.popitem(last=False)

    def _look_at_storm(self, at: int) -> list[Alert]:
        draft, level = self._draft, self._bucket.level - self._draft.rejected
        if self._storm is None:
            if level >= 1 or not draft.rejected:
                return []
            draft.storm = Run(at, draft.rejected)
            text = f"{self._place} has more to reject than the limit allows: it is read slowly until that is over"
            return [self._storm_alert(draft.storm, Severity.CRITICAL, text, at)]
        storm = draft.storm = Run(self._storm.since, self._storm.count + draft.rejected)
        if level < self._calm:
            return []
        draft.storm = None
        text = f"the storm on {self._place} is over: {storm.count:,} messages were rejected"
        return [self._storm_alert(storm, Severity.INFO, text, at, over=True)]

    def _storm_alert(self, storm: Run, severity: Severity, text: str, at: int, over: bool = False) -> Alert:
        return Alert(
            kind=AlertKind.REJECT_STORM,
            subject=self._place,
            severity=severity,
            text=text,
            at=ms_instant(at),
            since=ms_instant(storm.since),
            count=storm.count,
            over=over,
        )

    def _look_at_runs(self, items: Sequence[Item], at: int, rejected: set[int]) -> list[Alert]:
        alerts = []
        runs = self._draft.runs
        for item in items:
            sender = _sender(item)
            if isinstance(item, Look | Tell) or not sender or item.arrival is None:
                continue
            before = runs[sender] if sender in runs else self._runs.get(sender)
            if item.arrival.offset in rejected:
                run = runs[sender] = Run(before.since if before else at, before.count + 1 if before else 1)
                if run.count == self._in_a_row:
                    text = f"the last {run.count} messages signed by {sender} were all rejected"
                    alerts.append(self._run_alert(sender, run, Severity.WARNING, text, at))
            elif before is not None:
                runs[sender] = None
                if before.count >= self._in_a_row:
                    text = f"a message of {sender} was good again, after {before.count:,} rejected in a row"
                    alerts.append(self._run_alert(sender, before, Severity.INFO, text, at, over=True))
        return alerts

    def _run_alert(self, sender: str, run: Run, severity: Severity, text: str, at: int, over: bool = False) -> Alert:
        tree, agent = self._whose(sender)
        return Alert(
            kind=AlertKind.REJECTS_IN_A_ROW,
            subject=sender,
            agent=agent,
            severity=severity,
            text=text,
            at=ms_instant(at),
            since=ms_instant(run.since),
            count=run.count,
            over=over,
            tree=tree,
        )


def _sender(item: Item) -> str:
    """Who provably signed it; "" when nobody did, or when nothing was decided about it here."""
    match item:
        case Quarantine():
            return owner_of(item.signer)
        case Check():
            return item.request.terminal
        case Ask():
            return owner_of(getattr(item.command, "by", ""))
        case _:
            return ""
