"""What a broker says of a changelog, so that a state that remembers rows knows whether they still fit."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from faust.types import TP

from streams.data_plane.changelog import ChangelogReader, extents
from streams.data_plane.failures import Misconfigured
from streams.data_plane.settings import PlaneSettings

pytestmark = pytest.mark.integration


@pytest.fixture(params=["kafka", "embedded"])
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Apache Kafka, and the broker of the local stack."""
    found: str = request.getfixturevalue(request.param)
    return found


def settings(bootstrap: str) -> PlaneSettings:
    return PlaneSettings(app_id="remembering", bootstrap_servers=bootstrap)


def create(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        future.result(timeout=30)


def write(bootstrap: str, topic: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in numbers:
        producer.produce(topic, key=b"%d" % number, value=b"row", partition=1)
    assert producer.flush(60) == 0


def read(reader: ChangelogReader) -> list[bytes]:
    keys = []
    reader.start()
    while not reader.done:
        keys += [key for rows in reader.read().values() for key, _ in rows]
    reader.close()
    return keys


def test_an_extent_names_the_topic_its_beginning_and_its_end(kafka: str, unique: Callable[[str], str]) -> None:
    topic = unique("extent")
    create(kafka, topic)
    write(kafka, topic, range(100))
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.delete_records([TopicPartition(topic, 1, 30)]).values():
        future.result(timeout=30)
    [found] = extents(settings(kafka), [TP(topic, 1)]).values()
    assert (found.first, found.end) == (30, 100)
    assert extents(settings(kafka), [TP(topic, 1)])[TP(topic, 1)] == found


def test_a_topic_made_anew_has_another_id(kafka: str, unique: Callable[[str], str]) -> None:
    topic = unique("anew")
    create(kafka, topic)
    former = extents(settings(kafka), [TP(topic, 0)])[TP(topic, 0)].topic_id
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.delete_topics([topic]).values():
        future.result(timeout=30)
    deadline = time.monotonic() + 30
    while topic in admin.list_topics(timeout=10).topics and time.monotonic() < deadline:
        time.sleep(0.1)
    create(kafka, topic)
    anew = extents(settings(kafka), [TP(topic, 0)])[TP(topic, 0)].topic_id
    assert former
    assert anew
    assert former != anew


def test_a_topic_that_is_not_there_is_a_mistake(kafka: str, unique: Callable[[str], str]) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        extents(settings(kafka), [TP(unique("nowhere"), 0)])


def test_reading_begins_where_it_is_told_to(bootstrap: str, unique: Callable[[str], str]) -> None:
    topic = unique("tail")
    create(bootstrap, topic)
    write(bootstrap, topic, range(100))
    tp = TP(topic, 1)
    found = extents(settings(bootstrap), [tp])[tp]
    assert found.first == 0
    reader = ChangelogReader(settings(bootstrap), {tp}, (), {tp: 60})
    assert read(reader) == [b"%d" % number for number in range(60, 100)]
    assert reader.positions == {tp: 100}


def test_nothing_is_read_when_nothing_was_added(bootstrap: str, unique: Callable[[str], str]) -> None:
    topic = unique("nothing")
    create(bootstrap, topic)
    write(bootstrap, topic, range(100))
    tp = TP(topic, 1)
    reader = ChangelogReader(settings(bootstrap), {tp}, (), {tp: 100})
    assert read(reader) == []
    assert reader.positions == {}


def test_a_position_behind_the_end_reads_everything(kafka: str, unique: Callable[[str], str]) -> None:
    topic = unique("behind")
    create(kafka, topic)
    write(kafka, topic, range(10))
    tp = TP(topic, 1)
    reader = ChangelogReader(settings(kafka), {tp}, (), {tp: 60})
    assert len(read(reader)) == 10
