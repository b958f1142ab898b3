"""The doctor at the workers and sinks of this machine: they say where they listen, so they can be asked."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import orjson

from console.doctor_findings import Deadline, Finding, fail, ok, skipped, warn
from streams.settings import Settings

_ANSWER_S = 2.0
_ALL_AT_ONCE = 32
# A proxy that the environment names is for the outside world.
_ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True, slots=True)
class PartSeen:
    """part: "worker" or "sink", "" when nobody answered. stuck, not_ready: its own words at /health and /ready."""

    name: str
    url: str
    part: str = ""
    stuck: tuple[str, ...] = ()
    not_ready: tuple[str, ...] = ()


def look_at_parts(settings: Settings, deadline: Deadline) -> list[PartSeen]:
    """Everybody whose URL is on file in the settings' directory."""
    files = sorted((settings.dir / "run").glob("*.http"))
    with ThreadPoolExecutor(_ALL_AT_ONCE, thread_name_prefix="doctor-part") as threads:
        return list(threads.map(lambda path: _seen(path, deadline), files))


def judge_parts(seen: Sequence[PartSeen], directory: Path) -> list[Finding]:
    """`parts.<name>` of each, or `parts` when nobody is known here."""
    if not seen:
        return [skipped("parts", f"no worker and no sink has its address in {directory / 'run'} (setting http)")]
    return [_judge(one, directory) for one in seen]


def unserved(seen: Iterable[PartSeen]) -> set[str]:
    """The kinds of part of which none is alive, where one that was here does not answer: its work waits in vain.

    Where nobody is missed nothing can be said: the parts may run on other machines.
    """
    looked = list(seen)
    lost = [one for one in looked if not one.part or one.stuck]
    return {"worker", "sink"} - {one.part for one in looked if one not in lost} if lost else set()


def _judge(one: PartSeen, directory: Path) -> Finding:
    check = f"parts.{one.name}"
    if not one.part:
        file = directory / "run" / f"{one.name}.http"
        return fail(check, f"nobody answers at {one.url}", f"start it again; if it is gone for good, remove {file}")
    if one.stuck:
        return fail(check, f"{one.part} at {one.url}: {'; '.join(one.stuck)}", "look into its log, then restart it")
    if one.not_ready:
        return warn(check, f"{one.part} at {one.url} is not ready: {'; '.join(one.not_ready[:3])}",
                    "wait for it; if it stays so, look into its log")  # fmt: skip
    return ok(check, f"{one.part} at {one.url} is ready")


def _seen(path: Path, deadline: Deadline) -> PartSeen:
    name, url = path.stem, ""
    try:
        url = path.read_text().strip()
        part, stuck = _problems(f"{url}/health", deadline)
        _, not_ready = _problems(f"{url}/ready", deadline)
    except (OSError, ValueError, KeyError):
        return PartSeen(name, url or str(path))
    return PartSeen(name, url, part, stuck, not_ready)


def _problems(url: str, deadline: Deadline) -> tuple[str, tuple[str, ...]]:
    """(kind of part, its problems). Raises OSError when nobody answers, ValueError or KeyError when it is not ours."""
    try:
        with _ask(url, timeout=deadline.within(_ANSWER_S)) as response:
            said = orjson.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            said = orjson.loads(error.read())
    return str(said["part"]), tuple(map(str, said["problems"]))
