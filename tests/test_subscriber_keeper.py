"""Which lists a worker asks, where some of them cannot be read: without a broker, by what it would read from one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.subscriber_keeper import SubscriberKeeper
from schemas.subscribers import SubscriberList
from streams.directory import Directory
from streams.settings import Settings
from streams.subscriber_lists import ListDiffers
from tests.builders_subscribers import a_list, a_row

LINES = [a_row("9161234567", name="Ivanov")]


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SubscriberKeeper]:
    """Nothing is on the ledger. Rows of payee `broken` are not those that were signed, those of `strange` are none."""

    def read_lines(_: Settings, wanted: SubscriberList) -> Iterator[list[bytes]]:
        yield [b"[]"] if wanted.payee == "strange" else LINES
        if wanted.payee == "broken":
            raise ListDiffers("1 of 2 records")

    monkeypatch.setattr("agents.subscriber_keeper.read_lines", read_lines)
    directory = Directory()
    for payee in ("broken", "strange", "mobile"):
        directory.subscriber_lists[payee] = a_list(LINES, payee=payee)
    made = SubscriberKeeper(Settings(dir=tmp_path), directory)
    monkeypatch.setattr(made, "_follow", lambda _: None)
    yield made
    made._stopping.set()
    made._run()  # closes what is open


def test_a_list_that_cannot_be_read_holds_up_no_other(keeper: SubscriberKeeper):
    for _ in range(2):
        assert not keeper._step()
        assert keeper.ready() == {"mobile": "UPLOAD1"}


def test_a_list_is_asked_at_the_next_look_where_the_ledger_could_not_be_read(
    keeper: SubscriberKeeper, monkeypatch: pytest.MonkeyPatch
):
    """It was built and never asked: the worker went on with the list of before."""
    for payee in ("broken", "strange"):
        del keeper._directory.subscriber_lists[payee]
    reads = iter([None, TimeoutError("no answer"), None, None])

    def follow(_: object) -> None:
        if (failure := next(reads)) is not None:
            raise failure

    monkeypatch.setattr(keeper, "_follow", follow)
    assert not keeper._step()
    assert keeper.ready() == {}
    assert keeper._step()
    assert keeper.ready() == {"mobile": "UPLOAD1"}
