"""A payee's list as a file: whole or not there, and only the one that was signed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.list_file import build, open_list, path_of, remove_others
from schemas.subscribers import SubscriberRow
from tests.builders_subscribers import a_list, a_row

ROWS = (a_row("1", name="Ivan", debt=-5), a_row("2", denominations=[100]), a_row("3"))


def test_a_subscriber_is_found_by_the_whole_number(tmp_path: Path) -> None:
    made = build(tmp_path, a_list(ROWS), [ROWS[:2], ROWS[2:]])
    assert made.find("1") == SubscriberRow(number="1", name="Ivan", debt=-5)
    assert made.find("3") == SubscriberRow(number="3")
    assert [made.find(number) for number in ("", "01", "1 ", "4", "' OR 1=1 --")] == [None] * 5
    made.close()


def test_it_is_there_after_a_restart_and_for_its_owner_only(tmp_path: Path) -> None:
    build(tmp_path / "lists", a_list(ROWS), [ROWS]).close()
    again = open_list(tmp_path / "lists", a_list(ROWS))
    assert again is not None
    assert again.find("2") is not None
    again.close()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "lists").iterdir()] == [0o600]


def test_one_that_is_not_what_was_signed_is_built_anew(tmp_path: Path) -> None:
    build(tmp_path, a_list(ROWS), [ROWS]).close()
    other = a_list(ROWS[:1])
    assert open_list(tmp_path, other) is None
    path_of(tmp_path, other).write_bytes(b"rubbish")
    assert open_list(tmp_path, other) is None
    assert not path_of(tmp_path, other).exists()


def cut_short() -> Iterator[tuple[bytes, ...]]:
    yield ROWS
    raise TimeoutError("the broker")


def test_what_breaks_on_the_way_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        build(tmp_path, a_list(ROWS), cut_short())
    with pytest.raises(ValueError, match="a number twice"):
        build(tmp_path, a_list(ROWS), [ROWS, ROWS[:1]])
    assert list(tmp_path.iterdir()) == []


def test_files_of_lists_that_are_not_in_force_go_and_a_reader_reads_on(tmp_path: Path) -> None:
    old = build(tmp_path, a_list(ROWS), [ROWS])
    new = build(tmp_path, a_list(ROWS, upload="UPLOAD2"), [ROWS])
    (tmp_path / "worker-1.taken").touch()
    remove_others(tmp_path, [new.record])
    assert {path.name for path in tmp_path.iterdir()} == {"mobile.UPLOAD2.sqlite", "worker-1.taken"}
    assert old.find("1") is not None
    old.close()
    new.close()
