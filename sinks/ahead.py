"""Inserting in a thread of its own, so that the next blocks are gathered while the warehouse takes the last ones."""

from __future__ import annotations

import queue
import threading

from sinks.blocks import Block
from sinks.columns import Table
from sinks.inserts import Inserter, MarkMoved

MOST = 4  # blocks waiting at once; who brings one more waits with it


class InsertAhead:
    """Blocks go in one after another, in the order they came. After a failure the rest are dropped, unlooked at.

    What went wrong is raised to whoever comes next, by `insert`, `settle` or `begin_anew`: see Inserter.insert for
    what that can be. One thread may call this.
    """

    def __init__(self, inserter: Inserter) -> None:
        self._inserter = inserter
        self._waiting: queue.Queue[Block | None] = queue.Queue(MOST)
        self._failure: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="insert-ahead", daemon=True)
        self._thread.start()

    def mark(self, table: Table, partition: int) -> int:
        """The table's high-water mark. Only between `begin_anew` and the next `insert`: nothing may be on its way."""
        return self._inserter.mark(table, partition)

    def insert(self, block: Block) -> None:
        """Take the block; it is not in its table before `settle` returned."""
        self._raise_failure()
        self._waiting.put(block)

    def settle(self) -> None:
        """Return when every block is in its table."""
        self._waiting.join()
        self._raise_failure()

    def begin_anew(self) -> None:
        """Wait for what is on its way, whatever becomes of it: the next blocks start from the marks.

        Once closed there is nothing to wait for and nobody to tell: a consumer says good-bye to its partitions last.
        """
        if self._closed:
            return
        self._waiting.join()
        if isinstance(self._failure, MarkMoved):
            self._failure = None
        self._raise_failure()

    def close(self) -> None:
        """End the thread after the block it is at, or at once while the warehouse is away; the rest is dropped."""
        self._closed = True
        self._failure = self._failure or MarkMoved("closed")
        self._inserter.give_up()
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (block := self._waiting.get()) is not None:
            if self._failure is None:
                try:
                    self._inserter.insert(block)
                except BaseException as error:  # noqa: BLE001 - it is raised where the blocks come from
                    self._failure = error
            self._waiting.task_done()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
