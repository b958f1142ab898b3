"""Metrics: declared, documented and shown once, and the fold's are what the fold says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from agents.vitals import folds
from console.metrics_page import page
from schemas.outcome import Verdict
from schemas.reject import HEADER_REASON, RejectReason
from streams import metrics
from streams.arrival import Arrival, Quarantine
from streams.outbox import Outbox, quarantined
from tests.builders import AT, a_place, a_settle, a_state, a_tree, decided

DOCS = Path(__file__).parent.parent / "docs"


def test_every_metric_is_documented_and_none_that_is_not_declared() -> None:
    """Made by `python -m console.metrics_page > docs/metrics.md`."""
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(kassa_\w+)` \|", text, re.MULTILINE) == [one.name for one in metrics.CATALOGUE]
    assert text == page()


def test_operations_speak_of_metrics_that_are_there() -> None:
    said = set(re.findall(r"\bkassa_[a-z_]+", (DOCS / "operations.md").read_text(encoding="utf-8")))
    known = {one.name for one in metrics.CATALOGUE}
    known |= {f"{one.name}_{end}" for one in metrics.CATALOGUE if one.kind == "histogram" for end in ("bucket", "sum")}
    assert said - known == set()


@pytest.mark.parametrize("one", metrics.CATALOGUE, ids=lambda one: one.name)
def test_names_follow_the_conventions(one: metrics.Declared) -> None:
    assert re.fullmatch(r"kassa_[a-z]+(_[a-z]+)*", one.name)
    assert one.meaning
    assert one.unit
    assert one.name.endswith("_total") == (one.kind == "counter")
    assert one.unit != "seconds" or one.name.endswith("_seconds")


@pytest.mark.parametrize("part", metrics.REGISTRIES)
def test_a_part_shows_what_is_declared_for_it(part: metrics.Part) -> None:
    shown = set(re.findall(r"^# TYPE (kassa_\w+)", generate_latest(metrics.REGISTRIES[part]).decode(), re.MULTILINE))
    declared = {one.name for one in metrics.CATALOGUE if one.part == part and one.kind != "gauge"}
    assert shown == declared


def value(metric: str, **labels: str) -> float:
    return metrics.WORKER.get_sample_value(metric, labels) or 0.0


def test_a_committed_batch_is_counted_by_kind_and_reason() -> None:
    before = value("kassa_entries_total", kind="HELD"), value("kassa_rejects_total", reason="NOT_JWS")
    metrics.committed(["HELD", "POSTED", "HELD"], ["NOT_JWS"])
    after = value("kassa_entries_total", kind="HELD"), value("kassa_rejects_total", reason="NOT_JWS")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)


def test_the_reason_is_read_from_the_records_that_go_to_quarantine() -> None:
    outbox = Outbox(a_tree())
    arrival = Arrival("payments", 0, 7, b"A", b"no JWS", AT)
    outbox.quarantine(Quarantine(arrival, RejectReason.BAD_SCHEMA, "no amount", signer="kiosk-1:1"))
    records = outbox.close()
    assert len(records) == 2  # with the word to the sender
    assert list(quarantined(records)) == ["BAD_SCHEMA"]
    assert dict(records[0].headers or ())[HEADER_REASON] == b"BAD_SCHEMA"


def readings(*states: object, now_ms: int = AT) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in folds(states, now_ms)  # type: ignore[arg-type]
    }


def test_what_is_open_is_shown_by_gateway_and_state() -> None:
    state = a_tree(money=1_000_000)
    for number in range(1, 6):
        decided(state, a_place(number=number))
    decided(state, a_settle("kiosk-1.1"))
    decided(state, a_settle("kiosk-1.2", verdict=Verdict.UNCLEAR))
    decided(state, a_settle("kiosk-1.3", verdict=Verdict.UNCLEAR))
    decided(state, a_settle("kiosk-1.3", verdict=Verdict.FATAL))
    assert readings(state, a_state(partition=1), now_ms=AT + 90_500) == {
        "kassa_outstanding_payments": {
            ("osmp-1", "HELD"): 2,
            ("osmp-1", "UNKNOWN"): 1,
            ("osmp-1", "MANUAL"): 1,
        },
        "kassa_oldest_unknown_age_seconds": {(): 90.5},
        "kassa_fold_open_payments": {("0",): 4, ("1",): 0},
        "kassa_fold_payments": {("0",): 5, ("1",): 0},
    }


def test_the_age_of_an_unknown_counts_from_its_receipt_and_not_from_the_last_asking() -> None:
    state = a_tree()
    decided(state, a_place(number=1), AT)
    decided(state, a_settle("kiosk-1.1", verdict=Verdict.UNCLEAR), AT + 60_000)
    assert readings(state, now_ms=AT + 61_000)["kassa_oldest_unknown_age_seconds"] == {(): 61.0}


def test_nothing_unknown_has_no_age() -> None:
    assert readings(a_tree())["kassa_oldest_unknown_age_seconds"] == {(): 0}
