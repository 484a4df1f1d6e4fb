"""Fetched records that no agent has yet: which partition's batch is delivered next."""

from __future__ import annotations

from collections import Counter, deque

from faust.types import TP

from streams.data_plane.batch import Batch, End, Fetched
from streams.data_plane.priority import Standing, next_turn
from streams.data_plane.settings import PlaneSettings

_AHEAD = 2
"""Batches an agent has at most: one in hand and one for when it comes back."""


class Backlog:
    """Holds what was fetched by partition, and hands it out by priority, at most two batches an agent at a time.

    A topic's partition that was chosen goes on for a run of ``run_max_records``, as far as so many wait: an epoch
    then holds more events of fewer keys, and costs less. Event loop only. Memory is bounded by whoever fetches.
    """

    def __init__(self, settings: PlaneSettings) -> None:
        self._settings = settings
        self._queues: dict[str, dict[TP, deque[Fetched]]] = {}
        self._passed_over: Counter[TP] = Counter()
        self._out: Counter[str] = Counter()
        self._runs: dict[str, tuple[TP, int]] = {}
        """By topic the partition that is handed out, and how many more of its records may follow."""
        self.records = 0

    def clear(self) -> None:
        """Forget everything: another assignment begins."""
        self._queues.clear()
        self._passed_over.clear()
        self._out.clear()
        self._runs.clear()
        self.records = 0

    def add(self, fetched: Fetched) -> None:
        """Take what was fetched; in a partition it is handed out in this order."""
        queues = self._queues.setdefault(fetched.tp.topic, {})
        queues.setdefault(fetched.tp, deque()).append(fetched)
        if isinstance(fetched, Batch):
            self.records += len(fetched)

    def applied(self, batch: Batch) -> None:
        """An agent is done with a batch that it got from here."""
        self._out[batch.tp.topic] -= 1

    def next(self) -> Fetched | None:
        """What is delivered next; None while nothing waits for an agent that has room."""
        ready: list[tuple[TP, Standing]] = []
        for topic, queues in self._queues.items():
            if self._out[topic] >= _AHEAD:
                continue
            running = self._running(topic)
            for tp, queue in queues.items():
                if isinstance(queue[0], End):
                    return self._take(tp)
                if running is None or tp == running:
                    ready.append((tp, queue[0].standing(self._passed_over[tp])))
        if not ready:
            return None
        chosen = next_turn([standing for _, standing in ready])
        for index, (tp, _) in enumerate(ready):
            self._passed_over[tp] = 0 if index == chosen else self._passed_over[tp] + 1
        return self._take(ready[chosen][0])

    def _running(self, topic: str) -> TP | None:
        """The partition of a topic whose run goes on, if any."""
        tp, left = self._runs.get(topic, (None, 0))
        return tp if tp in self._queues[topic] and left > 0 else None

    def _take(self, tp: TP) -> Fetched:
        queues = self._queues[tp.topic]
        queue = queues[tp]
        taken = queue.popleft()
        if isinstance(taken, Batch):
            self.records -= len(taken)
            self._join(taken, queue)
            self._out[tp.topic] += 1
            left = self._runs[tp.topic][1] if self._running(tp.topic) == tp else self._settings.run_max_records
            self._runs[tp.topic] = tp, left - len(taken)
        if not queue:
            del queues[tp]
        return taken

    def _join(self, batch: Batch, queue: deque[Fetched]) -> None:
        """Small batches that follow each other become one: an event of the stream has its price."""
        settings = self._settings
        while queue and isinstance(later := queue[0], Batch) and later.first == batch.next:
            if (
                len(batch) + len(later) > settings.batch_max_records
                or batch.size + later.size > settings.batch_max_bytes
            ):
                return
            queue.popleft()
            self.records -= len(later)
            batch.join(later)
