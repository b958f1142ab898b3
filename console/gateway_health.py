"""`kassa gateway health`: how the gateways are, as the workers of this machine have them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from console.context import load_settings
from console.errors import KassaError
from console.options import AsJson
from console.output import json_line, rows
from streams import metrics

_ANSWER_S = 5.0
# A proxy that the environment names is for the outside world.
_ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
_NAMES = {
    metrics.GATEWAY_BREAKER.declared.name: "breaker",
    metrics.GATEWAY_IN_FLIGHT.declared.name: "in_flight",
    metrics.DISPATCH_QUEUE.declared.name: "waiting",
}
_REQUESTS = "kassa_gateway_requests_total"
_CIRCUITS = {0.0: "closed", 0.5: "half-open", 1.0: "open"}
_COLUMNS = ("worker", "gateway", "breaker", "in flight", "waiting", "answered", "unclear", "not sent")


class NoWorkers(KassaError):
    """No worker of this machine tells how its gateways are."""


@dataclass(slots=True)
class Seen:
    """One gateway at one worker. breaker: "-" where it has none. asked: requests by verdict since the worker began."""

    breaker: str = "-"
    in_flight: int = 0
    waiting: int = 0
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def answered(self) -> int:
        return sum(self.asked.values()) - self.asked["UNCLEAR"] - self.asked["NOT_SENT"]


def health(as_json: AsJson = False) -> None:
    """How the gateways are, at each worker of this machine: breaker, requests in flight, payments that wait."""
    settings = load_settings()
    found = list(_workers(settings.dir / "run"))
    if not found:
        raise NoWorkers(f"no worker with its address in {settings.dir / 'run'} answers (setting http)")
    lines = [(worker, gateway, seen) for worker, page in found for gateway, seen in sorted(seen_in(page).items())]
    if as_json:
        for worker, gateway, seen in lines:
            json_line({"worker": worker, "gateway": gateway, "breaker": seen.breaker, "in_flight": seen.in_flight,
                       "waiting": seen.waiting, "asked": dict(seen.asked)})  # fmt: skip
        return
    rows(_COLUMNS, (_line(*line) for line in lines), right=_COLUMNS[3:])


def seen_in(page: str) -> dict[str, Seen]:
    """By gateway, what a worker's page of metrics says. Raises ValueError when it is none."""
    found: dict[str, Seen] = defaultdict(Seen)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == _REQUESTS:
                found[sample.labels["gateway"]].asked[sample.labels["verdict"]] += int(sample.value)
            elif (name := _NAMES.get(sample.name)) is not None:
                value = _CIRCUITS.get(sample.value, "-") if name == "breaker" else int(sample.value)
                setattr(found[sample.labels["gateway"]], name, value)
    return dict(found)


def _workers(run: Path) -> Iterator[tuple[str, str]]:
    """(name, page of metrics) of every worker that answers."""
    for path in sorted(run.glob("*.http")):
        try:
            with _ask(f"{path.read_text().strip()}/metrics", timeout=_ANSWER_S) as response:
                page = response.read().decode()
        except (OSError, ValueError, urllib.error.URLError):
            continue
        if metrics.PARTITIONS_ASSIGNED.declared.name in page:
            yield path.stem, page


def _line(worker: str, gateway: str, seen: Seen) -> Sequence[object]:
    unclear, not_sent = seen.asked["UNCLEAR"], seen.asked["NOT_SENT"]
    return worker, gateway, seen.breaker, seen.in_flight, seen.waiting, seen.answered, unclear, not_sent
