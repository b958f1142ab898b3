"""The core does no I/O, reads no clock, uses no random and no float: seen in its source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parent.parent / "streams" / "ledger").glob("*.py"))
ALLOWED = {
    "__future__",
    "array",
    "bisect",
    "collections",
    "dataclasses",
    "functools",
    "heapq",
    "itertools",
    "re",
    "struct",
    "sys",
    "typing",
    "schemas",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_core_is_pure(path):
    for node in ast.walk(ast.parse(path.read_text())):
        for module in _imported(node):
            assert module.split(".")[0] in ALLOWED or module.startswith("streams.ledger"), f"{module} in line {node}"
        assert not isinstance(node, ast.Constant) or not isinstance(node.value, float), f"a float: {ast.dump(node)}"
        assert not isinstance(node, ast.Div), "true division makes floats"
        assert not (isinstance(node, ast.Name) and node.id in {"float", "open", "print"}), node.id


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
