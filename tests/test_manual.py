"""What `kassa manual list` says of a payment in doubt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.manual import _age
from console.manual_open import evidence

AGAIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "answer", "due_at", "says"),
    [
        ("MANUAL", "pay UNCLEAR", None, "is number 7 (9.50 RUB) in mobile's register of its day? yes: --paid"),
        ("MANUAL", "pay FATAL", None, "no, day closed: --not-paid"),
        ("MANUAL", "check PAID", None, "whose is number 7 at mobile? no pay was sent"),
        ("REVERSAL_MANUAL", "cancel UNCLEAR", None, "did mobile give number 7 (9.50 RUB) back? still there: --paid"),
        ("UNKNOWN", "pay UNCLEAR", AGAIN, "nothing yet: mobile is asked again at 03:04:05"),
        ("SENT", " ", None, "nothing yet: mobile is asked again"),
    ],
)
def test_it_is_said_what_to_find_out(state: str, answer: str, due_at: datetime | None, says: str) -> None:
    assert says in evidence(state, answer, "mobile", 7, "9.50 RUB", due_at)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min"), (3_599, "59 min"), (3_600, "1 h 0 min"), (86_399, "23 h 59 min"), (183_600, "2 d 3 h")],
)
def test_ages_are_read_at_a_glance(seconds: int, text: str) -> None:
    assert _age(seconds) == text
