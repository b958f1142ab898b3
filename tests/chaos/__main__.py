"""`python -m tests.chaos`: one run of the faults suite, from the first broker to the verdict."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.chaos.again import faults_of, judge_again
from tests.chaos.calm import calm_down, look
from tests.chaos.fleet import ChaosFleet
from tests.chaos.history import History
from tests.chaos.other_payees import receivers
from tests.chaos.schedule import Storm, Timeline
from tests.chaos.site import Site, running_site
from tests.chaos.verdict import Verdict, judge

_PROGRESS_S = 10.0
_WAREHOUSE_S = 120.0


def main() -> int:
    """0: nothing lost, doubled, broken or other than the model says, and the audit passed."""
    options = _options()
    seed = options.seed or Random().randrange(1, 10**6)
    directory: Path = options.dir.resolve()
    if options.again:
        return _again(directory, seed)
    print(f"seed {seed}: SEED={seed} repeats it", flush=True)
    _clear(directory)
    with (directory / "timeline.txt").open("w") as file, running_site(directory, options.workers, seed) as site:
        timeline = Timeline(file)
        if not site.disks:
            timeline.say("note  no disk is filled: only root can mount small ones")
        storm = Storm(site, seed, timeline, options.only, options.rest)
        verdict, is_calm = _run(site, storm, timeline, options, seed)
    problems = [*storm.problems, *verdict.problems]
    if not is_calm:
        problems.append("not everything was decided after the last fault was healed")
    passed = _print(verdict, timeline.kinds, problems)
    _keep(directory, verdict, timeline.kinds, seed, problems)
    if passed and not options.keep:
        _clear(directory)
    else:
        print(f"logs, history, timeline and verdict are kept in {directory}")
    return 0 if passed else 1


def _again(directory: Path, seed: int) -> int:
    kinds = faults_of(directory / "timeline.txt")
    verdict = judge_again(directory, seed)
    passed = _print(verdict, kinds, verdict.problems)
    _keep(directory, verdict, kinds, seed, verdict.problems)
    return 0 if passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Everything fails; nothing is lost.")
    parser.add_argument("--seconds", type=float, default=180, help="of load and faults; start and verdict come on top")
    parser.add_argument("--seed", type=int, default=0, help="0: a new one, which is printed")
    parser.add_argument("--rate", type=float, default=300, help="payments a second")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dir", type=Path, default=Path("var/chaos"))
    parser.add_argument(
        "--only", default="", help="part of a lane's name: worker, sink, brokers, warehouse, payees, disk"
    )
    parser.add_argument("--rest", type=float, default=1, help="stretch the rests between faults: 4 for an hour of load")
    parser.add_argument(
        "--payments", type=int, default=0, help="go on until so many were sent, three times as long at most"
    )
    parser.add_argument("--keep", action="store_true", help="keep logs and data of a run that passed, too")
    parser.add_argument("--again", action="store_true", help="run nothing: judge what an earlier run left in --dir")
    return parser.parse_args()


def _run(site: Site, storm: Storm, timeline: Timeline, options: argparse.Namespace, seed: int) -> tuple[Verdict, bool]:
    history = History(site.directory / "history.jsonl")
    usual, special = receivers(seed)
    fleet = ChaosFleet.start(site.settings, site.fleet, usual, history, seed, options.rate, others=special)
    storm.begin()
    try:
        _watch(site, fleet, timeline, options)
    finally:
        storm.end()
    timeline.say(f"healed; {fleet.sent:,} sent, {fleet.acked:,} acknowledged")
    fleet.set_rate(0)
    is_calm = calm_down(site, timeline)
    fleet.stop()
    timeline.say("calm, judging" if is_calm else "judging all the same")
    return judge(site.settings, history, site.payees_url, _WAREHOUSE_S), is_calm


def _watch(site: Site, fleet: ChaosFleet, timeline: Timeline, options: argparse.Namespace) -> None:
    """A line every ten seconds; the rate falls while the backlog is large, so that a slow machine comes to an end."""
    began = time.monotonic()
    while (passed_s := time.monotonic() - began) < options.seconds or (
        fleet.sent < options.payments and passed_s < 3 * options.seconds
    ):
        left_s = options.seconds - passed_s
        time.sleep(min(_PROGRESS_S, left_s) if left_s > 0 else _PROGRESS_S)
        now = look(site.settings)
        if now.lag is not None:
            fleet.set_rate(options.rate / 4 if now.lag > 20 * options.rate else options.rate)
        timeline.say(f"      sent {fleet.sent:,}, {now}")


def _print(verdict: Verdict, kinds: Counter[str], problems: list[str]) -> bool:
    for problem in problems[:50]:
        print(f"problem: {problem}")
    print(f"{kinds.total()} faults of {len(kinds)} kinds:")
    for kind, count in sorted(kinds.items()):
        print(f"  {count:4}  {kind}")
    still_open = ", ".join(f"{count} {state}" for state, count in verdict.open_states.items()) or "none"
    print(
        f"messages sent {verdict.sent:,}, acknowledged {verdict.acked:,}; decided {verdict.decided:,}, "
        f"duplicates {verdict.duplicates:,}, in rejects {verdict.rejected:,}; open {still_open}"
    )
    print(
        f"vouchers sold {verdict.pins:,}, registry lines {verdict.lines:,}, rerouted {verdict.moved:,}, "
        f"questions {verdict.questions:,}, answered {verdict.answers:,}"
    )
    print(f"audit: {'passed' if verdict.checks.passed else 'FAILED'}")
    print(verdict.line)
    return verdict.passed and verdict.checks.passed and not problems


def _keep(directory: Path, verdict: Verdict, kinds: Counter[str], seed: int, problems: list[str]) -> None:
    found = verdict.as_json() | {"seed": seed, "faults": kinds, "problems": problems}
    (directory / "verdict.json").write_text(json.dumps(found, indent=1))


def _clear(directory: Path) -> None:
    """Remove what an earlier run left, small disks of one that was killed included."""
    for place in ("snapshots", "warehouse"):
        if (directory / place).is_mount():
            subprocess.run(["umount", "--lazy", str(directory / place)], check=False)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    sys.exit(main())
