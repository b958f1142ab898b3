"""The warehouse away, frozen, failing in the middle of a batch; disks full."""

from __future__ import annotations

import os
import signal

from tests.chaos.cable import Way
from tests.chaos.fault import Fault


class WarehouseKill(Fault):
    """kill -9, and away for a while."""

    kind = "warehouse-kill"
    holds_s = (2.0, 15.0)

    def begin(self) -> None:
        self.site.stack.warehouse.kill()

    def end(self) -> None:
        self.site.restart_warehouse()


class WarehouseFreeze(Fault):
    """Slow beyond patience (SIGSTOP): inserts under way answer late or never."""

    kind = "warehouse-freeze"
    holds_s = (2.0, 15.0)

    def begin(self) -> None:
        os.kill(self.site.stack.warehouse.pid, signal.SIGSTOP)

    def end(self) -> None:
        os.kill(self.site.stack.warehouse.pid, signal.SIGCONT)


class WarehouseErrors(Fault):
    """Answers HTTP 500, before reading what it was sent."""

    kind = "warehouse-errors"
    way = Way.HTTP_500

    def begin(self) -> None:
        self.site.to_warehouse.set(self.way)

    def end(self) -> None:
        self.site.to_warehouse.set(Way.OPEN)


class WarehouseMute(WarehouseErrors):
    """Takes the rows; the connection breaks before it says so."""

    kind = "warehouse-mute"
    way = Way.MUTE


class DiskFull(Fault):
    """Not a byte is left under the snapshots or the warehouse."""

    kind = "disk-full"
    holds_s = (3.0, 12.0)

    def begin(self) -> None:
        self.site.disks[self.target].fill()

    def end(self) -> None:
        self.site.disks[self.target].free()
