"""The directory as the ledger tells of it, over time: what a worker may have had on file when it decided."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeVar

import orjson

from schemas.entry import Entry
from schemas.gateway import Gateway, RetrySchedule
from schemas.ids import Wire
from schemas.payee import Payee
from schemas.tariff import Tariff

# A worker reads the directory's topics beside its own partitions, and its clock may be wrong: what was set within so
# much of a decision may have been known to it or not.
_BLUR_MS = 600_000

_T = TypeVar("_T")


class DirectoryPast:
    """Give it every DIRECTORY_SET entry of every partition before asking."""

    def __init__(self, backlog_max: int, voucher_reserve_ms: int) -> None:
        self.backlog_max = backlog_max
        self.voucher_reserve_ms = voucher_reserve_ms
        self.four_eyes_above = [0]  # the sites of this suite leave it at the default
        self._payees: dict[str, list[tuple[int, Payee | None]]] = defaultdict(list)
        self._tariffs: dict[str, list[tuple[int, Tariff | None]]] = defaultdict(list)
        self._gateways: dict[str, list[tuple[int, Gateway | None]]] = defaultdict(list)
        self._terminals: set[str] = set()

    def see(self, entry: Entry) -> None:
        record = entry.record
        if record is None:
            return
        match record.table:
            case "payees":
                self._payees[record.id].append((entry.at, _read(Payee, record.value)))
            case "tariffs":
                self._tariffs[record.id].append((entry.at, _read(Tariff, record.value)))
            case "terminals":
                self._terminals.add(record.id)
            case "gateways":
                self._gateways[record.id].append((entry.at, _read(Gateway, record.value)))

    def payees(self, id: str, at: int) -> list[Payee | None]:
        return _at(self._payees.get(id, []), at)

    def tariffs(self, payee: str, at: int) -> list[Tariff | None]:
        return _at(self._tariffs.get(payee, []), at)

    def schedules(self, gateway: str, at: int) -> list[RetrySchedule]:
        """What is not on file is asked for by the default schedule."""
        found = _at(self._gateways.get(gateway, []), at)
        return [one.retry if one is not None else RetrySchedule() for one in found]

    def repeats_nothing(self, gateway: str, at: int) -> list[bool]:
        """Whether its payee must not be asked to pay twice, and has no status to be asked for."""
        found = _at(self._gateways.get(gateway, []), at)
        return [one is not None and one.options.get("repeats") == "never" and not one.asks for one in found]

    def cancels(self, gateway: str, at: int) -> list[bool]:
        """Whether its payees can be asked to give a payment back."""
        return [one is not None and one.cancels for one in _at(self._gateways.get(gateway, []), at)]

    def technical(self, payee: str, gateway: str, at: int) -> list[frozenset[str]]:
        """The codes by which a gateway of the payee's speaks of itself."""
        found = [one.routes if one is not None else () for one in self.payees(payee, at)]
        return [frozenset(code for route in routes if route.gateway == gateway for code in route.technical)
                for routes in found]  # fmt: skip

    def is_terminal(self, owner: str) -> bool:
        return owner in self._terminals

    def addresses(self, gateway: str) -> set[str]:
        """Every URL the gateway ever had."""
        return {one.url for _, one in self._gateways.get(gateway, []) if one is not None}


def _at(versions: list[tuple[int, _T | None]], at: int) -> list[_T | None]:
    """The version in force, and those that are not clearly older or younger; None: none was."""
    past = [value for set_at, value in versions if set_at <= at - _BLUR_MS]
    near = [value for set_at, value in versions if at - _BLUR_MS < set_at < at + _BLUR_MS]
    return [past[-1] if past else None, *near]


def _read(kind: type[Any], value: dict[str, Any]) -> Any:
    assert issubclass(kind, Wire)
    return kind.model_validate_json(orjson.dumps(value))
