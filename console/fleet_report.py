"""The tables at the end of a fleet's run: sent by kind, answers by state and code, latencies."""

from __future__ import annotations

from collections import Counter

from console.fleet_kinds import EXPECTED, Kind
from console.fleet_tally import Tally, Track, answers, percentile
from console.output import note, rows, say

_SHOWN = 5


def print_report(tally: Tally, elapsed_s: float) -> None:
    """What was sent, what came of it, how fast, and the first few that ended otherwise than expected."""
    rows(("sent", "expected", "messages", "acknowledged", "as expected"), _kinds(tally.tracks), right=_NUMBERS)
    say("")
    lines = ((state, code or "", count) for (state, code), count in sorted(answers(tally.tracks).items()))
    rows(("answer", "code", "messages"), lines, right=("code", "messages"))
    say("")
    rows(("after sending", "p50 ms", "p99 ms"), _latencies(tally.tracks), right=("p50 ms", "p99 ms"))
    say("")
    say(f"{len(tally.tracks)} messages in {elapsed_s:.1f} s, {len(tally.tracks) / elapsed_s:.0f} a second")
    for track in tally.differing()[:_SHOWN]:
        found = track.found or "no answer"
        name = track.message.id or track.message.terminal
        note(f"{name} ({track.message.kind.value}): {found}, expected {track.message.expected}")


_NUMBERS = ("messages", "acknowledged", "as expected")


def _kinds(tracks: list[Track]) -> list[tuple[object, ...]]:
    sent = Counter(track.message.kind for track in tracks)
    acknowledged = Counter(track.message.kind for track in tracks if track.acknowledged)
    expected = Counter(track.message.kind for track in tracks if track.found == track.message.expected)
    return [(kind.value, EXPECTED[kind], sent[kind], acknowledged[kind], expected[kind]) for kind in Kind if sent[kind]]


def _latencies(tracks: list[Track]) -> list[tuple[object, ...]]:
    first = [track.first_s for track in tracks if track.first_s is not None]
    final = [track.final_s for track in tracks if track.final_s is not None]
    return [("first reply", *_ms(first)), ("final reply", *_ms(final))]


def _ms(seconds: list[float]) -> tuple[str, str]:
    p50, p99 = percentile(seconds, 50), percentile(seconds, 99)
    return ("-" if p50 is None else f"{p50 * 1000:.0f}", "-" if p99 is None else f"{p99 * 1000:.0f}")
