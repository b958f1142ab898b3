"""Records: what was decided, written down once and read for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(kind: type[T]) -> type[T]:
    """A frozen dataclass with slots, frozen by the type checker alone.

    `@dataclass(frozen=True)` assigns each field through `object.__setattr__`: of a payment's decision that was a third.
    mypy refuses an assignment to a record's field just as it does there.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
