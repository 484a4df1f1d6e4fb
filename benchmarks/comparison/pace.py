"""Events at a steady rate, each with the time it was created, from a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from benchmarks.comparison.cluster import Cluster, produce
from benchmarks.comparison.events import Event

STEP_S = 0.005
LINGER_MS = 1.0


def paced(cluster: Cluster, events: Sequence[Event], rate_per_s: float) -> list[float]:
    """Produce the events at the rate; when each was created (Unix time in seconds)."""
    created: list[float] = []
    thread = threading.Thread(target=_feed, args=(cluster, events, rate_per_s, created))
    thread.start()
    thread.join()
    return created


def _feed(cluster: Cluster, events: Sequence[Event], rate_per_s: float, created: list[float]) -> None:
    producer = cluster.producer(LINGER_MS)
    began = time.perf_counter()
    while len(created) < len(events):
        due = min(len(events), int((time.perf_counter() - began) * rate_per_s) + 1)
        for event in events[len(created) : due]:
            now = time.time()
            produce(producer, event.topic, event.key, event.value, int(now * 1000))
            created.append(now)
        producer.poll(0)
        time.sleep(STEP_S)
    producer.flush(30)
