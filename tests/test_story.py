"""Where a payment stands, as `kassa payment show` tells it: as the ledger has it, whichever entry was the last."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.story import Step, Story


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ("HELD", "HELD"),
        ("HELD DEFERRED", "HELD"),
        ("HELD SENT DEFERRED", "HELD"),
        ("HELD REROUTED POSTED", "POSTED"),
        ("HELD POSTED REVERSING", "REVERSING"),
        ("HELD POSTED REVERSING REVERSAL_REFUSED", "POSTED"),
    ],
)
def test_a_payment_stands_where_its_last_entry_left_it(kinds: str, state: str) -> None:
    steps = [Step(datetime.now(UTC), kind, "dispatch", 0, "", 0, None, "", ()) for kind in kinds.split()]
    assert Story("kiosk-1.1", {}, tuple(steps)).state == state
