"""Topics are data, and the data obeys the rules; the checker itself is shown to catch every kind of violation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from domain.policy import Policy
from schemas import avro_files
from schemas.topic_rules import violations
from schemas.topics import (
    ATS_CHANGED,
    AVAILABILITY_POLICY,
    BY_SKU,
    CHANNEL_ACKS,
    CHANNEL_UPDATES_FAMILY,
    DAY_MS,
    EVENTS,
    FACTS_CHANGELOG,
    PUBLICATIONS_CHANGELOG,
    TOPICS,
    Topic,
    all_topics,
    changelog_topics,
    channel_updates_topic,
    dead_letter_twin,
    event_topics,
    input_topics,
    topic,
)

TWINS = tuple(dead_letter_twin(each.name) for each in TOPICS if each.dead_letters)


def found(
    topics: Sequence[Topic] = TOPICS,
    names: Sequence[str] = avro_files.names(),
    twins: Sequence[Topic] = TWINS,
) -> list[str]:
    return list(violations(topics, names, twins))


def changed(name: str, **changes: object) -> list[Topic]:
    """All topics, one of them changed."""
    return [replace(each, **changes) if each.name == name else each for each in TOPICS]  # type: ignore[arg-type]


def test_the_declared_topics_break_no_rule() -> None:
    assert found() == []


def test_the_topics_of_the_contract_are_there() -> None:
    assert [each.name for each in event_topics()] == [
        "stock-adjusted",
        "order-released",
        "shipment-confirmed",
        "reservation-changed",
        "return-recorded",
        "transfer-recorded",
    ]
    assert {each.name for each in input_topics()} - {each.name for each in EVENTS} == {
        "availability-policy",
        "channel-acks",
        "listings",
    }
    assert {each.name for each in TOPICS if each.direction == "output"} == {
        "ats-changed",
        "channel-updates",
        "stock-variances",
        "inventory-findings",
    }
    assert [each.name for each in changelog_topics()] == [
        "atstream-facts-changelog",
        "atstream-publications-changelog",
    ]


def test_everything_about_a_sku_is_in_the_same_partition() -> None:
    together = [*EVENTS, ATS_CHANGED, topic("stock-variances"), topic("inventory-findings"), *changelog_topics()]

    assert {(each.group, each.partitions) for each in together} == {(BY_SKU, EVENTS[0].partitions)}
    assert {each.key for each in together} == {"sku", "row"}


def test_the_policy_has_one_partition_and_keeps_the_newest_per_scope() -> None:
    assert (AVAILABILITY_POLICY.partitions, AVAILABILITY_POLICY.key) == (1, "scope")
    assert (AVAILABILITY_POLICY.cleanup, AVAILABILITY_POLICY.retention_ms) == ("compact", -1)


def test_events_are_kept_as_long_as_state_may_depend_on_them() -> None:
    needed = (Policy().closed_line_retention + Policy().max_lateness) // 1_000

    assert all(each.retention_ms >= needed for each in (*EVENTS, *TWINS))


def test_changelog_rows_stay_long_enough_to_be_merged() -> None:
    for each in (FACTS_CHANGELOG, PUBLICATIONS_CHANGELOG):
        assert each.kafka_config() == {
            "cleanup.policy": "compact",
            "retention.ms": "-1",
            "max.message.bytes": "4194304",
            "delete.retention.ms": str(DAY_MS),
            "min.compaction.lag.ms": str(DAY_MS),
        }


def test_a_channel_has_a_topic_of_its_own() -> None:
    web = channel_updates_topic("web")

    assert web == topic("channel-updates.web") == replace(CHANNEL_UPDATES_FAMILY, name="channel-updates.web")
    assert (web.key, web.avsc, web.subject) == ("listing", "channel-updates", "channel-updates.web-value")
    assert web.partitions == CHANNEL_ACKS.partitions


@pytest.mark.parametrize("channel", ["", "a b", "a.b", "ä", "x" * 101, "../etc", "web.dlq"])
def test_a_channel_whose_name_is_no_topic_name_has_no_topic(channel: str) -> None:
    with pytest.raises(KeyError):
        channel_updates_topic(channel)


def test_a_dead_letter_twin_is_found_by_its_own_name_and_has_no_twin() -> None:
    twin = dead_letter_twin("stock-adjusted")

    assert twin == topic("stock-adjusted.dlq")
    assert (twin.avsc, twin.subject, twin.compatibility) == (None, None, None)
    assert dead_letter_twin("channel-updates.web").name == "channel-updates.web.dlq"
    for name in ("stock-adjusted.dlq", "ats-changed", "atstream-facts-changelog"):
        with pytest.raises(KeyError):
            dead_letter_twin(name)


def test_every_topic_that_must_exist_is_listed_once() -> None:
    listed = [each.name for each in all_topics(("web", "shop"))]

    assert len(listed) == len(set(listed))
    assert {"channel-updates.web", "channel-updates.shop.dlq", "channel-acks.dlq", "ats-changed"} <= set(listed)
    assert "channel-updates" not in listed
    assert "channel-updates.dlq" not in listed


def test_a_topic_that_is_not_declared_is_not_found() -> None:
    with pytest.raises(KeyError):
        topic("stock-adjustments")


CAUGHT: dict[str, tuple[Callable[[], list[str]], str]] = {
    "owner": (lambda: found(changed("order-released", owner=" ")), "order-released: has no owner"),
    "purpose": (
        lambda: found(changed("order-released", purpose="")),
        "order-released: has no owner or no purpose",
    ),
    "direction": (lambda: found(changed("order-released", direction="in")), "order-released: direction 'in'"),
    "input compatibility": (
        lambda: found(changed("order-released", compatibility="BACKWARD")),
        "order-released: compatibility is BACKWARD, BACKWARD_TRANSITIVE is right",
    ),
    "output compatibility": (
        lambda: found(changed("ats-changed", compatibility="BACKWARD_TRANSITIVE")),
        "ats-changed: compatibility is BACKWARD_TRANSITIVE, FULL_TRANSITIVE is right",
    ),
    "key": (lambda: found(changed("order-released", key="order_id")), "order-released: is keyed by order_id"),
    "partition counts": (
        lambda: found(changed("order-released", partitions=6)),
        "order-released: has 6 partitions, its group sku has 12",
    ),
    "partition counts of outputs": (
        lambda: found(changed("ats-changed", partitions=24)),
        "ats-changed: has 24 partitions, its group sku has 12",
    ),
    "partition counts of listings": (
        lambda: found(changed("channel-acks", partitions=3)),
        "channel-acks: has 3 partitions, its group sku has 12",
    ),
    "no partitions": (lambda: found(changed("availability-policy", partitions=0)), "has 0 partitions"),
    "size": (lambda: found(changed("order-released", max_message_bytes=0)), "order-released: allows no message"),
    "no dead letters": (
        lambda: found(changed("order-released", dead_letters=False)),
        "order-released: is consumed and has no dead letters",
    ),
    "short retention": (
        lambda: found(changed("order-released", retention_ms=DAY_MS)),
        "order-released: keeps 86400000",
    ),
    "compacted that forgets": (
        lambda: found(changed("ats-changed", retention_ms=DAY_MS)),
        "ats-changed: is compacted and forgets",
    ),
    "changelog without lag": (
        lambda: found(changed("atstream-facts-changelog", min_compaction_lag_ms=0)),
        "atstream-facts-changelog: is a changelog without compaction lag",
    ),
    "cleanup": (lambda: found(changed("order-released", cleanup="keep")), "order-released: cleanup 'keep'"),
    "declared twice": (lambda: found([*TOPICS, TOPICS[0]]), "stock-adjusted: declared twice"),
    "orphaned schema": (lambda: found(names=[*avro_files.names(), "lost"]), "lost.avsc: belongs to no topic"),
    "orphaned topic": (
        lambda: found(names=[name for name in avro_files.names() if name != "ats-changed"]),
        "ats-changed: ats-changed.avsc is missing",
    ),
    "no schema": (lambda: found(changed("ats-changed", avsc=None)), "ats-changed: has no schema"),
    "missing twin": (
        lambda: found(twins=TWINS[1:]),
        "stock-adjusted: its dead letter twin stock-adjusted.dlq is missing",
    ),
    "twin of nothing": (
        lambda: found(twins=[*TWINS, replace(TWINS[0], name="lost.dlq")]),
        "lost.dlq: is the twin of no topic",
    ),
    "twin with other partitions": (
        lambda: found(twins=[replace(TWINS[0], partitions=1), *TWINS[1:]]),
        "stock-adjusted.dlq: has 1 partitions",
    ),
    "twin without room": (
        lambda: found(twins=[replace(TWINS[0], max_message_bytes=1_048_576), *TWINS[1:]]),
        "stock-adjusted.dlq: has no room",
    ),
    "twin of another owner": (
        lambda: found(twins=[replace(TWINS[0], owner="nobody"), *TWINS[1:]]),
        "stock-adjusted.dlq: belongs to nobody",
    ),
    "twin that forgets": (
        lambda: found(twins=[replace(TWINS[0], retention_ms=1), *TWINS[1:]]),
        "stock-adjusted.dlq: keeps 1 ms",
    ),
}


@pytest.mark.parametrize(("broken", "words"), CAUGHT.values(), ids=CAUGHT)
def test_the_checker_catches_a_violation(broken: Callable[[], list[str]], words: str) -> None:
    assert any(words in each for each in broken()), broken()
