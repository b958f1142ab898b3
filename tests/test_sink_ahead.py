"""Inserting ahead: in order, one at a time, and nothing after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sinks.ahead import MOST, InsertAhead
from sinks.blocks import Block
from sinks.columns import ENTRIES
from sinks.errors import Stopped, WarehouseAway, WarehouseRefused
from sinks.inserts import Inserter, MarkMoved


def block(number: int) -> Block:
    return Block(ENTRIES, 0, number - 1, number, number, [])


class Scripted(Inserter):
    """Does with the nth block as told: raises it, or calls it and inserts."""

    def __init__(self, *script: Exception | Callable[[], object]) -> None:
        super().__init__(None, threading.Event())  # type: ignore[arg-type]
        self.script = list(script)
        self.inserted: list[int] = []

    def insert(self, block: Block) -> None:
        step: Any = self.script.pop(0) if self.script else lambda: None
        if isinstance(step, Exception):
            raise step
        step()
        self.inserted.append(block.first)


@contextmanager
def ahead_of(inserter: Inserter) -> Iterator[InsertAhead]:
    ahead = InsertAhead(inserter)
    try:
        yield ahead
    finally:
        ahead.close()


def test_blocks_go_in_as_they_came_and_settle_waits_for_the_last() -> None:
    inserter = Scripted()
    with ahead_of(inserter) as ahead:
        for number in range(50):
            ahead.insert(block(number))
        ahead.settle()
        assert inserter.inserted == list(range(50))


def test_who_brings_blocks_does_not_wait_until_there_are_a_few() -> None:
    go = threading.Event()
    inserter = Scripted(lambda: go.wait(10))
    with ahead_of(inserter) as ahead:
        for number in range(MOST):
            ahead.insert(block(number))
        assert inserter.inserted == []
        go.set()
        ahead.settle()
        assert inserter.inserted == list(range(MOST))


@pytest.mark.parametrize("failure", [MarkMoved("moved"), WarehouseRefused("no"), Stopped("stop")])
def test_after_a_failure_nothing_more_goes_in(failure: Exception) -> None:
    go = threading.Event()
    inserter = Scripted(lambda: go.wait(10), failure)
    with ahead_of(inserter) as ahead:
        for number in range(4):
            ahead.insert(block(number))
        go.set()
        with pytest.raises(type(failure)):
            ahead.settle()
        assert inserter.inserted == [0]
        with pytest.raises(type(failure)):
            ahead.insert(block(9))


def test_a_moved_mark_is_forgotten_by_who_begins_anew() -> None:
    inserter = Scripted(MarkMoved("moved"))
    with ahead_of(inserter) as ahead:
        ahead.insert(block(0))
        ahead.begin_anew()
        ahead.insert(block(5))
        ahead.settle()
    assert inserter.inserted == [5]


def test_any_other_failure_is_not_forgotten() -> None:
    with ahead_of(Scripted(WarehouseRefused("no"))) as ahead:
        ahead.insert(block(0))
        with pytest.raises(WarehouseRefused):
            ahead.begin_anew()


def test_once_closed_nobody_waits_for_it() -> None:
    with ahead_of(Scripted(WarehouseRefused("no"))) as ahead:
        ahead.insert(block(0))
    ahead.begin_anew()


def test_it_can_be_closed_while_the_warehouse_is_away() -> None:
    asked = threading.Event()

    class Away(Inserter):
        def _look_and_insert(self, block: Block) -> None:
            asked.set()
            raise WarehouseAway("gone")

    with ahead_of(Away(None, threading.Event())) as ahead:  # type: ignore[arg-type]
        ahead.insert(block(0))
        assert asked.wait(10)
