"""A part's HTTP address: what it says when all is well, when not, and when the address is taken."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_server
from typing import Any

import httpx
import pytest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from pydantic import ValidationError

from agents.vitals import WorkerVitals
from sinks.vitals import SinkVitals
from streams.health import AddressUnusable, Heartbeat, serving, url_file
from streams.settings import Settings


@dataclass
class Told:
    """Vitals that are as a test says."""

    sticking: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    def stuck(self) -> list[str]:
        return self.sticking

    def not_ready(self) -> list[str]:
        return self.lacking

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("kassa_told", "read when asked", 17)


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def said(url: str) -> tuple[int, dict[str, Any]]:
    status, body = ask(url)
    return status, json.loads(body)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(dir=tmp_path, http="127.0.0.1:0", kafka="127.0.0.1:1")


@pytest.mark.parametrize(
    ("vitals", "health", "ready"),
    [
        (Told(), [], []),
        (Told(lacking=["partition 3 is closed"]), [], ["partition 3 is closed"]),
        (Told(sticking=["it hangs"]), ["it hangs"], ["it hangs"]),
    ],
)
def test_health_is_about_the_process_and_ready_about_its_work(
    settings: Settings, vitals: Told, health: list[str], ready: list[str]
) -> None:
    with serving(settings, "worker", "w", vitals):
        url = url_file(settings, "w").read_text().strip()
        for path, problems in (("/health", health), ("/ready", ready)):
            expected = {"part": "worker", "ok": not problems, "problems": problems}
            assert said(url + path) == (503 if problems else 200, expected)


def test_metrics_are_read_when_asked_and_other_paths_are_not_there(settings: Settings) -> None:
    with serving(settings, "sink", "s", Told()):
        url = url_file(settings, "s").read_text().strip()
        status, text = ask(url + "/metrics")
        assert (status, "kassa_told 17.0" in text, "kassa_sink_rows_total" in text) == (200, True, True)
        assert "kassa_decide_seconds" not in text
        assert said(url + "/") == (
            404,
            {"title": "Not Found", "status": 404, "detail": "GET /health, /ready or /metrics"},
        )
    assert not url_file(settings, "s").exists()
    with serving(settings, "sink", "s", Told()):  # what was registered is gone with the block
        assert ask(url_file(settings, "s").read_text().strip() + "/metrics")[0] == 200


def test_what_is_no_get_is_a_problem(settings: Settings) -> None:
    with serving(settings, "sink", "s", Told()):
        url = url_file(settings, "s").read_text().strip() + "/health"
        posted = httpx.post(url, content=b"restart")
        assert httpx.head(url).status_code == 501  # and no body, which would be a broken reply
    assert (posted.status_code, posted.headers["content-type"]) == (501, "application/problem+json")
    assert posted.json()["detail"] == "Unsupported method ('POST'): GET /health, /ready or /metrics"


def test_without_an_address_nothing_listens_and_what_a_dead_part_left_is_gone(settings: Settings) -> None:
    url_file(settings, "w").parent.mkdir()
    url_file(settings, "w").write_text("http://127.0.0.1:1\n")
    with serving(settings.model_copy(update={"http": ""}), "worker", "w", Told()):
        assert not url_file(settings, "w").exists()


def test_an_address_that_is_taken_or_impossible_is_named(settings: Settings) -> None:
    with closing(create_server(("127.0.0.1", 0))) as other:
        for address in (f"127.0.0.1:{other.getsockname()[1]}", "127.0.0.1:99999"):
            taken = settings.model_copy(update={"http": address})
            with pytest.raises(AddressUnusable, match=address), serving(taken, "worker", "w", Told()):
                pass
    with pytest.raises(ValidationError, match="http"):
        Settings(http="9464")


def test_a_heartbeat_that_is_late_is_told_with_how_late() -> None:
    now_s = 100.0
    heart = Heartbeat("the loop", 15, clock=lambda: now_s)
    now_s += 59
    assert heart.stuck() == []  # starting takes a while
    now_s += 2
    assert heart.stuck() != []
    heart.beat()
    now_s += 15
    assert heart.stuck() == []
    now_s += 1
    assert heart.stuck() == ["the loop has not turned for 16 s"]


def test_a_worker_is_not_ready_before_its_directory_is_read_and_its_partitions_are_open(settings: Settings) -> None:
    vitals = WorkerVitals(settings)
    assert vitals.not_ready() == ["the directory topics are not read yet"]
    assert list(vitals.collect()) == []

    class Open:
        def partitions(self) -> list[int]:
            return [2]

    vitals.shards = Open()  # type: ignore[assignment]
    vitals.is_wired = True
    assert "no partitions are assigned" in vitals.not_ready()[0]
    vitals.assigned.update((1, 2))
    assert vitals.not_ready() == ["partition 1 is assigned and not open yet"]
    vitals.assigned.discard(1)
    assert vitals.not_ready() == []
    assert vitals.stuck() == []


def test_a_sink_is_ready_with_a_warehouse_and_partitions(settings: Settings) -> None:
    vitals = SinkVitals(settings)
    assert len(vitals.not_ready()) == 2
    vitals.warehouse("")
    assert vitals.not_ready() == ["no partitions are assigned"]
    vitals.loaded = {("ledger", 0): 0}
    assert vitals.not_ready() == []
    vitals.warehouse("connection refused")
    assert vitals.not_ready() == ["the warehouse is away: connection refused"]
