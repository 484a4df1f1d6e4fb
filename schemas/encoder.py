"""Records to bytes, in Confluent wire format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from schemas import wire
from schemas.topics import topic
from schemas.writers import writers_of

Record: TypeAlias = Mapping[str, Any] | tuple[Any, ...]
"""A record by the names of its fields; or by position, in the order of the schema, and the records in it too."""


NOT_OF_SCHEMA = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What writing raises for a record that is not of its schema."""


class Encoder:
    """Encodes records of one topic, with the prefix of the schema id under which its schema is registered."""

    def __init__(self, topic_name: str, schema_id: int) -> None:
        self.topic = topic(topic_name)
        if self.topic.avsc is None:
            raise KeyError(f"{topic_name} has no schema")
        self._by_name, self._by_position = writers_of(self.topic.avsc)
        self._prefix = wire.prefix(schema_id)
        self._max_bytes = self.topic.max_message_bytes

    def encode(self, record: Record) -> bytes:
        """The record as a value. Raises ValueError if it is not what the schema says, or too large to be sent."""
        write = self._by_position if isinstance(record, tuple) else self._by_name
        try:
            value = write(self._prefix, record)
        except NOT_OF_SCHEMA as error:
            raise self._refused(error) from error
        if len(value) > self._max_bytes:
            raise ValueError(f"{self.topic.name}: {len(value)} bytes, {self._max_bytes} are allowed")
        return value

    def encode_body(self, record: Record) -> bytes:
        """The record as Avro bytes alone, for a value whose schema is named by ``wire.guid_header``."""
        return self.encode(record)[wire.PREFIX_LENGTH :]

    def _refused(self, error: Exception) -> ValueError:
        return ValueError(f"{self.topic.name}: the record does not fit its schema: {error}")
