"""The command line where something is missing: each line says what to do next, and Ctrl-C is quiet."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.embedded import EmbeddedBroker
from streams.topics import ALL
from tests.cli_runs import Kassa, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = pytest.mark.integration

KASSA = Path(sys.executable).with_name("kassa")


def test_commands_say_what_is_missing(kassa: Kassa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an empty broker to a silent one: each line says what to do next, and Ctrl-C is quiet."""
    with EmbeddedBroker.start(tmp_path / "broker") as broker:
        monkeypatch.setenv("KASSA_KAFKA", broker.bootstrap)
        assert kassa("agent", "list").says("there is no topic 'balances'", "run `kassa init` first")
        assert kassa("worker").says("there is no topic payments", "run `kassa init` first")
        assert kassa("agent", "open", "A").says("there is no key", "`kassa init`")
        assert kassa("init").says("made", f"{len(ALL)} created", "no tables made")
        shown = kassa("agent", "open", "A", "--time-out", "0.3", "--id", "open-A")
        assert (shown.code, shown.says("no worker answered open-A", broker.bootstrap, "--id open-A")) == (2, True)
        shown = kassa("pay", "--terminal", "k", "--payee", "p", "--to", "1", "--amount", "1")
        assert (shown.code, shown.says("there is no key")) == (2, True)
        assert kassa("fleet").says("no terminal with a key on this machine")
        assert kassa("tariff", "set", "mobile").says("there is no payee 'mobile'")
        monkeypatch.setenv("KASSA_PARTITIONS", "2")
        assert kassa("init").says("topics differ from their declaration", "4 partitions, declared 2")
        monkeypatch.delenv("KASSA_PARTITIONS")
        assert _interrupted(tmp_path) == (130, "", "")
        (tmp_path / "var" / "keys" / "trusted" / "root:1.json").unlink()
        assert kassa("worker").says("nobody may command", "is empty")


def _interrupted(directory: Path) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command that waits for an answer and gets Ctrl-C instead."""
    command = subprocess.Popen(
        [KASSA, "agent", "open", "B", "--time-out", "60", "--id", "open-B"],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": directory},
    )
    eventually((directory / "var" / "outbox" / "open-B.json").exists, 60)  # from then on it waits
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=30)
    return command.returncode, out, err
