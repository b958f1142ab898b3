"""A compressed day with all payees misbehaving: each payment is final or honestly open, and every payee's own book is
equal to the ledger, line by line."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from console.audit_run import run_audit
from tests.network import until
from tests.simulated_day import GATEWAYS, Books, a_day
from tests.wide_network import Watch

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(400)]

PAYMENTS = int(os.environ.get("TEST_PAYMENTS", "480"))
DAY_S = 24.0
# Nothing of these is asked about any more; MANUAL is an operator's.
_REST = {"POSTED", "VOIDED", "DECLINED", "MANUAL"}


def test_a_day_with_every_payee_misbehaving_ends_with_equal_books(tmp_path: Path) -> None:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {seed}: TEST_SEED={seed} repeats it")
    with a_day(tmp_path, seed) as day:
        watch = Watch(day.stack.settings)
        fleet = list(day.messages(seed, PAYMENTS))
        day.passes(fleet, DAY_S, events=6)
        good = {message.id for message in fleet if message.kind == "GOOD"}
        until(
            "every payment is decided and no payee is asked any more",
            lambda: not watch.look().open and good <= watch.decided.keys(),
            150,
            lambda: f"{len(good - watch.decided.keys())} not decided; {len(watch.open)} open: {list(watch.open)[:9]}",
        )
        books = Books.read(day)
        print(books.table())
        assert books.differences() == []
        states = Counter(state for _, state in books.payments.values())
        assert states.keys() <= _REST, states
        assert states["POSTED"] > PAYMENTS // 2
        assert {facts.gateway for facts, state in books.payments.values() if state == "POSTED"} == set(GATEWAYS)
        assert books.rerouted > 0
        report = run_audit(day.stack.settings, simulator=day.simulator.url, wait_s=60)
        assert report.passed, [f"{one.name}: {failure}" for one in report.checks for failure in one.failures[:3]]
        assert report.check("payee.posted").looked_at == states["POSTED"]
