from __future__ import annotations

import pytest

from streams.demo.mishaps import Spoil
from streams.demo.spoiling import spoiled
from streams.worker.partitioning import partition_of_key

KEY, VALUE = b"sku-1", b"\0\0\0\0\7" + bytes(range(40))


def test_a_sound_record_stays_as_it_is() -> None:
    assert spoiled(KEY, VALUE, None, 6) == (KEY, VALUE, None)


def test_a_truncated_value_keeps_its_schema_id_and_loses_its_end() -> None:
    value = spoiled(KEY, VALUE, Spoil.TRUNCATED, 6).value
    assert value[:5] == VALUE[:5]
    assert VALUE.startswith(value)
    assert len(value) < len(VALUE)


def test_a_wrong_magic_byte_is_the_only_difference() -> None:
    value = spoiled(KEY, VALUE, Spoil.WRONG_MAGIC, 6).value
    assert value[0] != 0
    assert value[1:] == VALUE[1:]


def test_an_unknown_schema_id_stands_before_the_same_bytes() -> None:
    value = spoiled(KEY, VALUE, Spoil.UNKNOWN_SCHEMA, 6).value
    assert value[0] == 0
    assert value[1:5] != VALUE[1:5]
    assert value[5:] == VALUE[5:]


def test_a_mismatching_key_is_another_key() -> None:
    key, value, partition = spoiled(KEY, VALUE, Spoil.KEY_MISMATCH, 6)
    assert key != KEY
    assert (value, partition) == (VALUE, None)


@pytest.mark.parametrize("partitions", [2, 6, 12])
def test_a_misrouted_record_goes_to_a_partition_that_is_not_its_own(partitions: int) -> None:
    key, value, partition = spoiled(KEY, VALUE, Spoil.MISROUTED, partitions)
    assert (key, value) == (KEY, VALUE)
    assert partition is not None
    assert 0 <= partition < partitions
    assert partition != partition_of_key(KEY, partitions)
