"""The suite's hand on its terminals: start them in a process of their own, set the rate, stop them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

from console.fleet_world import FleetPayee, FleetTerminal
from streams.settings import Settings
from tests.chaos.history import History
from tests.chaos.terminals import Controls, Enrolled, Plan, live

_START_S = 60.0
_STOP_S = 150.0  # Kafka's client may wait a minute for a broker that is away, and the last replies take a while


class FleetFailed(Exception):
    """The terminals' process did not start, or did not end in order."""


class ChaosFleet:
    """Terminals under load. To end a run: `set_rate(0)`, wait until all is settled, then `stop`.

    While it runs it also listens, so a rate of 0 is not silence.
    """

    def __init__(self, process: BaseProcess, controls: Controls) -> None:
        self._process = process
        self._controls = controls

    @classmethod
    def start(
        cls,
        settings: Settings,
        terminals: Sequence[FleetTerminal],
        payees: Sequence[FleetPayee],
        history: History,
        seed: int,
        rate: float,
        *,
        bad_bps: int = 300,
        others: Sequence[FleetPayee] = (),
    ) -> ChaosFleet:
        """Start, and return once it listens. rate: messages a second; bad_bps: share of bad input. others: payees that
        get a share of their own.

        The terminals' keys and operator root's are on disk under `settings.keys`. Raises FleetFailed.
        """
        context = multiprocessing.get_context("spawn")
        counts = [context.Value("q", 0) for _ in range(4)]
        controls = Controls(context.Value("d", rate), *counts, context.Event(), context.Event())
        plan = Plan(
            settings, [Enrolled.of(one) for one in terminals], list(payees), list(others), history, seed, bad_bps
        )
        process = context.Process(target=live, args=(plan, controls), name="terminals", daemon=True)
        process.start()
        fleet = cls(process, controls)
        if not controls.listening.wait(_START_S):
            process.kill()
            raise FleetFailed(f"the terminals did not start in {_START_S:.0f} s (exit code {process.exitcode})")
        return fleet

    def set_rate(self, rate: float) -> None:
        """Messages a second from now on."""
        self._controls.rate.value = rate

    def stop(self) -> None:
        """Send nothing more, hear out Kafka and the last replies, end. Raises FleetFailed."""
        self._controls.stop.set()
        self._process.join(_STOP_S)
        if self._process.exitcode != 0:
            code = self._process.exitcode
            self._process.kill()
            raise FleetFailed(f"the terminals did not end in order: exit code {code}")

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    @property
    def sent(self) -> int:
        """Messages handed to Kafka's client."""
        return self._controls.sent.value

    @property
    def acked(self) -> int:
        """Messages that Kafka has."""
        return self._controls.acked.value

    @property
    def failed(self) -> int:
        """Messages whose outcome is not known."""
        return self._controls.failed.value

    @property
    def told(self) -> int:
        """Replies read."""
        return self._controls.told.value
