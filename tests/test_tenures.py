"""A partition that was given up and taken over again: nothing from before counts as if nobody had been there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.assignment import Assignment, ready_file
from schemas.envelope import SigningKey
from streams.settings import Settings
from streams.shards import NotOurs, Shards
from streams.topics import COMMANDS, PAYMENTS


class _Shards(Shards):
    """Shards that notes what is opened instead of asking a broker."""

    def __init__(self, settings: Settings, assignment: Assignment) -> None:
        self.closed: list[int] = []
        self.opening: list[int] = []
        super().__init__(settings, SigningKey.generate("server:1"), assignment.owns, lambda _: None, self.closed.append)

    async def open(self, partition: int) -> None:
        self.opening.append(partition)


class _Worker:
    def __init__(self, directory: Path) -> None:
        (directory / "run").mkdir(exist_ok=True)
        self.settings = Settings(dir=directory, snapshot_every=0)
        self.assignment = Assignment(self.settings, set())
        self.shards = self.assignment.shards = _Shards(self.settings, self.assignment)

    def rebalance(self, generation: int, *partitions: int) -> tuple[list[int], list[int]]:
        """What is closed, and what is opened or found open, when it is given these partitions."""
        self.shards.closed.clear()
        self.shards.opening.clear()
        tasks: list[Coroutine[Any, Any, None]] = []
        places = [
            SimpleNamespace(topic=topic.name, partition=number)
            for topic in (PAYMENTS, COMMANDS)
            for number in partitions
        ]
        self.assignment.revoked()
        assert not ready_file(self.settings).exists()
        self.assignment.assigned(places, generation, tasks.append)
        assert self.shards.opening == []  # never inside of the group's callback
        for task in tasks:
            asyncio.run(task)
        return sorted(self.shards.closed), sorted(self.shards.opening)


@pytest.mark.parametrize(
    ("generation", "given", "closed"),
    [
        (8, (1, 2, 3), []),  # all kept
        (8, (2, 3, 4), [1]),  # one moved away
        (8, (), [1, 2, 3]),
        (9, (1, 2, 3), [1, 2, 3]),  # a generation was missed: somebody may have had them
        (7, (1, 2, 3), [1, 2, 3]),  # a group that forgot its count
    ],
)
def test_what_stays_open_over_a_rebalance(
    tmp_path: Path, generation: int, given: tuple[int, ...], closed: list[int]
) -> None:
    worker = _Worker(tmp_path)
    assert worker.rebalance(7, 1, 2, 3) == ([], [1, 2, 3])
    assert worker.rebalance(generation, *given) == (closed, sorted(given))
    assert [worker.shards.tenure(number) for number in (1, 2, 3)] == [int(number in closed) for number in (1, 2, 3)]


def test_the_ready_file_names_what_is_open(tmp_path: Path) -> None:
    worker = _Worker(tmp_path)
    worker.rebalance(1, 3, 1, 2)
    assert ready_file(worker.settings).read_text() == "1 2 3\n"
    worker.rebalance(2)
    assert ready_file(worker.settings).read_text() == "\n"


def test_what_was_begun_in_an_earlier_tenure_is_not_decided(tmp_path: Path) -> None:
    worker = _Worker(tmp_path)
    worker.rebalance(1, 5)
    begun = worker.shards.tenure(5)
    worker.rebalance(2)
    worker.rebalance(3, 5)
    with pytest.raises(NotOurs, match="given up since"):
        asyncio.run(worker.shards.decide(5, (), tenure=begun))


def test_a_shard_that_is_not_open_is_not_opened_by_one_who_does_not_own_it(tmp_path: Path) -> None:
    worker = _Worker(tmp_path)
    worker.rebalance(1, 5)
    worker.assignment.revoked()
    with pytest.raises(NotOurs):
        asyncio.run(worker.shards.decide(5, ()))
