"""A child of `lifeline.spawn` ends with its parent, however the parent ends."""

import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from streams import lifeline

WITHIN_S = 10.0


def test_a_childs_output_is_appended_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    assert lifeline.spawn(["sh", "-c", "echo out; echo err >&2; exit 3"], log=log).wait(WITHIN_S) == 3
    assert log.read_text() == "before\nout\nerr\n"


def test_a_command_that_cannot_run_shows_in_the_log(tmp_path: Path) -> None:
    assert lifeline.spawn(["no-such-command"], log=tmp_path / "log").wait(WITHIN_S) != 0
    assert "no-such-command" in (tmp_path / "log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")
@pytest.mark.parametrize("thread", ["the main thread", "a thread that is over"])
def test_a_killed_parent_takes_its_child_along(tmp_path: Path, thread: str) -> None:
    """In Linux the parent is the thread: a child must not die with the thread that happened to start it."""
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path / "log"), thread], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    watch = os.pidfd_open(child)
    assert not select.select([watch], [], [], 0.2)[0], "the child ended with the thread that started it"
    parent.send_signal(signal.SIGKILL)
    parent.wait(WITHIN_S)
    assert select.select([watch], [], [], WITHIN_S)[0], "the child outlived its parent"
    os.close(watch)
    parent.stdout.close()


_PARENT = textwrap.dedent(
    """
    import signal, sys, threading
    from pathlib import Path
    from streams import lifeline

    def start():
        print(lifeline.spawn(["sleep", "60"], log=Path(sys.argv[1])).pid, flush=True)

    if sys.argv[2] == "the main thread":
        start()
    else:
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
    signal.pause()
    """
)
