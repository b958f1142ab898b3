"""Partitions are dealt to workers by number: whole, evenly, and with few moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from streams.assignor import Claim, Together, deal

TOPICS = ("commands", "payments")
Workers = Callable[[int], list[Together]]


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    """So many that were never dealt anything."""
    numbers: Iterator[int] = count()
    return lambda many: [Together(tmp_path / f"{next(numbers)}.json") for _ in range(many)]


def joined(*assignors: Together, partitions: int) -> list[list[set[int]]]:
    """What each is given of each topic when these are a group, by way of the bytes that go over the wire."""
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: set(range(partitions)) if topic in TOPICS else None)
    members = {
        f"worker-{number}": ConsumerProtocolMemberMetadata.decode(assignor.metadata(TOPICS).encode())
        for number, assignor in enumerate(assignors)
    }
    given_out = assignors[0].assign(cluster, members)
    for number, assignor in enumerate(assignors):
        assignor.on_assignment(given_out[f"worker-{number}"])
    return [
        [set(numbers) for _, numbers in given_out[f"worker-{number}"].assignment] for number in range(len(assignors))
    ]


@pytest.mark.parametrize("partitions", [1, 4, 12])
@pytest.mark.parametrize("many", [1, 2, 3, 4, 5, 7, 13])
def test_payments_and_commands_of_a_number_go_to_the_same_worker(workers: Workers, many: int, partitions: int) -> None:
    given_out = joined(*workers(many), partitions=partitions)
    assert all(commands == payments for commands, payments in given_out)
    assert sorted(number for _, payments in given_out for number in payments) == list(range(partitions))


def test_a_worker_that_comes_takes_its_share_and_nothing_else_moves(workers: Workers) -> None:
    one, two, three = workers(3)
    (_, first), (_, second) = joined(one, two, partitions=12)
    (_, kept), (_, kept_too), (_, taken) = joined(one, two, three, partitions=12)
    assert (kept < first, kept_too < second, len(taken)) == (True, True, 4)


def test_a_fifth_worker_on_twelve_partitions_gets_some_too(workers: Workers) -> None:
    five = workers(5)
    joined(*five[:4], partitions=12)
    assert sorted(len(payments) for _, payments in joined(*five, partitions=12)) == [2, 2, 2, 3, 3]


def test_when_a_worker_goes_only_its_partitions_move(workers: Workers) -> None:
    four = workers(4)
    before = joined(*four, partitions=12)
    after = joined(*four[:3], partitions=12)
    assert all(held < more for (_, held), (_, more) in zip(before[:3], after, strict=True))


def test_what_two_workers_claim_stays_with_the_one_it_was_given_last(workers: Workers) -> None:
    zombie, other, third = workers(3)
    joined(zombie, other, third, partitions=6)
    without = joined(other, third, partitions=6)
    back = joined(zombie, other, third, partitions=6)
    assert all(held < more for (_, held), (_, more) in zip(back[1:], without, strict=True))


def test_workers_that_were_killed_are_dealt_what_they_had_whichever_name_they_come_back_under(tmp_path: Path) -> None:
    before = joined(*[Together(tmp_path / name) for name in ("one", "two")], partitions=2)
    (_, two), (_, one) = joined(*[Together(tmp_path / name) for name in ("two", "one")], partitions=2)
    assert [one, two] == [payments for _, payments in before]


@pytest.mark.parametrize("user_data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"term":1,"held":7}', None])
def test_a_member_that_says_nothing_of_ours_claims_nothing(user_data: bytes | None) -> None:
    assert Claim.decode(user_data) == Claim()


CLAIMS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.builds(Claim, st.integers(0, 5), st.frozensets(st.integers(0, 20), max_size=12)),
    min_size=1,
    max_size=8,
)


@given(st.integers(1, 16), CLAIMS)
def test_any_claims_are_dealt_whole_evenly_and_kept_as_far_as_they_can_be(
    partitions: int, claims: Mapping[str, Claim]
) -> None:
    dealt = deal(range(partitions), claims)
    assert sorted(number for numbers in dealt.values() for number in numbers) == list(range(partitions))
    sizes = {len(numbers) for numbers in dealt.values()}
    assert max(sizes) - min(sizes) <= 1
    for member, numbers in dealt.items():
        alone = {n for n in claims[member].held if n < partitions and sum(n in c.held for c in claims.values()) == 1}
        disputed = claims[member].held & set(numbers) - alone
        assert len(alone & set(numbers)) + len(disputed) >= min(len(alone), min(sizes))
