"""The embedded warehouse's life as a process: how it starts, what it survives, when it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from sinks.embedded import EmbeddedWarehouse, WarehouseNotStarted, _listener, main

pytestmark = pytest.mark.integration


def a_client(warehouse: EmbeddedWarehouse) -> Client:
    return clickhouse_connect.get_client(host=warehouse.host, port=warehouse.port)


def insert(client: Client, value: int) -> None:
    """The value, under a token of its own."""
    client.insert("kept", [[value]], column_names=["a"], settings={"insert_deduplication_token": str(value)})


def test_an_answered_insert_survives_kill_9(tmp_path: Path) -> None:
    with EmbeddedWarehouse.start(tmp_path) as first, a_client(first) as client:
        client.command(
            "CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a "
            "SETTINGS non_replicated_deduplication_window = 100"
        )
        for value in range(10):
            insert(client, value)
        first.kill()
    with EmbeddedWarehouse.start(tmp_path) as second, a_client(second) as client:
        assert client.command("SELECT count() FROM kept") == 10
        insert(client, 9)
        assert client.command("SELECT count() FROM kept") == 10, "the tokens are remembered too"


def test_a_second_process_is_refused_in_one_line(tmp_path: Path) -> None:
    with EmbeddedWarehouse.start(tmp_path) as first:
        with pytest.raises(WarehouseNotStarted) as refused:
            EmbeddedWarehouse.start(tmp_path)
        assert str(refused.value).splitlines()[1:] == [
            f"The embedded warehouse in {tmp_path} is in use by process {first.pid}"
        ]
        with a_client(first) as client:
            assert client.command("SELECT 1") == 1
    assert first._process.returncode == 0, "asked to end, it ends well"
    first.stop()


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib; from sinks.embedded import EmbeddedWarehouse\n"
        f"print(EmbeddedWarehouse.start(pathlib.Path({str(tmp_path)!r})).pid, flush=True); os.read(0, 1)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
    give_up_at = time.monotonic() + 30
    while alive(child):
        assert time.monotonic() < give_up_at, "it outlives its parent"
        threading.Event().wait(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_answers_are_sent_at_once() -> None:
    """asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer takes 40 ms."""
    with _listener(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sinks.embedded._PACKAGES", ("no_such_engine",))
    with pytest.raises(WarehouseNotStarted, match=r"needs no_such_engine: pip install kassa\[embedded\]"):
        EmbeddedWarehouse.start(tmp_path)


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with _listener(0) as taken:
        port = taken.getsockname()[1]
        assert main(["--dir", str(tmp_path), "--port", str(port)]) == 1
    assert capsys.readouterr().err.startswith(f"The embedded warehouse cannot listen on 127.0.0.1:{port}: ")
