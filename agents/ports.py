"""What the agents need from the outside, as Protocols; ``streams`` fills them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from domain.facts import Acknowledgement, Event
from schemas.encoder import Record
from schemas.listing_exchange import Exchanged
from schemas.policies import PolicyDocument
from schemas.rejections import Rejection

Headers = Sequence[tuple[str, bytes]]


class Outgoing(NamedTuple):
    """One record to be produced. Without a partition the key decides (murmur2, as Java clients do)."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None = None
    timestamp_ms: int | None = None


class Incoming(Protocol):
    """One consumed record, as librdkafka hands it out."""

    def key(self) -> bytes | None:
        """Key as produced."""

    def value(self) -> bytes | None:
        """Value as produced."""

    def headers(self) -> list[tuple[str, bytes]] | None:
        """Headers as produced."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of time stamp, milliseconds since the epoch."""

    def offset(self) -> int:
        """Offset in the partition."""


class Decode(Protocol):
    """Bytes to what they say. Raises ``schemas.codec.SchemaNotLoaded`` for a schema seen for the first time."""

    def __call__(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None
    ) -> Event | Acknowledgement | PolicyDocument | Exchanged | Rejection:
        """Decode one record."""


class Encode(Protocol):
    """A record of an output topic as bytes in Confluent wire format."""

    def __call__(self, topic: str, record: Record) -> bytes:
        """Encode one record."""


class Ports(NamedTuple):
    """Everything an agent may ask of the world.

    ``partition_of`` is Kafka's default partitioner over the partition count of the event topics; ``version``
    gives the next fencing version: group generation in the upper bits, a counter in the lower 32.
    """

    decode: Decode
    encode: Encode
    partition_of: Callable[[bytes], int]
    version: Callable[[], int]
