"""The command line run in the test's own process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from console import cli
from console.cli import main
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
