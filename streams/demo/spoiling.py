"""How a sound record becomes one that goes wrong: the bytes of each kind of mishap."""

from __future__ import annotations

from typing import NamedTuple

from streams.demo.mishaps import Spoil
from streams.worker.partitioning import partition_of_key

_PREFIX_BYTES = 5
_NO_SCHEMA = (2**31 - 7).to_bytes(4, "big")


class Record(NamedTuple):
    """What is produced. ``partition`` None: where the key belongs."""

    key: bytes
    value: bytes
    partition: int | None = None


def spoiled(key: bytes, value: bytes, spoil: Spoil | None, partitions: int) -> Record:
    """The record as it is produced to a topic with that many partitions; ``value`` in Confluent wire format."""
    match spoil:
        case None | Spoil.NEGATIVE_QUANTITY:  # the event itself says less than nothing
            return Record(key, value)
        case Spoil.TRUNCATED:
            return Record(key, value[: _PREFIX_BYTES + (len(value) - _PREFIX_BYTES) // 2])
        case Spoil.WRONG_MAGIC:
            return Record(key, b"{" + value[1:])
        case Spoil.UNKNOWN_SCHEMA:
            return Record(key, value[:1] + _NO_SCHEMA + value[_PREFIX_BYTES:])
        case Spoil.KEY_MISMATCH:
            return Record(b"not-" + key, value)
        case Spoil.MISROUTED:
            return Record(key, value, (partition_of_key(key, partitions) + 1) % partitions)
