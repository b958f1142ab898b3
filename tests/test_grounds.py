"""What somebody asks for later is said: no operator's reason or evidence is blank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.builders_change import a_reclaim, block_change
from tests.builders_correction import a_correction, a_drop, an_approval
from tests.builders_reversal import a_reversal

COMMANDS: list[tuple[Callable[..., Any], str]] = [
    (a_correction, "reason"), (a_correction, "evidence"), (an_approval, "evidence"), (a_drop, "reason"),
    (a_reversal, "reason"), (a_reversal, "evidence"), (a_reclaim, "evidence"), (block_change, "reason"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name"), COMMANDS)
def test_blanks_are_no_reason_and_no_evidence(make: Callable[..., Any], name: str) -> None:
    make(**{name: " 1"})
    for blank in ("", " ", "\t \u3000"):
        with pytest.raises(ValidationError, match=name):
            make(**{name: blank})
