"""Every metric, declared once: name, labels, unit and meaning. docs/metrics.md is made of this (console.metrics_page).

A process is a worker, a sink, notify or the partners' endpoint and shows the metrics of its registry. What is known
anyway when somebody asks (what is open, how far behind we are) is Read at scrape time by a collector and costs the hot
path nothing.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily

Part = Literal["worker", "sink", "notify", "partner"]

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for

WORKER, SINK, NOTIFY, PARTNER = CollectorRegistry(), CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
REGISTRIES: Mapping[Part, CollectorRegistry] = {"worker": WORKER, "sink": SINK, "notify": NOTIFY, "partner": PARTNER}
for _registry in REGISTRIES.values():
    ProcessCollector(registry=_registry)  # the client library's own process_*: memory, processor time, open files

_COUNTS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
_QUICK_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_SLOW_S = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the documentation says of a metric. `part`: whose it is."""

    part: Part
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    unit: str
    meaning: str


CATALOGUE: list[Declared] = []


@dataclass(frozen=True, slots=True)
class Read:
    """A gauge whose values are read when they are asked for."""

    declared: Declared

    def family(self, values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
        """The exposition of these values, each by its labels in their order."""
        family = GaugeMetricFamily(self.declared.name, self.declared.meaning, labels=self.declared.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family


def _counter(part: Part, name: str, unit: str, meaning: str, *labels: str) -> Counter:
    CATALOGUE.append(Declared(part, name, "counter", labels, unit, meaning))
    return Counter(name, meaning, labels, registry=REGISTRIES[part])


def _histogram(
    part: Part, name: str, unit: str, meaning: str, *labels: str, buckets: Sequence[float] = _QUICK_S
) -> Histogram:
    CATALOGUE.append(Declared(part, name, "histogram", labels, unit, meaning))
    return Histogram(name, meaning, labels, registry=REGISTRIES[part], buckets=buckets)


def _read(part: Part, name: str, unit: str, meaning: str, *labels: str) -> Read:
    CATALOGUE.append(Declared(part, name, "gauge", labels, unit, meaning))
    return Read(CATALOGUE[-1])


# --- worker: what it takes in, and how fast it decides
PARTITIONS_ASSIGNED = _read("worker", "kassa_partitions_assigned", "partitions", "partitions assigned to this worker")
PARTITIONS_OPEN = _read("worker", "kassa_partitions_open", "partitions", "of these, fenced, folded and deciding")
CONSUMER_LAG = _read(
    "worker", "kassa_consumer_lag_records", "records",
    "committed records of an assigned partition not decided yet; a transaction's marker counts until the next record",
    "topic", "partition",
)  # fmt: skip
BATCH_MESSAGES = _histogram(
    "worker", "kassa_batch_messages", "messages", "messages and payees' outcomes decided in one transaction",
    buckets=_COUNTS,
)  # fmt: skip
DECIDE_SECONDS = _histogram("worker", "kassa_decide_seconds", "seconds", "deciding one batch: rules and fold, no I/O")
COMMIT_SECONDS = _histogram("worker", "kassa_commit_seconds", "seconds", "writing one batch as a Kafka transaction")
TRANSACTIONS_FAILED = _counter(
    "worker", "kassa_transactions_failed_total", "transactions",
    "openings and commits that failed; the fold was dropped and is rebuilt from the ledger",
)  # fmt: skip
OPEN_SECONDS = _histogram(
    "worker", "kassa_open_seconds", "seconds", "recovery: fencing a partition and folding its ledger", buckets=_SLOW_S
)
SNAPSHOT_SECONDS = _histogram(
    "worker", "kassa_snapshot_seconds", "seconds", "archiving what is final and writing a partition's snapshot"
)
SNAPSHOTS_FAILED = _counter(
    "worker", "kassa_snapshots_failed_total", "snapshots",
    "snapshots that could not be written: what is final stays in memory until one is",
)  # fmt: skip
SNAPSHOTS_PASSED_OVER = _counter(
    "worker", "kassa_snapshots_passed_over_total", "snapshots",
    "snapshots found unusable when a partition was opened: damaged, or not of this ledger",
)  # fmt: skip
ENTRIES = _counter("worker", "kassa_entries_total", "entries", "entries committed to the ledger", "kind")
REJECTS = _counter("worker", "kassa_rejects_total", "messages", "messages quarantined on topic `rejects`", "reason")
PINS_NOT_SEALED = _counter(
    "worker", "kassa_pins_not_sealed_total", "vouchers",
    "vouchers sold whose PIN could not be sent to its terminal: a key is missing; it can be printed again",
)  # fmt: skip

# --- worker: what is open
OUTSTANDING = _read(
    "worker",
    "kassa_outstanding_payments",
    "payments",
    "open payments: HELD, QUEUED, SENT, UNKNOWN, MANUAL or WAITING_FUNDS",
    "gateway",
    "state",
)
OLDEST_UNKNOWN = _read(
    "worker", "kassa_oldest_unknown_age_seconds", "seconds",
    "how long ago the oldest payment now UNKNOWN was received; 0 when there is none",
)  # fmt: skip
FOLD_OPEN = _read(
    "worker", "kassa_fold_open_payments", "payments", "payments in the fold that are not final", "partition"
)
FOLD_PAYMENTS = _read("worker", "kassa_fold_payments", "payments", "all payments the fold has in memory", "partition")
DISPATCH_QUEUE = _read(
    "worker", "kassa_dispatch_queue_payments", "payments", "held payments that wait for a connection", "gateway"
)

# --- worker: checks before payment
CHECKS = _counter(
    "worker", "kassa_checks_total", "checks", "terminals' checks by who was asked and the code they were told",
    "source", "code",
)  # fmt: skip
CHECK_SECONDS = _histogram(
    "worker", "kassa_check_seconds", "seconds", "from a check's receipt by Kafka to its reply on the way", "source"
)

# --- worker: registries of payees that are served offline
REGISTRY_DELIVERIES = _counter(
    "worker", "kassa_registry_deliveries_total", "tries",
    "tries to deliver a registry: by file, mail or http; delivered or failed", "by", "result",
)  # fmt: skip

# --- worker: payees
GATEWAY_IN_FLIGHT = _read(
    "worker", "kassa_gateway_in_flight", "requests", "requests that have left, or wait for their turn at the rate",
    "gateway",
)  # fmt: skip
GATEWAY_BREAKER = _read(
    "worker", "kassa_gateway_breaker_open", "0, 0.5 or 1",
    "1: its circuit breaker is open and nothing is sent; 0.5: one request may go, to see; not shown without a breaker",
    "gateway",
)  # fmt: skip
GATEWAY_REQUESTS = _counter(
    "worker", "kassa_gateway_requests_total", "requests", "requests to payees by what came of them",
    "gateway", "step", "verdict",
)  # fmt: skip
GATEWAY_SECONDS = _histogram(
    "worker", "kassa_gateway_request_seconds", "seconds", "one request to a payee, answered or not", "gateway", "step"
)

# --- sink
SINK_ASSIGNED = _read("sink", "kassa_sink_partitions_assigned", "partitions", "partitions assigned to this sink")
SINK_BEHIND = _read(
    "sink", "kassa_sink_behind_records", "records",
    "committed records of an assigned partition not in their tables yet, as of the last look (every 2 s)",
    "topic", "partition",
)  # fmt: skip
SINK_ROWS = _counter("sink", "kassa_sink_rows_total", "rows", "rows inserted", "table")
SINK_BLOCKS = _counter(
    "sink", "kassa_sink_blocks_total", "blocks", "blocks inserted, each whole or not at all", "table"
)
SINK_INSERT_SECONDS = _histogram(
    "sink", "kassa_sink_insert_seconds", "seconds",
    "from looking for a block to knowing that it is in, with all waiting for the warehouse", "table",
)  # fmt: skip
WAREHOUSE_AWAY = _read(
    "sink", "kassa_sink_warehouse_away", "0 or 1", "1 while ClickHouse does not answer or cannot serve"
)

# --- notify
NOTIFY_WAITING = _read(
    "notify", "kassa_notify_waiting", "deliveries", "deliveries that are to be tried, again or yet", "channel"
)
NOTIFY_UNREACHED = _read(
    "notify", "kassa_notify_unreached", "recipients", "recipients whose last delivery was given up"
)
NOTIFY_TRIES = _counter(
    "notify", "kassa_notify_tries_total", "tries", "tries of deliveries by what came of them", "channel", "state"
)

# --- partner: what other systems ask of us
PARTNER_REQUESTS = _counter(
    "partner", "kassa_partner_requests_total", "requests", "partners' questions by what they were told",
    "partner", "command", "result",
)  # fmt: skip
PARTNER_SECONDS = _histogram(
    "partner", "kassa_partner_seconds", "seconds", "from a partner's question to its answer", "command",
)  # fmt: skip
PARTNER_REFUSED = _counter(
    "partner", "kassa_partner_refused_total", "requests", "not let in: wrong credentials or address, or too many", "why"
)  # fmt: skip
PARTNER_UNDER_WAY = _read("partner", "kassa_partner_under_way", "requests", "being answered now", "partner")


def batch(messages: int, decide_s: float, commit_s: float) -> None:
    """One batch was decided and committed."""
    BATCH_MESSAGES.observe(messages)
    DECIDE_SECONDS.observe(decide_s)
    COMMIT_SECONDS.observe(commit_s)


def committed(entry_kinds: Iterable[str], reject_reasons: Iterable[str]) -> None:
    """Count what one committed batch said."""
    for kind, count in Tally(entry_kinds).items():
        ENTRIES.labels(kind).inc(count)
    for reason, count in Tally(reject_reasons).items():
        REJECTS.labels(reason).inc(count)
