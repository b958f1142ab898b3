"""The command line run in the test's own process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console import cli
from console.cli import main
from console.stack import Stack
from tests.cli_runs import Kassa, Shown


@pytest.fixture
def kassa(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> Kassa:
    """Runs a command on a machine on which nothing is set up; one line of error at most, never a traceback."""
    for name in [name for name in os.environ if name.startswith("KASSA_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "configure_logs", lambda level: None)  # it would bind logs to this test's stderr for good

    def run(*arguments: str) -> Shown:
        code = main(arguments)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        assert shown.err.count("\n") <= 1, shown.err
        return Shown(code, shown.out, shown.err)

    return run


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all tests of a file."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def on_stack(kassa: Kassa, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Kassa:
    """Commands find the stack by the stack.toml in its directory."""
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    return kassa
