"""Fetched records that no agent has yet: which partition's batch is delivered next."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from faust.types import TP

from streams.data_plane.batch import Batch, End, Fetched
from streams.data_plane.priority import Standing, next_turn
from streams.data_plane.settings import PlaneSettings

_AHEAD = 2
"""Batches an agent has at most: one in hand and one for when it comes back."""


class _Run(NamedTuple):
    """A partition that is handed out, how many records of it so far, and since when."""

    tp: TP
    taken: int
    began_s: float


class Backlog:
    """Holds what was fetched by partition, and hands it out by priority, at most two batches an agent at a time.

    A topic's partition that was chosen goes on for a run, as far as so many records wait: an epoch then holds
    more events of fewer keys, and costs less. A run lasts ``run_max_s``, less where so many partitions wait that
    going round would take longer than ``round_max_s``: all have to be seen to get on. After ``run_min_records``
    another comes next that has less to do than the run has taken, so that nobody who could be done soon waits for
    long. Event loop only. Memory is bounded by whoever fetches.
    """

    def __init__(self, settings: PlaneSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._queues: dict[str, dict[TP, deque[Fetched]]] = {}
        self._passed_over: Counter[TP] = Counter()
        self._out: Counter[str] = Counter()
        self._runs: dict[str, _Run] = {}
        """The run of each topic."""
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
            among = self._candidates(topic, queues)
            for tp, queue in queues.items():
                if isinstance(queue[0], End):
                    return self._take(tp)
                if tp in among:
                    ready.append((tp, queue[0].standing(self._passed_over[tp])))
        if not ready:
            return None
        chosen = next_turn([standing for _, standing in ready])
        for index, (tp, _) in enumerate(ready):
            self._passed_over[tp] = 0 if index == chosen else self._passed_over[tp] + 1
        return self._take(ready[chosen][0])

    def _candidates(self, topic: str, queues: Mapping[TP, deque[Fetched]]) -> Collection[TP]:
        """The partitions of a topic one of which may be next: that of the run, or who may come after it."""
        run = self._runs.get(topic)
        if run is None or run.tp not in queues or self._is_over(run, len(queues)):
            return queues
        if run.taken < self._settings.run_min_records:
            return [run.tp]
        soon_done = [tp for tp, queue in queues.items() if tp != run.tp and _to_do(queue[0]) <= run.taken]
        return soon_done or [run.tp]

    def _is_over(self, run: _Run, waiting: int) -> bool:
        """Whether a run of one of so many partitions that wait has had its time."""
        settings = self._settings
        return self._clock() - run.began_s >= min(settings.run_max_s, settings.round_max_s / waiting)

    def _take(self, tp: TP) -> Fetched:
        queues = self._queues[tp.topic]
        queue = queues[tp]
        taken = queue.popleft()
        if isinstance(taken, Batch):
            self.records -= len(taken)
            self._join(taken, queue)
            self._out[tp.topic] += 1
            run = self._runs.get(tp.topic)
            if run is None or run.tp != tp or self._is_over(run, len(queues)):
                run = _Run(tp, 0, self._clock())
            self._runs[tp.topic] = run._replace(taken=run.taken + len(taken))
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


def _to_do(first: Fetched) -> int:
    """Records of a partition from the first that waits to the end of its log."""
    return len(first) + first.behind if isinstance(first, Batch) else 0
