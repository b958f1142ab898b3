"""Workers and sinks that die, freeze, are stopped in order, or come back with a wrong clock."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from tests.chaos.fault import Fault
from tests.chaos.site import Site


class _ProcessFault(Fault):
    """Its kind names the part: worker-kill, sink-kill."""

    what: ClassVar[str]

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.kind = f"{target.partition('-')[0]}-{self.what}"


class Kill(_ProcessFault):
    """kill -9; somebody starts it again some seconds later."""

    what = "kill"
    holds_s = (0.0, 6.0)

    def begin(self) -> None:
        self.site.stack.kill(self.target)

    def end(self) -> None:
        self.site.revive_ended([self.target])


class Freeze(_ProcessFault):
    """SIGSTOP, mostly past the session time-out of 10 s: the others take over, and then the zombie wakes."""

    what = "freeze"
    holds_s = (3.0, 20.0)

    def begin(self) -> None:
        self.site.stack.pause(self.target)

    def end(self) -> None:
        self.site.stack.resume(self.target)


class Stop(_ProcessFault):
    """SIGTERM, as a deployment does, and a start."""

    what = "stop"
    holds_s = (0.0, 3.0)

    def begin(self) -> None:
        self.site.stack.stop_one(self.target)

    def end(self) -> None:
        self.site.revive_ended([self.target])


class WrongClock(_ProcessFault):
    """The machine comes back with its clock minutes ahead or behind, and once more when it was set right."""

    what = "wrong-clock"
    holds_s = (8.0, 20.0)

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.shift_s = rng.choice((-1, 1)) * rng.randint(30, 120)

    def __str__(self) -> str:
        return f"{super().__str__()} by {self.shift_s:+} s"

    def begin(self) -> None:
        self.site.clock_file(self.target).write_text(str(self.shift_s * 1000))
        self._restart()

    def end(self) -> None:
        self.site.clock_file(self.target).unlink()
        self._restart()

    def _restart(self) -> None:
        if self.target not in self.site.stack.ended():
            self.site.stack.kill(self.target)
        self.site.revive_ended([self.target])
