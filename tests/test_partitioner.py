"""Keys land where Kafka's own clients put them."""

from __future__ import annotations

import random

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2

from streams.partitioner import murmur2, partition_of


# From Apache Kafka's own tests (UtilsTest.testMurmur2), as unsigned numbers.
@pytest.mark.parametrize(
    ("key", "digest"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_the_one_of_apache_kafka(key: bytes, digest: int) -> None:
    assert murmur2(key) == digest & 0xFFFFFFFF


def test_murmur2_is_the_one_of_aiokafka_which_workers_read_with() -> None:
    rng = random.Random(7)
    for length in range(64):
        key = rng.randbytes(length)
        assert murmur2(key) == aiokafka_murmur2(key), f"seed 7, {key!r}"


def test_text_is_hashed_as_utf_8() -> None:
    assert partition_of("дилер", 12) == partition_of("дилер".encode(), 12)
