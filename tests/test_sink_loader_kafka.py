"""The loader on real Apache Kafka: what the embedded broker cannot be trusted with."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from sinks.warehouse import rows
from streams.apache_kafka import ApacheKafka
from streams.settings import Settings
from streams.topics import create_or_verify
from tests.sink_ledger import LedgerWriter, assert_loaded_once, start_loader
from tests.sink_loading import eventually

pytest_plugins = ["tests.sink_fixtures"]
pytestmark = pytest.mark.kafka


def test_aborted_transactions_of_the_same_writer_and_killed_loaders_leave_no_trace(
    sink_settings: Settings, client: Client, tmp_path: Path
) -> None:
    """Aborts come from the producer that commits, too: the embedded broker hides what such a one commits later."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with ApacheKafka.start(tmp_path / "kafka") as kafka:
        settings = sink_settings.model_copy(update={"kafka": kafka.bootstrap, "sink_batch_rows": 400})
        create_or_verify(settings)
        writer = LedgerWriter(settings, chance, aborts_itself=True)
        for _ in range(3):
            before = rows(client, "SELECT count() FROM entries")
            loader = start_loader(settings)
            writer.transactions(60)
            eventually("it loads", lambda before=before: rows(client, "SELECT count() FROM entries") != before)  # type: ignore[misc]
            with pytest.raises(subprocess.TimeoutExpired):
                loader.wait(chance.random() * 0.2)
            loader.kill()
            loader.wait()
        loader = start_loader(settings)
        assert_loaded_once(client, settings)
        writer.transactions(10)
        assert_loaded_once(client, settings)
        loader.terminate()
        assert loader.wait(30) == 0
