"""The workers' clock: wrong when it is told to be, and never moved by anybody while it runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams.clock import Clock

_HOUR_MS = 3_600_000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def test_it_tells_the_wall_time() -> None:
    assert abs(Clock().now_ms() - _wall_ms()) < 1_000


def test_no_file_is_no_shift(tmp_path: Path) -> None:
    assert abs(Clock(tmp_path / "none").now_ms() - _wall_ms()) < 1_000


@pytest.mark.parametrize("shift_ms", [_HOUR_MS, -_HOUR_MS])
def test_it_is_as_wrong_as_the_file_says(tmp_path: Path, shift_ms: int) -> None:
    (tmp_path / "shift").write_text(f"{shift_ms}\n")
    assert abs(Clock(tmp_path / "shift").now_ms() - _wall_ms() - shift_ms) < 1_000


@pytest.mark.parametrize("jump_s", [600, -600])
def test_a_machine_clock_that_is_set_meanwhile_does_not_move_it(jump_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    before_ms = clock.now_ms()
    jumped_ns = time.time_ns() + jump_s * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: jumped_ns)
    monkeypatch.setattr(time, "time", lambda: jumped_ns / 10**9)
    assert 0 <= clock.now_ms() - before_ms < 1_000
