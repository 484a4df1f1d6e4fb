"""The events of the acceptance benchmark: stock that only falls, of SKUs whose ids any channel takes."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.acceptance_figures import Produced
from benchmarks.comparison.cluster import Cluster, produce
from benchmarks.comparison.deployment import Keyed, balances
from benchmarks.comparison.outputs import OPENING_STOCK
from domain.facts import Micros
from schemas.codec import Encoder
from schemas.policies import GLOBAL_SCOPE
from schemas.records import avro_record_of
from schemas.times import iso
from streams.operations import topic_plan
from streams.operations.producing import RecordProducer
from streams.operations.snapshot import client_of

CHANNEL = "web"
PLACE = "A"
TOPIC = "stock-adjusted"
MOST_UNITS = 5
FIRST_SKU = 40_000_000_000


def deploy(cluster: Cluster, rate_per_s: float, burst: int, at: Micros) -> None:
    """Topics, and a policy of one channel with this budget; nothing is told again just because time passes."""
    steps = topic_plan.plan(cluster.admin, topic_plan.wanted_topics(cluster.settings, (CHANNEL,)))
    topic_plan.apply(cluster.admin, steps, 1)
    publish = {"rate_per_s": rate_per_s, "burst": burst, "heartbeat_s": 86_400}
    line = {
        "type": "availability-policy",
        "scope": GLOBAL_SCOPE,
        "version": 1,
        "document": {"channels": {CHANNEL: {"publish": publish}}},
        "event_id": str(uuid.uuid4()),
        "source": "bench",
        "occurred_at": iso(at),
    }
    with RecordProducer(client_of(cluster.settings), cluster.registry) as producer:
        producer.produce(avro_record_of(line))


class Stock:
    """What is left of every SKU, and events that take from it. ``chance`` decides of which, and how much."""

    def __init__(self, cluster: Cluster, skus: int, chance: random.Random) -> None:
        self.left = {str(FIRST_SKU + number): OPENING_STOCK for number in range(skus)}
        self.chance = chance
        self._cluster = cluster
        self._for_sale = list(self.left)
        self._pattern = avro_record_of(_fall()).fields
        self._encoder = Encoder(TOPIC, cluster.schema_ids[TOPIC])
        self._events = 0

    def opening(self, at: Micros) -> Iterator[Keyed]:
        """The balances that everything begins with."""
        return balances(self._cluster, self.left, (PLACE,), at)

    def any_sku(self) -> str:
        """A SKU that is not sold out."""
        return self.chance.choice(self._for_sale)

    def units(self) -> int:
        """How much an ordinary event takes."""
        return self.chance.randint(1, MOST_UNITS)

    def sell_out(self) -> str:
        """A SKU that nothing but its last event is about any more."""
        index = self.chance.randrange(len(self._for_sale))
        self._for_sale[index], self._for_sale[-1] = self._for_sale[-1], self._for_sale[index]
        return self._for_sale.pop()

    def fall(self, sku: str, units: int) -> bytes:
        """The event that takes so many units."""
        self._events += 1
        self.left[sku] -= units
        name = f"fall-{self._events}"
        fields = {"event_id": name, "adjustment_id": name, "sku": sku, "quantity": -units}
        return self._encoder.encode({**self._pattern, **fields, "occurred_at": time.time_ns() // 1_000})


def arrivals(chance: random.Random, rate_per_s: float, count: int) -> list[float]:
    """So many moments of a Poisson process, in seconds from its beginning."""
    moments, at = [], 0.0
    for _ in range(count):
        at += chance.expovariate(rate_per_s)
        moments.append(at)
    return moments


def fed(cluster: Cluster, stock: Stock, falls: Sequence[tuple[float, bool]], warm_up_s: float) -> list[Produced]:
    """Produce one event at each moment (seconds from now, and whether it sells its SKU out).

    Events of the warm-up are not measured.
    """
    produced: list[Produced] = []
    producer = cluster.producer(linger_ms=0)
    began = time.perf_counter()
    for moment, sells_out in falls:
        sku = stock.sell_out() if sells_out else stock.any_sku()
        value = stock.fall(sku, stock.left[sku] if sells_out else stock.units())
        while (early_s := moment - (time.perf_counter() - began)) > 0:
            producer.poll(0)
            time.sleep(min(early_s, 0.05))
        now = time.perf_counter()
        produce(producer, TOPIC, sku.encode(), value)
        produced.append(Produced(now, sku, stock.left[sku], moment >= warm_up_s))
        producer.poll(0)
    if producer.flush(30):
        raise TimeoutError("the broker did not take the events within 30 s")
    return produced


def _fall() -> dict[str, Any]:
    return {
        "type": TOPIC,
        "event_id": "e",
        "source": "wms",
        "sku": "S",
        "occurred_at": "2026-01-01T00:00:00Z",
        "kind": "DELTA",
        "adjustment_id": "a",
        "location": PLACE,
        "quantity": -1,
        "reason": "DAMAGE",
    }
