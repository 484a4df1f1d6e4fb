"""What must be true of all topics together; ``violations`` names every rule that a set of topics breaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from domain.policy import Policy
from schemas.topics import (
    BACKWARD_TRANSITIVE,
    BY_LISTING,
    BY_SKU,
    COMPACT,
    DELETE,
    FOREVER,
    FULL_TRANSITIVE,
    INPUT,
    INTERNAL,
    OUTPUT,
    Topic,
)

_KEYS = {BY_SKU: ("sku", "row"), BY_LISTING: ("listing", "channel:listing")}
_COMPATIBILITY = {INPUT: BACKWARD_TRANSITIVE, OUTPUT: FULL_TRANSITIVE, INTERNAL: None}


def violations(topics: Sequence[Topic], avsc_names: Iterable[str], twins: Sequence[Topic]) -> Iterator[str]:
    """Every rule that is broken, each as ``<topic>: <what is wrong>``. ``twins`` are the dead letter topics."""
    names = [topic.name for topic in topics]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield f"{name}: declared twice"
    for topic in topics:
        yield from (f"{topic.name}: {problem}" for problem in _alone(topic))
    yield from _partitions(topics)
    yield from _orphans(topics, set(avsc_names))
    yield from _twins(topics, {twin.name: twin for twin in twins})


def _alone(topic: Topic) -> Iterator[str]:
    if not topic.owner.strip() or not topic.purpose.strip():
        yield "has no owner or no purpose"
    if topic.direction not in _COMPATIBILITY:
        yield f"direction {topic.direction!r} is none of {', '.join(_COMPATIBILITY)}"
    elif topic.compatibility != _COMPATIBILITY[topic.direction]:
        right = _COMPATIBILITY[topic.direction]
        yield f"compatibility is {topic.compatibility}, {right} is right for {topic.direction}"
    if topic.key not in _KEYS.get(topic.group, (topic.key,)):
        yield f"is keyed by {topic.key} in the partition group {topic.group}"
    if topic.partitions < 1:
        yield f"has {topic.partitions} partitions"
    if topic.max_message_bytes < 1:
        yield "allows no message"
    if topic.direction == INPUT and not topic.dead_letters:
        yield "is consumed and has no dead letters"
    yield from _retention(topic)


def _retention(topic: Topic) -> Iterator[str]:
    needed = (Policy().closed_line_retention + Policy().max_lateness) // 1_000
    if topic.cleanup == COMPACT:
        if topic.retention_ms != FOREVER:
            yield "is compacted and forgets its newest values"
        if topic.direction == INTERNAL and topic.min_compaction_lag_ms <= 0:
            yield "is a changelog without compaction lag: rows of a paused worker could not be merged"
    elif topic.cleanup != DELETE:
        yield f"cleanup {topic.cleanup!r} is neither {DELETE} nor {COMPACT}"
    elif topic.retention_ms < needed:
        yield f"keeps {topic.retention_ms} ms, state depends on events of {needed} ms"


def _partitions(topics: Sequence[Topic]) -> Iterator[str]:
    """Groups are of one count, and so are those by SKU and by listing: answers meet the state that asked."""
    counts: dict[str, dict[int, list[str]]] = {}
    for topic in topics:
        group = BY_SKU if topic.group == BY_LISTING else topic.group
        counts.setdefault(group, {}).setdefault(topic.partitions, []).append(topic.name)
    for group, by_count in counts.items():
        if len(by_count) > 1:
            usual = max(by_count, key=lambda count: len(by_count[count]))
            for count in sorted(set(by_count) - {usual}):
                for name in by_count[count]:
                    yield f"{name}: has {count} partitions, its group {group} has {usual}"


def _orphans(topics: Sequence[Topic], avsc_names: set[str]) -> Iterator[str]:
    used = {topic.avsc for topic in topics if topic.avsc}
    yield from (f"{name}.avsc: belongs to no topic" for name in sorted(avsc_names - used))
    yield from (
        f"{topic.name}: {topic.avsc}.avsc is missing" for topic in topics if topic.avsc in used - avsc_names
    )
    for topic in topics:
        if topic.avsc is None and topic.direction != INTERNAL:
            yield f"{topic.name}: has no schema"


def _twins(topics: Sequence[Topic], twins: dict[str, Topic]) -> Iterator[str]:
    wanted = {f"{topic.name}.dlq": topic for topic in topics if topic.dead_letters}
    yield from (f"{name}: is the twin of no topic" for name in sorted(twins.keys() - wanted.keys()))
    for name, topic in wanted.items():
        twin = twins.get(name)
        if twin is None:
            yield f"{topic.name}: its dead letter twin {name} is missing"
            continue
        if twin.partitions != topic.partitions:
            yield f"{name}: has {twin.partitions} partitions, {topic.name} has {topic.partitions}"
        if twin.max_message_bytes <= topic.max_message_bytes:
            yield f"{name}: has no room for the headers that say why"
        if twin.owner != topic.owner:
            yield f"{name}: belongs to {twin.owner}, {topic.name} to {topic.owner}"
        yield from (f"{name}: {problem}" for problem in _retention(twin))
