"""Which partition a key lives on: murmur2, as Java's clients, aiokafka and librdkafka's `murmur2_random` hash it."""

from __future__ import annotations

_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_WORD = 0xFFFFFFFF


def partition_of(key: str | bytes, partitions: int) -> int:
    """The partition a record with this key is written to, 0 … partitions - 1."""
    raw = key.encode() if isinstance(key, str) else key
    return (murmur2(raw) & 0x7FFFFFFF) % partitions


def murmur2(raw: bytes) -> int:
    """Austin Appleby's MurmurHash2, 32 bits, with the seed Kafka chose; unsigned."""
    whole = len(raw) // 4 * 4
    digest = _SEED ^ len(raw)
    for start in range(0, whole, 4):
        word = int.from_bytes(raw[start : start + 4], "little") * _MIX & _WORD
        word = (word ^ word >> 24) * _MIX & _WORD
        digest = digest * _MIX & _WORD ^ word
    if tail := raw[whole:]:
        digest = (digest ^ int.from_bytes(tail, "little")) * _MIX & _WORD
    digest = (digest ^ digest >> 13) * _MIX & _WORD
    return digest ^ digest >> 15
