"""How soon a worker serves that has a long ledger behind it: without a snapshot, and with one.

python -m bench.recovery --entries 10000000
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import long_ledger
from bench.figures import Figure, report
from console.output import note, say
from console.stack import Broker, Stack
from streams.apache_kafka import ApacheKafka
from streams.embedded import EmbeddedBroker
from streams.kafka_jars import ApacheKafkaMissing, java

_BOUND_S = 3_600.0


def recovery(directory: Path, entries: int, start_broker: Callable[[Path], Broker]) -> list[Figure]:
    """Time from the start of a worker's process until it decides, and the most memory it had."""
    with Stack(directory, workers=0, sink=False, start_broker=start_broker) as stack:
        began = time.monotonic()
        written = long_ledger.write(stack.settings, entries)
        say(f"{written:,} entries written in {time.monotonic() - began:.0f} s")
        shutil.rmtree(stack.settings.snapshots, ignore_errors=True)
        figures = _started(stack, written, "without a snapshot")
        return figures + _started(stack, written, "with snapshots")


def _started(stack: Stack, written: int, how: str) -> list[Figure]:
    say(f"a worker starts {how} …")
    began = time.monotonic()
    stack.start("worker-1", "worker", {"KASSA_WORKER_ID": "worker-1"})
    stack.wait_ready(_BOUND_S)
    seconds, memory = time.monotonic() - began, _peak_mb(stack.pid("worker-1"))
    stack.kill("worker-1")
    what = f"{written:,} entries in {stack.settings.partitions} partitions; process start to ready"
    return [Figure(f"serves again {how}", seconds, "s", what), Figure(f"memory {how}", memory, "MB", "its most")]


def _peak_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024


def broker_that_lasts(entries: int) -> Callable[[Path], Broker]:
    """Apache Kafka where there is Java; the embedded broker keeps all of it in memory, a kilobyte an entry."""
    try:
        java()
    except ApacheKafkaMissing:
        note(f"no Java: the embedded broker will hold {entries // 1_000_000 + 1} GB")
        return EmbeddedBroker.start
    return lambda place: ApacheKafka.start(place / "kafka")


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.recovery", description=__doc__)
    arguments.add_argument("--entries", type=int, default=10_000_000)
    entries: int = arguments.parse_args().entries
    with tempfile.TemporaryDirectory(dir="var") as place:
        report(recovery(Path(place), entries, broker_that_lasts(entries)), Path("var/bench"))


if __name__ == "__main__":
    main()
