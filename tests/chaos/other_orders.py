"""What operators do about stock and registries: batches come in, are stopped and let go, registries are cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from console.demo_network import CURRENCY
from console.voucher_file import Pin
from console.voucher_load import chunks
from schemas.command import TreeCommand
from schemas.pin_seal import PinKey
from schemas.registry_command import CutRegistry
from schemas.voucher_command import BlockBatch, LoadVouchers, UnblockBatch
from tests.chaos.other_payees import CARD, COST, FACE, HEATING, pin_of

_BATCH = 160  # PINs: two commands' worth, between which a batch is not whole


@dataclass
class OtherOrders:
    """key: what PINs are sealed under."""

    rng: Random
    new_id: Callable[[], str]
    key: PinKey
    open_registry: Callable[[], int]
    _loading: list[LoadVouchers] = field(default_factory=list)
    _blocked: list[str] = field(default_factory=list)
    _batches: int = 0

    def next(self) -> TreeCommand:
        """The next chunk, mostly; a batch that was stopped is let go by a later order."""
        pick = self.rng.randrange(10)
        if pick > 7:
            return CutRegistry(**self._order(), payee=HEATING, number=self.open_registry())
        if pick == 1 and self._blocked:
            return UnblockBatch(**self._order(), payee=CARD, batch=self._blocked.pop(), reason="chaos")
        if pick == 2 and self._batches:
            self._blocked.append(f"b{self.rng.randint(1, self._batches)}")
            return BlockBatch(**self._order(), payee=CARD, batch=self._blocked[-1], reason="chaos")
        if not self._loading:
            self._loading = self._new_batch()
        return self._loading.pop(0)

    def _new_batch(self) -> list[LoadVouchers]:
        self._batches += 1
        batch = f"b{self._batches}"
        serials = [f"{batch}-{number:03}" for number in range(_BATCH)]
        pins = [Pin(serial, pin_of(serial)) for serial in serials]
        first = LoadVouchers(
            **self._order(), payee=CARD, batch=batch, denomination=FACE, currency=CURRENCY, cost=COST,
            supplier="cardhouse", kid=self.key.kid, count=len(pins), chunks=1, chunk=1,
            pins=((serials[0], self.key.seal(CARD, batch, serials[0], pins[0].pin)),),
        )  # fmt: skip
        return chunks(first, pins, self.key)

    def _order(self) -> dict[str, Any]:
        return {"id": self.new_id(), "issued_at": datetime.now(UTC)}
