"""Networks that are cut or slow: between one worker and the brokers, and between workers and payees."""

from __future__ import annotations

from random import Random

from tests.chaos.cable import Cable, Way
from tests.chaos.fault import Fault
from tests.chaos.site import Site


class _Cut(Fault):
    """Silence, where both sides believe to be connected, or a reset of every connection."""

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.way = rng.choice((Way.SILENT, Way.RESET))

    def __str__(self) -> str:
        return f"{super().__str__()} {self.way.value}"

    def cables(self) -> list[Cable]:
        raise NotImplementedError

    def begin(self) -> None:
        for cable in self.cables():
            cable.set(self.way)

    def end(self) -> None:
        for cable in self.cables():
            cable.set(Way.OPEN)


class WorkerCut(_Cut):
    """One worker loses all brokers, mostly for longer than its session."""

    kind = "worker-cut"
    holds_s = (2.0, 20.0)

    def cables(self) -> list[Cable]:
        return self.site.to_brokers[self.target]


class WorkerCutFromOne(_Cut):
    """One worker loses one broker: others see the broker well and the worker alive."""

    kind = "worker-cut-from-one"
    holds_s = (2.0, 15.0)

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.cable = rng.choice(site.to_brokers[target])

    def cables(self) -> list[Cable]:
        return [self.cable]


class WorkerSlow(Fault):
    """What a worker and the brokers say to each other arrives late."""

    kind = "worker-slow"
    holds_s = (4.0, 15.0)

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.delay_s = rng.uniform(0.05, 0.4)

    def begin(self) -> None:
        for cable in self.site.to_brokers[self.target]:
            cable.set(Way.OPEN, self.delay_s)

    def end(self) -> None:
        for cable in self.site.to_brokers[self.target]:
            cable.set(Way.OPEN)


class PayeesCut(_Cut):
    """No worker reaches any payee, requests under way included: their outcome is unclear."""

    kind = "payees-cut"
    holds_s = (2.0, 10.0)

    def cables(self) -> list[Cable]:
        return [self.site.to_payees]


class PayeesMute(_Cut):
    """Payees get every request, and their answers never arrive."""

    kind = "payees-mute"
    holds_s = (1.0, 4.0)

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.way = Way.MUTE

    def cables(self) -> list[Cable]:
        return [self.site.to_payees]


class PayeesSlow(Fault):
    """Requests and answers take their time, some longer than the time-out of 1.5 s."""

    kind = "payees-slow"
    holds_s = (2.0, 8.0)

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.delay_s = rng.uniform(0.1, 0.9)

    def begin(self) -> None:
        self.site.to_payees.set(Way.OPEN, self.delay_s)

    def end(self) -> None:
        self.site.to_payees.set(Way.OPEN)
