"""Fixture modules are plugins of the whole session: of two fixtures with one name, whose file came first decides."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

_SHARED = [*Path(__file__).parent.glob("*_fixtures.py"), Path(__file__).parent / "conftest.py"]


def _fixtures(module: Path) -> list[str]:
    return [
        node.name
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(mark) for mark in node.decorator_list)
    ]


def test_no_two_shared_fixtures_have_one_name() -> None:
    names = Counter(name for module in _SHARED for name in _fixtures(module))
    assert names, "no fixtures found: have their modules moved?"
    assert {name for name, times in names.items() if times > 1} == set()
