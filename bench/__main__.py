"""`make bench`: run everything once and print the figures."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import core, flow, slow_payee, tariffs
from bench.figures import report
from bench.rig import running
from console.output import say


def main() -> None:
    """Sizes are small enough for a minute or two; --scale multiplies them."""
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__)
    arguments.add_argument("--scale", type=float, default=1.0, help="how many payments, relative to the usual")
    scale: float = arguments.parse_args().scale
    figures = [core.decided(), *tariffs.priced()]
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as rig:
        say("accepted …")
        figures.append(flow.accepted(rig, int(20_000 * scale)))
        half = figures[-1].value / 2
        say("answered at half load …")
        figures += flow.answered(rig, half, 5)
        say("settled …")
        figures.append(flow.settled(rig, int(6_000 * scale), check=False))
        figures.append(flow.settled(rig, int(6_000 * scale), check=True))
        say("recovered, loaded …")
        figures.append(flow.recovered(rig))
        figures.append(flow.loaded(rig))
        say("one payee at 30 s a call …")
        figures += slow_payee.slowed(rig, 100 * min(scale, 1.0), 10)
    say("a million payments in memory …")
    figures += core.weight()
    report(figures, Path("var/bench"))


if __name__ == "__main__":
    main()
