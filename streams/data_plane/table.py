"""Faust tables, declared for the assignor and the life cycle; the rows live in the application's state.

Relies on Faust: ``Table._changelog_topic_name`` naming the changelog, ``_new_store``, ``persisted_offset`` of the
store, and writes going through ``on_key_set`` / ``on_key_del``.
"""

from __future__ import annotations

from typing import Any, NoReturn

import faust
from faust.stores.memory import Store
from faust.types import TP

from streams.data_plane.failures import PlaneFailure
from streams.data_plane.schema import batch_schema


class EmptyStore(Store[Any, Any]):
    """Holds nothing, so it never persisted anything."""

    def persisted_offset(self, tp: TP) -> int | None:
        """Recovery is the plane's own."""
        return None


class PlaneTable(faust.Table[Any, Any]):
    """A table whose changelog is written by epochs and recovered into the application's state."""

    def __init__(self, app: Any, *, name: str, changelog: str, partitions: int) -> None:
        self._changelog_name = changelog
        super().__init__(
            app, name=name, partitions=partitions, schema=batch_schema(), key_type=bytes, value_type=bytes
        )

    def _changelog_topic_name(self) -> str:
        return self._changelog_name

    def _new_store(self) -> EmptyStore:
        return EmptyStore(self.app.conf.store, self.app, self, table_name=self.name, loop=self.loop)

    def on_key_set(self, key: Any, value: Any) -> NoReturn:
        """Refuse."""
        raise PlaneFailure(f"table {self.name}: rows are written by returning them from State.collect")

    def on_key_del(self, key: Any) -> NoReturn:
        """Refuse."""
        raise PlaneFailure(f"table {self.name}: rows are deleted by returning a tombstone from State.collect")
