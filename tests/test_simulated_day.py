"""A compressed day with all payees misbehaving: each payment is final or honestly open, and every payee's own book is
equal to the ledger, line by line."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from console.audit_run import run_audit
from tests.cli_runs import Kassa
from tests.network import until
from tests.simulated_day import GATEWAYS, Books, Day, a_day
from tests.simulated_day_others import CARDS, Garden, Shelf
from tests.wide_network import Watch

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(500)]

PAYMENTS = int(os.environ.get("TEST_PAYMENTS", "480"))
DAY_S = 24.0
# Nothing of these is asked about any more; MANUAL is an operator's.
_REST = {"POSTED", "VOIDED", "DECLINED", "MANUAL"}


def test_a_day_with_every_payee_misbehaving_ends_with_equal_books(
    tmp_path: Path, kassa: Kassa, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    with a_day(tmp_path, seed) as day:
        monkeypatch.setenv("KASSA_DIR", str(day.stack.settings.dir))
        stock_up(kassa)
        print(f"seed {seed}: TEST_SEED={seed} repeats it")
        watch, garden = Watch(day.stack.settings), Garden(day.stack, Random(seed))
        fleet = list(day.messages(seed, PAYMENTS))
        day.passes(fleet, DAY_S, events=6)
        good = {message.id for message in fleet if message.kind == "GOOD"}
        until(
            "every payment is decided and no payee is asked any more",
            lambda: not watch.look().open and good <= watch.decided.keys(),
            150,
            lambda: f"{len(good - watch.decided.keys())} not decided; open: {list(watch.open.items())[:9]}",
        )
        garden.answers(lambda: "QUEUED" not in Books.read(day).states())
        compare(day, Books.read(day), garden)


def stock_up(kassa: Kassa) -> None:
    Path("cards.csv").write_text("serial;pin\n" + "".join(f"SN{n:04};PIN-{n:04}\n" for n in range(CARDS)))
    load = ("voucher", "load", "card", "cards.csv", "--batch", "b1", "--denomination", "500.00", "--cost", "480.00",
            "--supplier", "cardhouse", "--expires", "2099-12-31")  # fmt: skip
    for command in (("voucher", "key", "v1"), load):
        shown = kassa(*command)
        assert shown.code == 0, shown


def compare(day: Day, books: Books, garden: Garden) -> None:
    print(books.table())
    assert books.differences() == []
    states = books.states()
    assert states.keys() <= _REST, states
    assert {facts.gateway for facts, state in books.payments.values() if state == "POSTED"} >= set(GATEWAYS)
    assert books.rerouted > 0
    planted = {one.txn: (next(iter(one.subscriber.values())), one.amount) for one in books.posted("garden").values()}
    assert (planted, len(planted) > 10) == (garden.book, True)
    shelf = Shelf.of(books.entries)
    assert shelf.differences(set(books.posted("card"))) == []
    assert len(shelf.sold) == CARDS
    report = run_audit(day.stack.settings, simulator=day.simulator.url, wait_s=60)
    assert report.passed, [f"{one.name}: {failure}" for one in report.checks for failure in one.failures[:3]]
    online = [facts for facts, state in books.payments.values() if state == "POSTED" and not facts.served]
    assert report.check("payee.posted").looked_at == len(online) > PAYMENTS // 3
