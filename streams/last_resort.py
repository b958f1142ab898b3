"""The end of a process that would otherwise go on past something it has not done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()


@contextmanager
def nothing_skipped(what: str) -> Iterator[None]:
    """End the process, at once and with status 70, when an error leaves this block.

    Faust restarts an agent that failed, but behind the batch it failed on, and the offset of the next batch would then
    count for that one too: messages nobody decided. A worker that is gone is started again and reads them anew; its
    offsets say how far it came, and what was in flight was not committed.
    """
    try:
        yield
    except Exception:
        log.critical("ended_not_to_skip", what=what, exc_info=True)
        os._exit(os.EX_SOFTWARE)
