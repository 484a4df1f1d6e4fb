"""What an application tells the plane to write, and the state it registers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from faust.types import TP


class Produced(NamedTuple):
    """One record to be written. Without a partition the key decides (murmur2, as Java clients do)."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None = None
    timestamp_ms: int | None = None


class State(Protocol):
    """The application's state: one object for all partitions of a worker.

    Every method is called on the event loop and must not block. Rows that ``collect`` handed out are written
    before any offset is committed, or the worker ends: the state may count them as written once it is asked again.
    """

    tables: tuple[str, ...]
    """Names of the tables; a table's changelog topic is given to ``create_plane_app`` (default: the table's
    name).
    """

    def recover(self, table: str, partition: int, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Merge rows of a changelog, in offset order. Called in batches, and again from the start after an
        abort.
        """

    def assigned(self, partition: int, generation: int, end_offsets: Mapping[TP, int]) -> None:
        """The partition is ours, recovered, and nothing of it was handled yet in this generation.

        ``end_offsets``: end of each source partition at assignment; records before it may have been handled by an
        earlier owner. Empty for a partition that we kept. ``generation`` only grows while the group exists.
        """

    def drop(self, partition: int) -> None:
        """Forget the partition; it belongs to somebody else, or will be recovered from the start."""

    def collect(self, now_us: int) -> Iterator[Sequence[Produced]]:
        """Take everything that waits to be written: changelog rows (explicit partition), outputs, dead letters.

        In slices of a few milliseconds each; between them the event loop does other things, but no batch is
        applied and no other method that changes the state is called, so together they are the state of one
        instant.
        """

    def concluded(self) -> Sequence[Produced]:
        """Rows to write when partitions are given up: the last epoch is acknowledged and no other follows."""

    def next_wake(self) -> int | None:
        """When ``collect`` should be called although no event came: microseconds since the epoch, None for
        never.
        """
