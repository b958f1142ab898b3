"""What a fault is: something that begins, lasts and ends, on one part of a site."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import ClassVar

from tests.chaos.site import Site


class Fault(ABC):
    """One fault, drawn when it is made: `rng` is used in `__init__` alone, so that a seed makes the same faults
    however long each of them takes. holds_s: the shortest and longest time between begin and end, seconds."""

    kind: str
    holds_s: ClassVar[tuple[float, float]] = (1.0, 8.0)

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        self.site = site
        self.target = target
        self.holds_for_s = rng.uniform(*self.holds_s)

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def end(self) -> None:
        """Heal it; returns when the part can work again, or will by itself."""
