"""Kafka's default partitioner: murmur2 over the key, as Java clients and ``murmur2_random`` of librdkafka do."""

from __future__ import annotations

from functools import lru_cache

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """The 32-bit murmur2 hash with Kafka's seed, unsigned (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(data)
    hashed = (_SEED ^ length) & _MASK
    whole = length & ~3
    for index in range(0, whole, 4):
        word = int.from_bytes(data[index : index + 4], "little")
        word = (word * _M) & _MASK
        word ^= word >> 24
        word = (word * _M) & _MASK
        hashed = ((hashed * _M) & _MASK) ^ word
    rest = data[whole:]
    if rest:
        hashed ^= int.from_bytes(rest, "little")
        hashed = (hashed * _M) & _MASK
    hashed ^= hashed >> 13
    hashed = (hashed * _M) & _MASK
    return hashed ^ (hashed >> 15)


@lru_cache(maxsize=65_536)
def partition_of_key(key: bytes, partitions: int) -> int:
    """The partition Kafka's default partitioner puts a key into."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
