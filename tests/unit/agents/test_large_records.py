"""Records that were compressed on their way can be larger than what we can write: they must stop no partition."""

from __future__ import annotations

import pytest

from agents.dead_letters import LARGEST_KEPT_BYTES, PREFIX, size_of
from agents.intake import LARGEST_FORWARDED_BYTES
from schemas.topics import FACTS_CHANGELOG, MAX_MESSAGE_BYTES, dead_letter_twin
from streams.worker.partitioning import partition_of_key
from tests.worlds import PARTITIONS, Record, World, balance, record_of

LARGE = 3 * MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"SKU-1", b"\0" * LARGE, []),
        (b"k" * LARGE, b"\0" * LARGE, []),
        (b"SKU-1", b"\0" * LARGE, [("trace", b"t" * LARGE)]),
        (b"SKU-1", b"\0\0", [("", b"")] * 500_000),
        (b"SKU-1", None, [("trace", b"t" * LARGE)]),
    ],
)
def test_a_dead_letter_fits_its_topic(key: bytes, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    world = World()
    world.consume("order-released", Record(key, value, 17, headers))
    [letter] = world.epoch()
    assert size_of(letter.key, letter.value, letter.headers) < dead_letter_twin("order-released").max_message_bytes
    reasons = dict(letter.headers)
    assert reasons[PREFIX + "cut"] == str(size_of(key, value, headers)).encode()
    assert reasons[PREFIX + "offset"] == b"17"
    assert key.startswith(letter.key)
    assert letter.value == value or (value or b"").startswith(letter.value)


def test_a_dead_letter_of_what_the_broker_takes_is_whole() -> None:
    world = World()
    value = b"x" * (LARGEST_KEPT_BYTES - 5)
    world.consume("order-released", Record(b"SKU-1", value))
    [letter] = world.epoch()
    assert (letter.key, letter.value) == (b"SKU-1", value)
    assert PREFIX + "cut" not in dict(letter.headers)


def test_a_misrouted_record_too_large_to_forward_is_a_dead_letter() -> None:
    world = World()
    topic, record = record_of(balance(10))
    headers = [("trace", b"t" * LARGEST_FORWARDED_BYTES)]
    foreign = world.state.partition((partition_of_key(b"SKU-1", PARTITIONS) + 1) % PARTITIONS)
    foreign.intake.receive(topic, [Record(record.key(), record.value(), 0, headers)], 0, 1)
    [letter] = world.epoch()
    assert letter.topic == f"{topic}.dlq"
    assert dict(letter.headers)[PREFIX + "reason"] == b"OVERSIZED"
    assert foreign.intake.counts[topic] == {"rejected": 1}
    assert "SKU-1" not in foreign.facts


def test_the_row_of_the_largest_balance_fits_the_changelog() -> None:
    world = World()
    documents = ['"' * 100 + str(number) for number in range(9_700)]
    topic, record = record_of(balance(10) | {"includes": documents})
    assert len(record.value() or b"") < MAX_MESSAGE_BYTES
    world.consume(topic, record)
    [row] = [each for each in world.epoch() if each.topic == FACTS_CHANGELOG.name]
    assert MAX_MESSAGE_BYTES < size_of(row.key, row.value, None) < FACTS_CHANGELOG.max_message_bytes
