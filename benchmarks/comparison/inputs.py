"""Inputs: what a visit feeds, and what a side with a deployment lived through before."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from benchmarks.comparison.cluster import Cluster
from benchmarks.comparison.deployment import Keyed, balances, lines
from benchmarks.comparison.events import LOCATIONS, SHIPMENTS, Event, Shipments
from domain.facts import SECOND, Micros
from schemas.codec import Encoder

SEED = 20_260_101


class Input(NamedTuple):
    """Events in order, the topics they are in, and the records of what was before."""

    events: Sequence[Event]
    topics: tuple[str, ...]
    opened_at: Micros
    history: Callable[[], Iterator[Keyed]]


class Stream:
    """Shipments, made once for a number of SKUs and given again to every side."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._begins_at: Micros = (int(time.time()) - 3600) * SECOND
        self._shipments: Shipments | None = None
        self._events: list[Event] = []

    def take(self, count: int, keys: int) -> Input:
        """So many events over so many keys; their SKUs have balances and released lines before."""
        if self._shipments is None or self._shipments.keys != keys:
            encoder = Encoder(SHIPMENTS, self._cluster.schema_ids[SHIPMENTS])
            self._shipments = Shipments(encoder, keys, SEED, self._begins_at)
            gc.unfreeze()
            self._events = []
        missing = count - len(self._events)
        if missing > 0:
            self._events.extend(self._shipments.take(missing))
            gc.collect()
            gc.freeze()  # millions of events that stay: not to be looked at again during a measurement
        events, opened_at = self._events[:count], self._shipments.opened_at

        def history() -> Iterator[Keyed]:
            shipments = {event.key.decode(): event.events for event in events}
            stock = balances(self._cluster, shipments, LOCATIONS, opened_at)
            return chain(stock, lines(self._cluster, shipments, opened_at))

        return Input(events, (SHIPMENTS,), opened_at, history)
