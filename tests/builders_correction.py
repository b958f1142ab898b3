"""Builders of corrections by hand."""

from __future__ import annotations

from typing import Any

from schemas.correction import ApproveCorrection, Correct, CorrectionCommand, DropCorrection, Movement
from streams.ledger.commands import Instruct
from tests.builders import NOW, OPERATOR_KID

SECOND_KID = "second:1"
ANY = 10**15  # a threshold that no correction is above


def a_correction(
    movements: dict[str, int] | None = None, *, by: str = OPERATOR_KID, above: int = ANY, **changes: Any
) -> Instruct:
    """S gives 12.50 to the operator's fees; one operator is enough, if `above` is not lowered (minor units)."""
    moved = tuple(Movement(account=name, amount=amount) for name, amount in (movements or _USUAL).items())
    values: dict[str, Any] = {"id": "correct-1", "issued_at": NOW, "tree": "A", "currency": "RUB", "movements": moved}
    values |= {"corrects": "entry 1", "reason": "Fee was not taken", "evidence": "Act 7"}
    return _instruct(Correct(**values | changes), by, above)


def an_approval(proposal: str = "correct-1", *, by: str = SECOND_KID, above: int = 0, **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"approve-{proposal}", "issued_at": NOW, "tree": "A", "proposal": proposal}
    return _instruct(ApproveCorrection(**values | {"evidence": "Act 7, seen"} | changes), by, above)


def a_drop(proposal: str = "correct-1", *, by: str = OPERATOR_KID, **changes: Any) -> Instruct:
    values: dict[str, Any] = {"id": f"drop-{proposal}", "issued_at": NOW, "tree": "A", "proposal": proposal}
    return _instruct(DropCorrection(**values | {"reason": "Not needed"} | changes), by, 0)


_USUAL = {"agent:S": -1_250, "fee": 1_250}


def _instruct(command: CorrectionCommand, by: str, above: int) -> Instruct:
    return Instruct(command.tree, command, command.digest(), by, four_eyes_above=above)
