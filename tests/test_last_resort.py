"""A worker that cannot decide a batch, for a reason nobody foresaw, ends before a later batch can count for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import asyncio
from types import SimpleNamespace
from faust.types import TP
from agents.accept import Accept
from streams.clock import Clock
from streams.logs import configure_logs
from streams.settings import Settings

class Shards:
    async def decide(self, *args, **options):
        {fault}

class Directory:
    directory = SimpleNamespace(terminals={{}})
    async def catch_up_soon(self):
        return True

configure_logs("error")
message = SimpleNamespace(tp=TP("payments", 0), topic="payments", partition=0, offset=0,
                          generation_id=1, key=b"", value=b"", timestamp=0.0, timestamp_type=1)
consumer = SimpleNamespace(decided=lambda *_: print("counted as decided", flush=True))
accept = Accept(Settings(), Shards(), Directory(), lambda: consumer, lambda *_: None, lambda _: None, Clock())
asyncio.run(accept.batch([SimpleNamespace(message=message)], lambda arrival: object()))
print("went on")
"""


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("raise ValueError('never thought of')", os.EX_SOFTWARE, ""),
        ("return []", 0, "counted as decided\nwent on\n"),
    ],
)
def test_an_error_that_nobody_handles_ends_the_worker(fault: str, status: int, said: str) -> None:
    script = _SCRIPT.format(fault=fault)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (status, said), ended.stderr
    assert ("never thought of" in ended.stderr) == bool(status)
