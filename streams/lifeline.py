"""Child processes that cannot outlive us: a broker left behind by a killed test or demo is nobody's.

On Linux the kernel itself kills the child when its parent is gone (prctl PR_SET_PDEATHSIG), so not even `kill -9` of
the parent leaves one running. Elsewhere there is no such thing and only an orderly end stops the child.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

# Runs in the child, then turns into the command, so the pid is the command's own. A preexec_fn would run between fork
# and exec, which is not safe in a process with threads, and ours has them.
_TIE = """
import ctypes, os, signal, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]}: {error.strerror}")
"""


def spawn(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own (Ctrl-C reaches only us), its output appended to `log`.

    `env` is added to our own environment. Raises FileNotFoundError when the log has no directory; a command that
    cannot be run shows in the log and in the exit status.
    """
    return _keeper(os.getpid()).submit(_start, command, log, {**os.environ, **(env or {})}).result()


def _start(command: Sequence[str], log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    tie = [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*tie, *command], env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
        )


@cache
def _keeper(_pid: int) -> ThreadPoolExecutor:
    """The thread that starts children: Linux takes the *thread* for the parent, so it lives as long as we do."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="lifeline")
