"""Judge a run again from what it left: the brokers' records, the history and the payees' journal.

For a long run whose judge was interrupted. The warehouse, which was on a small disk, is made anew from the ledger.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from console.audit_reading import read
from console.stack import Stack
from schemas.entry import Entry
from streams.apache_kafka import ApacheKafka
from streams.settings import Settings
from streams.topics import LEDGER
from tests.chaos.history import History
from tests.chaos.site import BROKERS, PARTITIONS, READY_S, SINK, start_simulator
from tests.chaos.verdict import Verdict, judge

_LOAD_S = 3_600.0
_GATEWAY = b'"table":"gateways"'


def judge_again(directory: Path, seed: int) -> Verdict:
    """The verdict on the run that was in this directory. seed: the run's."""
    os.environ.update(KASSA_REPLICATION="3", KASSA_VOUCHER_RESERVE_S="15")

    def start_kafka(place: Path) -> ApacheKafka:
        return ApacheKafka.start(place / "kafka", brokers=BROKERS)

    with Stack(directory, workers=0, partitions=PARTITIONS, sink=False, start_broker=start_kafka) as stack:
        simulator = start_simulator(directory, seed, _payees_port(stack.settings))
        try:
            stack.start(SINK, "sink", {})
            stack.wait_ready(READY_S)
            return judge(stack.settings, History(directory / "history.jsonl"), simulator.url, _LOAD_S)
        finally:
            simulator.stop()


def faults_of(timeline: Path) -> Counter[str]:
    """How often each kind of fault was there, from the timeline's file."""
    ends = (line.split() for line in timeline.read_text(encoding="utf-8").splitlines() if " end   " in line)
    return Counter(words[2] for words in ends)


def _payees_port(settings: Settings) -> int:
    """Where the payees were: in the run a cable's end, now their own port."""
    for partition in range(settings.partitions):
        for record in read(settings, LEDGER, partition):
            if _GATEWAY in (record.value or b""):
                record_set = Entry.decode(record.value or b"").record
                assert record_set is not None
                port = urlsplit(str(record_set.value["url"])).port
                assert port is not None
                return port
    raise AssertionError("the ledger has no gateway")
