"""One payee at 30 s a call: what does the p99 of all the others become? The same load without it and with it, in turns.

python -m bench.slow_payee --rate 100 --seconds 20
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from agents.gateways.simulator_faults import Behaviour
from bench.figures import Figure, report
from bench.rig import CHECKED, DIRECT, Rig, running
from console.client import Client
from console.fleet_tally import percentile
from console.output import say

SLOW = Behaviour(delay_ms=30_000)
_END_S = 60.0


def slowed(rig: Rig, rate: float, seconds: float, rounds: int = 2) -> list[Figure]:
    """From producing a payment to its POSTED, at a steady rate; every third payment goes to the payee that slows down.

    In turns, so that what else goes on on the machine hits both. The payee's own payments are not counted.
    """
    took: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for is_slow in (False, True):
            rig.simulator.behave(DIRECT, SLOW if is_slow else Behaviour())
            took[is_slow] += _posted(rig, rate, seconds)
    rig.simulator.behave(DIRECT, Behaviour())
    p99 = {is_slow: (percentile(times, 99) or 0) * 1000 for is_slow, times in took.items()}
    how = f"produce to POSTED, {rate:,.0f}/s of which a third to payee B; {rounds} × {seconds:.0f} s of each, in turns"
    return [
        Figure("others' p99", p99[False], "ms", how),
        Figure("others' p99, B at 30 s", p99[True], "ms", f"{len(took[True])} payments counted, as many without"),
        Figure("slow payee ratio", p99[True] / p99[False], "×", "the second over the first"),
    ]


def _posted(rig: Rig, rate: float, seconds: float) -> list[float]:
    """How long each payment to the payee that is quick took to its final reply; seconds."""
    count = int(rate * seconds)
    orders = [rig.orders(DIRECT if number % 3 == 0 else CHECKED, 1)[0] for number in range(count)]
    quick = {order.id for number, order in enumerate(orders) if number % 3}
    sent: dict[str, float] = {}
    took: list[float] = []
    with Client(rig.stack.settings, [one.id for one in rig.fleet], many=True) as client:
        _ = [answer for order in rig.orders(CHECKED, 3) for answer in client.ask(order)]
        start = time.monotonic()
        for number, order in enumerate(orders):
            while (left := start + number / rate - time.monotonic()) > 0:
                _note(client, sent, took, min(left, 0.005))
            if order.id in quick:
                sent[order.id] = time.monotonic()
            client.send(order)
            _note(client, sent, took, 0)
        deadline = time.monotonic() + _END_S
        while sent and time.monotonic() < deadline:
            _note(client, sent, took, 0.02)
    if sent:
        raise RuntimeError(f"{len(sent)} payments to the quick payee were not final within {_END_S:.0f} s")
    return took


def _note(client: Client, sent: dict[str, float], took: list[float], within_s: float) -> None:
    reply = client.poll(within_s)
    while reply is not None:
        if reply.final and (began := sent.pop(reply.id, None)) is not None:
            took.append(time.monotonic() - began)
        reply = client.poll(0)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.slow_payee", description=__doc__)
    arguments.add_argument("--rate", type=float, default=100.0, help="payments a second")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of each turn")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as rig:
        say("one payee at 30 s a call …")
        report(slowed(rig, asked.rate, asked.seconds), Path("var/bench"))


if __name__ == "__main__":
    main()
