from __future__ import annotations

import time

import pytest

from domain.facts import Event
from streams.demo.feed import FedRecords, Feed, FeedFailed
from streams.demo.story import Story
from streams.local import embedded
from streams.local.ports import LOOPBACK, free_port


def test_fed_records_tell_when_the_oldest_uncommitted_one_was_fed() -> None:
    fed = FedRecords()
    for offset, at in ((0, 10.0), (1, 11.0), (4, 12.0)):  # 2 and 3 were somebody else's
        fed.add(offset, at)
    assert fed.end == 5
    assert [fed.oldest_from(committed) for committed in range(6)] == [10.0, 11.0, 12.0, 12.0, 12.0, None]


def test_nothing_fed_has_no_oldest_record() -> None:
    assert FedRecords().end == 0
    assert FedRecords().oldest_from(0) is None


def test_an_event_that_cannot_be_encoded_fails_the_feed(story: Story) -> None:
    def refuse(event: Event) -> bytes:
        raise ValueError(f"{event.event_id} does not fit")

    feed = Feed(story.deliveries, refuse, f"{LOOPBACK}:{free_port()}", 4, per_s=1_000)
    feed.start()
    feed.stop()
    with pytest.raises(FeedFailed, match=r"after 0 of .* does not fit"):
        _ = feed.done


def test_a_feed_that_was_not_started_is_not_done(story: Story) -> None:
    feed = Feed(story.deliveries, lambda _: b"", f"{LOOPBACK}:{free_port()}", 4, per_s=1_000)
    assert not feed.done
    feed.stop()


@pytest.mark.skipif(embedded.missing() is not None, reason=f"no embedded broker: {embedded.missing()}")
def test_everything_is_fed_and_remembered(story: Story, tmp_path_factory: pytest.TempPathFactory) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    broker = embedded.EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    broker.start()
    try:
        deliveries = story.deliveries[:400]
        topics = {delivery.event.topic for delivery in deliveries}
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        for creation in admin.create_topics([NewTopic(topic, 4, 1) for topic in topics]).values():
            creation.result(20)
        feed = Feed(deliveries, lambda event: b"\0\0\0\0\1" + event.event_id.encode(), broker.bootstrap, 4, 4_000)
        feed.start()
        deadline = time.monotonic() + 30
        while not feed.done and time.monotonic() < deadline:
            time.sleep(0.05)
        assert feed.done
        assert feed.fed == feed.total == 400
        assert sum(records.end for records in feed.partitions_fed.values()) == 400
        assert set(feed.fed_at) == {delivery.event.event_id for delivery in deliveries}
    finally:
        feed.stop()
        broker.stop()
