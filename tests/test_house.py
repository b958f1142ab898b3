"""The house keeps its own rules: sizes, and pages that stay complete. See also test_ledger_purity.py."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from setuptools import find_packages

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


def test_every_package_is_installed() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    installed = find_packages(str(ROOT), include=asked["include"])
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in _sources(*PACKAGES)}
    assert folders ^ set(installed) == {"bench"}


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
