"""Encoders and the decoder of a worker, checked against the registry before anything is consumed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agents.listening import SchemasUnavailable
from connectors.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from connectors.registry_http import RegistryHttp
from schemas import avro_files
from schemas.codec import Encoder, SchemaNotLoaded
from schemas.encoder import Record
from schemas.topics import (
    ATS_CHANGED,
    CHANNEL_UPDATES,
    CHANNEL_UPDATES_FAMILY,
    INVENTORY_FINDINGS,
    STOCK_VARIANCES,
    Topic,
)
from streams.data_plane.failures import Misconfigured
from streams.settings import Settings

OUTPUTS = (ATS_CHANGED, STOCK_VARIANCES, INVENTORY_FINDINGS, CHANNEL_UPDATES_FAMILY)


def registry_of(settings: Settings) -> SchemaRegistry:
    """The schema registry that the settings name."""
    return SchemaRegistry(RegistryHttp(settings.registry.url, timeout_s=settings.registry.timeout_s))


class OutputEncoders:
    """Encodes records of the worker's output topics with the ids their schemas are registered under."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._encoders = {name: Encoder(name, schema_id) for name, schema_id in ids.items()}

    def __call__(self, topic: str, record: Record) -> bytes:
        """The record as a value of the topic."""
        encoder = self._encoders.get(topic)
        if encoder is None:
            family = CHANNEL_UPDATES if topic.startswith(f"{CHANNEL_UPDATES}.") else topic
            encoder = self._encoders[topic] = self._encoders[family]
        return encoder.encode(record)


def registered_ids(registry: SchemaRegistry, topics: tuple[Topic, ...]) -> dict[str, int]:
    """The id of each topic's schema. Raises ``Misconfigured`` naming every schema that is not registered."""
    ids, missing = {}, []
    for topic in topics:
        assert topic.avsc is not None
        assert topic.subject is not None
        found = registry.find(topic.subject, avro_files.text(topic.avsc))
        if found is None:
            missing.append(f"{topic.subject}: {_why(registry, topic.subject, avro_files.text(topic.avsc))}")
        else:
            ids[topic.name] = found.schema_id
    if missing:
        raise Misconfigured("schemas are not registered as this version needs them: " + "; ".join(missing))
    return ids


def _why(registry: SchemaRegistry, subject: str, schema: str) -> str:
    reasons = registry.incompatibilities(subject, schema)
    if reasons:
        return f"incompatible with what is registered ({reasons[0]})"
    return "register it with `atstream schemas register`"


async def load_schema(registry: SchemaRegistry, missing: SchemaNotLoaded) -> None:
    """Load a writer's schema off the event loop. Raises ``SchemasUnavailable`` during an outage."""
    await asyncio.to_thread(load_schema_here, registry, missing)


def load_schema_here(registry: SchemaRegistry, missing: SchemaNotLoaded) -> None:
    """The same, in this thread."""
    try:
        registry.load(missing.ref)
    except (RegistryUnavailable, RegistryRefused) as error:
        raise SchemasUnavailable(str(error)) from error
