"""A payee's registries as the fold has them: the open one, and those that are not delivered and answered to the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.registry import RegistryCut, RegistryLine


@dataclass(slots=True)
class OpenRegistry:
    """Takes lines. since: when the one before it was cut, ms UTC. lines: by number at the payee. digest: of them."""

    number: int = 1
    since: int = 0
    lines: dict[int, RegistryLine] = field(default_factory=dict)
    total: int = 0
    currency: str = ""
    digest: str = ""


@dataclass(slots=True)
class RegistryUnderWay:
    """It is cut. lines: those without an answer; all of them until it is delivered. answered: was the line accepted?

    delivered_at: ms UTC, 0: not yet.
    """

    number: int
    cut: RegistryCut
    lines: dict[int, RegistryLine]
    delivered_at: int = 0
    answered: dict[int, bool] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Delivered, and nothing more to be answered: it leaves memory."""
        return bool(self.delivered_at) and not self.lines


@dataclass(slots=True)
class Registries:
    """Of one payee. under_way: by number, in order."""

    current: OpenRegistry = field(default_factory=OpenRegistry)
    under_way: dict[int, RegistryUnderWay] = field(default_factory=dict)
