"""What the doctor finds: one finding a check, and what to do about it. And how long it may look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """`-`: not looked at, because what it would have been asked of is not there; that itself is another finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "-"


@dataclass(frozen=True, slots=True)
class Finding:
    """check: its name, "subject" or "subject.detail". says: what is the case. advice: what to do, "" when it is ok.
    is_missing: what was to be looked at is not there at all."""

    check: str
    verdict: Verdict
    says: str
    advice: str = ""
    is_missing: bool = False


def ok(check: str, says: str) -> Finding:
    return Finding(check, Verdict.OK, says)


def warn(check: str, says: str, advice: str) -> Finding:
    return Finding(check, Verdict.WARN, says, advice)


def fail(check: str, says: str, advice: str) -> Finding:
    return Finding(check, Verdict.FAIL, says, advice)


def skipped(check: str, why: str) -> Finding:
    return Finding(check, Verdict.SKIPPED, why)


class Deadline:
    """All looking together may take this long; what comes late gets half a second all the same."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + seconds

    def within(self, most_s: float) -> float:
        """Seconds this question may take."""
        return max(0.5, min(most_s, self._until - self._clock()))
