"""What payments since a list make of its debts: the same in memory and in a worker's file, in whatever order."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.taken_file import TakenFile
from schemas.entry import Entry, EntryKind
from streams.taken import Paid, Since, Standing, Taking, Takings, standing_of
from tests.builders import AT
from tests.builders_subscribers import NUMBER, an_entry, later

TAKINGS = Takings(["mobile", "water"])


def taking(entry: Entry) -> Taking:
    found = TAKINGS.of(entry.encode())
    assert found is not None
    return found


def since(*entries: Entry) -> dict[str, Paid]:
    made = Since("mobile", AT)
    for entry in entries:
        made.take(taking(entry))
    return dict(made.by_number())


@pytest.mark.parametrize(
    ("kind", "standing"),
    [
        (EntryKind.HELD, Standing.UNDER_WAY),
        (EntryKind.DEFERRED, Standing.UNDER_WAY),
        (EntryKind.UNKNOWN, Standing.UNDER_WAY),
        (EntryKind.MANUAL, Standing.UNDER_WAY),
        (EntryKind.WAITING_FUNDS, Standing.UNDER_WAY),
        (EntryKind.POSTED, Standing.PAID),
        (EntryKind.REVERSING, Standing.PAID),
        (EntryKind.REVERSAL_MANUAL, Standing.PAID),
        (EntryKind.REVERSAL_REFUSED, Standing.PAID),
        (EntryKind.REVERSED, Standing.NONE),
        (EntryKind.VOIDED, Standing.NONE),
        (EntryKind.DECLINED, Standing.NONE),
    ],
)
def test_a_debt_is_smaller_from_when_cash_is_taken_until_it_is_given_back(kind: EntryKind, standing: Standing) -> None:
    assert standing_of(kind) is standing
    paid = {Standing.UNDER_WAY: Paid(0, 20_000), Standing.PAID: Paid(20_000, 0)}.get(standing)
    assert since(an_entry(), later(an_entry(), kind, 2)) == ({NUMBER: paid} if paid else {})


def test_only_payments_received_since_the_list_count_and_only_its_payee_s() -> None:
    assert since(an_entry(EntryKind.POSTED, received_at=AT - 1)) == {}
    assert since(an_entry(EntryKind.POSTED, payee="water")) == {}
    assert since(an_entry(EntryKind.POSTED), an_entry(EntryKind.POSTED, id="k.2", amount=1)) == {NUMBER: Paid(20_001)}


def test_entries_about_others_are_not_taken_for_a_payee_s() -> None:
    assert TAKINGS.of(an_entry(payee="mobile-2").encode()) is None
    assert TAKINGS.of(b'{"book":"payees/mobile","payment":null}') is None


@contextmanager
def a_file(directory: Path) -> Iterator[TakenFile]:
    made = TakenFile(directory / "worker-1.taken")
    try:
        yield made
    finally:
        made.close()


KINDS = st.sampled_from([EntryKind.HELD, EntryKind.UNKNOWN, EntryKind.POSTED, EntryKind.REVERSED, EntryKind.VOIDED])
PAYMENT = st.tuples(st.integers(1, 4), st.sampled_from(["1", "2"]), st.integers(1, 9), KINDS)


@given(st.lists(PAYMENT, max_size=30), st.randoms(use_true_random=False))
def test_file_and_memory_agree_on_any_entries_read_in_any_order_and_more_than_once(
    tmp_path_factory: pytest.TempPathFactory, payments: list[tuple[int, str, int, EntryKind]], chance: Random
) -> None:
    numbers: dict[int, tuple[str, int]] = {}
    takings = []
    for seq, (payment, number, amount, kind) in enumerate(payments, 1):
        number, amount = numbers.setdefault(payment, (number, amount))
        takings.append(taking(an_entry(kind, seq, id=f"k.{payment}", subscriber=number, amount=amount)))
    again = [*takings, *takings[: len(takings) // 2]]
    chance.shuffle(again)
    memory = Since("mobile", AT)
    for one in again:
        memory.take(one)
    with a_file(tmp_path_factory.mktemp("taken")) as file:
        file.write([("U", one) for one in again], ["U"], {0: 1})
        assert {number: paid for number in "12" if (paid := file.paid("U", number)) != Paid()} == memory.by_number()


def test_a_file_goes_on_from_where_it_was_and_never_back(tmp_path: Path) -> None:
    with a_file(tmp_path) as file:
        assert file.positions("U") == {}
        file.write([("U", taking(an_entry()))], ["U"], {0: 7, 1: 0})
        file.write([], ["U", "V"], {0: 5})
    with a_file(tmp_path) as file:
        assert (file.positions("U"), file.positions("V")) == ({0: 7, 1: 0}, {0: 5})
        assert file.uploads() == {"U", "V"}
        assert file.paid("U", NUMBER) == Paid(0, 20_000)
        file.forget("U")
        assert (file.positions("U"), file.paid("U", NUMBER), file.uploads()) == ({}, Paid(), {"V"})


def test_what_cannot_be_written_leaves_positions_where_they_were(tmp_path: Path) -> None:
    with a_file(tmp_path) as file:
        broken = taking(an_entry())._replace(amount=2**70)
        with pytest.raises(OverflowError):
            file.write([("U", broken)], ["U"], {0: 7})
        assert file.positions("U") == {}
        file.write([("U", taking(an_entry()))], ["U"], {0: 7})
        assert file.positions("U") == {0: 7}


def test_payers_numbers_are_for_the_owner_s_eyes_only(tmp_path: Path) -> None:
    with a_file(tmp_path / "lists") as file:
        file.write([("U", taking(an_entry()))], ["U"], {0: 7})
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "lists").iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE((tmp_path / "lists").stat().st_mode) == 0o700
    assert sqlite3.sqlite_version_info >= (3, 24)  # upserts
