"""The house keeps its own rules: imports, sizes, and pages that stay complete."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.schema_docs import documents
from schemas.alert import AlertKind
from schemas.entry import EntryKind
from schemas.refusal import Refusal
from schemas.reject import RejectReason
from streams.topics import ALL

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "streams", "agents", "sinks", "console", "bench")


def _sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_the_ledger_core_imports_schemas_and_the_standard_library_only() -> None:
    allowed = {*sys.stdlib_module_names, "schemas"}
    for path in _sources("streams/ledger"):
        foreign = [
            name
            for name in _imports(path)
            if name.split(".")[0] not in allowed and not name.startswith("streams.ledger")
        ]
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_the_ledger_core_has_no_clock_no_random_and_no_float() -> None:
    for path in _sources("streams/ledger"):
        tree = ast.parse(path.read_text())
        names = {name.split(".")[0] for name in _imports(path)}
        assert not names & {"time", "random", "secrets", "uuid", "os", "socket"}, path
        floats = [
            node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is float
        ]
        divisions = [
            node.lineno for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        ]
        assert not floats + divisions, f"{path.relative_to(ROOT)}: lines {floats + divisions}"


@pytest.mark.parametrize("path", list(_sources(*PACKAGES)), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_idea_of_300_lines_at_most(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("name", sorted(documents()))
def test_schemas_on_file_are_those_of_the_models(name: str) -> None:
    assert (ROOT / "docs" / name).read_bytes() == documents()[name], "run `make schemas`"


def test_codes_states_and_reasons_are_documented() -> None:
    page = (ROOT / "docs" / "codes.md").read_text()
    rows = [f"| {one.code} | {one.name} | {one.sentence} | {'yes' if one.retryable else 'no'} |" for one in Refusal]
    assert [row for row in rows if row not in page] == []
    assert [one for one in [*EntryKind, *RejectReason] if one.value not in page] == []


def test_kinds_of_alerts_are_documented() -> None:
    page = (ROOT / "docs" / "codes.md").read_text()
    assert [kind for kind in AlertKind if f"| {kind.value} |" not in page] == []


def test_topics_are_documented() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert [topic.name for topic in ALL if f"`{topic.name}`" not in page] == []


def test_refusal_codes_are_unique() -> None:
    assert len({one.code for one in Refusal}) == len(Refusal)
