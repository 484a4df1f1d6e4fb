"""What the tables hold, read from their changelogs: the durable form of a worker's state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Message

from domain.facts import Micros
from domain.policy import Policy
from schemas.codec import Decoder
from schemas.topics import FACTS_CHANGELOG
from streams.operations.reading import partition_count, read_to_end
from streams.settings import Settings
from streams.worker.codecs import registry_of
from streams.worker.partitioning import partition_of_key
from streams.worker.policy_feed import PolicyFeed
from tables.facts import FactTable


def client_of(settings: Settings) -> dict[str, Any]:
    """The librdkafka properties of the settings."""
    return {"bootstrap.servers": settings.kafka.bootstrap_servers, **settings.kafka.client()}


def read_facts(client: Mapping[str, Any], timeout_s: float = 60.0) -> FactTable:
    """The facts of every SKU."""
    table = FactTable()
    table.recover(_rows(read_to_end(client, [FACTS_CHANGELOG.name], timeout_s)))
    return table


def read_facts_of(client: Mapping[str, Any], sku: str, timeout_s: float = 60.0) -> FactTable:
    """The facts of one SKU: only its partition is read."""
    partition = partition_of_key(sku.encode(), partition_count(client, FACTS_CHANGELOG.name))
    prefix = sku.encode() + b"\0"
    table = FactTable()
    rows = _rows(read_to_end(client, [FACTS_CHANGELOG.name], timeout_s, partition))
    table.recover(row for row in rows if row[0].startswith(prefix))
    return table


def read_policy(settings: Settings, clock: Callable[[], Micros], timeout_s: float = 30.0) -> Policy:
    """The policy that is in force. Raises as ``PolicyFeed.read_all``, and at once ``RegistryUnavailable``."""
    registry = registry_of(settings)
    decoder = Decoder(registry)
    feed = PolicyFeed(client_of(settings), decoder.decode, lambda missing: registry.load(missing.ref), clock)
    try:
        return feed.read_all(timeout_s)
    finally:
        feed.close()


def _rows(messages: Iterable[Message]) -> Iterable[tuple[bytes, bytes | None]]:
    for message in messages:
        key = message.key()
        if key is not None:
            yield key, message.value()
