"""The committed schemas against a registry: what is registered, what would be, and what must not be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.registry import RegistryRefused, SchemaRegistry
from schemas import avro_files
from schemas.topics import TOPICS, Topic, channel_updates_topic

REGISTERED, NEW, INCOMPATIBLE = "registered", "new", "incompatible"
_INCOMPATIBLE_STATUS = 409


@dataclass(frozen=True, slots=True)
class Standing:
    """How one subject stands. `detail`: the registered version and id, or why not."""

    subject: str
    state: str
    detail: str


def registered_topics(channels: Iterable[str] = ()) -> tuple[Topic, ...]:
    """The topics whose values have schemas: those of every deployment, and the updates of these channels."""
    named = (*TOPICS, *map(channel_updates_topic, channels))
    return tuple(each for each in named if each.avsc is not None)


def check(registry: SchemaRegistry, topics: Iterable[Topic]) -> list[Standing]:
    """How the schemas stand; changes nothing. Raises RegistryUnavailable or RegistryRefused."""
    return [_standing(registry, each) for each in topics]


def register(registry: SchemaRegistry, topics: Iterable[Topic]) -> list[Standing]:
    """Set each subject's compatibility and register its schema; an incompatible one is left and reported.

    Doing it again changes nothing. Raises RegistryUnavailable or RegistryRefused.
    """
    return [_registered(registry, each) for each in topics]


def _registered(registry: SchemaRegistry, topic: Topic) -> Standing:
    subject, text, level = _described(topic)
    if registry.level(subject) != level:
        registry.set_level(subject, level)
    try:
        made = registry.register(subject, text)
    except RegistryRefused as refusal:
        if refusal.status != _INCOMPATIBLE_STATUS:
            raise
        return Standing(subject, INCOMPATIBLE, refusal.message)
    return Standing(subject, REGISTERED, f"version {made.version}, id {made.schema_id}, {level}")


def _standing(registry: SchemaRegistry, topic: Topic) -> Standing:
    subject, text, level = _described(topic)
    found = registry.find(subject, text)
    if found is not None:
        own = registry.level(subject)
        note = level if own == level else f"compatibility is {own or 'the default'}, wanted {level}"
        state = REGISTERED if own == level else NEW
        return Standing(subject, state, f"version {found.version}, id {found.schema_id}, {note}")
    reasons = registry.incompatibilities(subject, text)
    if reasons:
        return Standing(subject, INCOMPATIBLE, "; ".join(reasons))
    latest = registry.latest(subject)
    return Standing(subject, NEW, f"version {latest.version + 1 if latest else 1} would be registered")


def _described(topic: Topic) -> tuple[str, str, str]:
    if topic.subject is None or topic.avsc is None or topic.compatibility is None:
        raise ValueError(f"topic {topic.name} has no schema to register")
    return topic.subject, avro_files.text(topic.avsc), topic.compatibility
