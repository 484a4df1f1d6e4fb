from __future__ import annotations

import pytest

from streams.worker.partitioning import murmur2, partition_of_key


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # From Apache Kafka's UtilsTest.testMurmur2 (signed there).
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_a_key_stays_in_its_partition() -> None:
    assert {partition_of_key(b"SKU-1", 12) for _ in range(3)} == {partition_of_key(b"SKU-1", 12)}
    assert all(0 <= partition_of_key(f"SKU-{number}".encode(), 12) < 12 for number in range(1_000))
