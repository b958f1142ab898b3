"""Payees that misbehave for a while: flap, hang, take money and say nothing, answer garbage, or are gone."""

from __future__ import annotations

from random import Random

from agents.gateways.simulator_faults import Behaviour
from tests.chaos.fault import Fault
from tests.chaos.site import Site, payees

_MANY = 1_000  # askings: for as long as the fault lasts, every answer may be a bad one


class PayeeMisbehaves(Fault):
    """One payee of the simulator behaves otherwise from the next request on."""

    holds_s = (3.0, 10.0)
    behaviour: Behaviour

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.target = rng.choice(sorted(payees()))

    def begin(self) -> None:
        self.site.simulator.behave(self.target, self.behaviour)

    def end(self) -> None:
        self.site.simulator.behave(self.target, payees()[self.target])


class PayeeTakesAndTimesOut(PayeeMisbehaves):
    """It books the payment, and then never answers."""

    kind = "payee-takes-and-times-out"
    behaviour = Behaviour(time_out_after_accept_pct=60, faulty_askings=_MANY)


class PayeeHangs(PayeeMisbehaves):
    """It books nothing, and never answers."""

    kind = "payee-hangs"
    behaviour = Behaviour(time_out_before_accept_pct=90, faulty_askings=_MANY)


class PayeeFlaps(PayeeMisbehaves):
    """Every other answer is an error, before or after it booked."""

    kind = "payee-flaps"
    behaviour = Behaviour(http_500_pct=30, drop_after_accept_pct=15, temporary_pct=15, faulty_askings=_MANY)


class PayeeTalksGarbage(PayeeMisbehaves):
    """It books, and answers with pages, halves, and answers to other questions."""

    kind = "payee-talks-garbage"
    behaviour = Behaviour(garbage_pct=25, broken_reply_pct=20, wrong_txn_pct=15, wrong_sum_pct=15, faulty_askings=_MANY)


class PayeesCrash(Fault):
    """The payees' machine is killed and comes back with its book."""

    kind = "payees-crash"
    holds_s = (1.0, 8.0)

    def begin(self) -> None:
        self.site.simulator.kill()

    def end(self) -> None:
        self.site.start_simulator(self.site.simulator.port)
