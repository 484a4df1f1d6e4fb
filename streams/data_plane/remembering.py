"""What a state offers that remembers rows beyond the life of its process."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import NamedTuple, Protocol, runtime_checkable


class Extent(NamedTuple):
    """What a changelog partition is at present: the id of its topic, its first offset and its end."""

    topic_id: str
    first: int
    end: int


@runtime_checkable
class RemembersRows(Protocol):
    """Implemented by a ``State`` that may have rows of a changelog already when it is asked to recover them."""

    remembers: Set[str]
    """Names of the tables; empty: none."""

    def resume(self, table: str, partition: int, extent: Extent) -> int:
        """From which offset on rows are wanted. Blocking, called from a thread, before ``recover``."""

    def reached(self, table: str, partition: int, position: int) -> None:
        """Everything below this offset was given to ``recover``. Called on the event loop."""


def remembered_tables(state: object) -> Collection[str]:
    """Tables of which the state remembers rows."""
    return state.remembers if isinstance(state, RemembersRows) else ()
