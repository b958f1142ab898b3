"""A command is run without importing the modules of the others, so what each module has is written down once more."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.main import get_group

from console.parts import PARTS, module, part_of


@pytest.mark.parametrize("part", PARTS)
def test_each_module_has_the_commands_it_is_said_to_have(part: str) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    module(part).register(app)
    assert tuple(get_group(app).commands) == PARTS[part]
    assert {part_of(command) for command in PARTS[part]} == {part}


def test_no_command_is_there_twice_and_none_is_made_up() -> None:
    every = [command for commands in PARTS.values() for command in commands]
    assert len(every) == len(set(every))
    assert part_of("nonsense") is None


def test_a_command_imports_no_other_and_no_engine() -> None:
    run = "import sys; from console.cli import main; main(['agent', '--help']); print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run(
        [sys.executable, "-c", run], check=True, capture_output=True, text=True, timeout=60
    ).stderr.split()
    assert "console.agents" in loaded
    assert {"console.vouchers", "faust", "aiokafka", "openpyxl", "clickhouse_connect", "chdb"}.isdisjoint(loaded)
