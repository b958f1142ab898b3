"""OSMP's result codes: what each lets us conclude. Data; dialects differ in what is final."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.outcome import Step, Verdict

OK = 0
# "Repeat" and "not finished": whatever a dialect says, these are no refusals. 90 comes after the payment was taken.
TEMPORARY = frozenset({1, 90})
_YES: dict[Step, Verdict] = {"check": Verdict.CHECKED, "pay": Verdict.PAID, "cancel": Verdict.CANCELLED}
FATAL = frozenset({4, 5, 7, 8, 79, 241, 242, 243, 300})


def fatal_codes(of_record: Iterable[int] | None) -> frozenset[int]:
    """The codes that refuse for good: the gateway record's own table, or else the protocol's."""
    return (FATAL if of_record is None else frozenset(of_record)) - TEMPORARY - {OK}


def verdict(step: Step, result: int, fatal: frozenset[int]) -> Verdict:
    """What a result means. A code nobody told us about is never a yes and never a no."""
    if result == OK:
        return _YES[step]
    return Verdict.FATAL if result in fatal else Verdict.UNCLEAR
