"""What atstream needs before its worker is measured: topics, a policy in force, balances, released order lines."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.comparison.cluster import Cluster
from benchmarks.comparison.events import LOCATIONS, MOST_UNITS, PARCELS, order_of
from benchmarks.comparison.outputs import OPENING_STOCK
from domain.facts import Micros
from schemas.codec import Encoder
from schemas.policies import GLOBAL_SCOPE
from schemas.records import avro_record_of
from schemas.times import iso
from schemas.topics import ATS_CHANGED
from streams.operations import topic_plan
from streams.operations.producing import RecordProducer
from streams.operations.snapshot import client_of

UNLIMITED = {"rate_per_s": 100_000, "burst": 100_000}
"""No channel of ours is slower than the worker: what is measured is the worker, not a rate limit."""

CHANNELS: Mapping[str, Mapping[str, Any]] = {
    "web": {"publish": UNLIMITED},
    "amazon": {"buffer": {"units": 5, "percent": 10}, "cap": 50, "publish": UNLIMITED},
    "ebay": {"mode": "PERCENT", "percent": 40, "stop_sell_at": 3, "publish": UNLIMITED},
}
Keyed = tuple[str, bytes, bytes]
"""A record: topic, key, value."""

STOCK_ADJUSTED, ORDER_RELEASED = "stock-adjusted", "order-released"


def deploy(cluster: Cluster, channels: int, opened_at: Micros) -> None:
    """Topics, then the policy, with the first so many channels. ``ats-changed`` tells when it was appended."""
    names = tuple(CHANNELS)[:channels]
    steps = topic_plan.plan(cluster.admin, topic_plan.wanted_topics(cluster.settings, names))
    topic_plan.apply(cluster.admin, steps, 1)
    cluster.configure(ATS_CHANGED.name, **{"message.timestamp.type": "LogAppendTime"})
    line = {
        "type": "availability-policy",
        "scope": GLOBAL_SCOPE,
        "version": 1,
        "document": {"channels": {name: CHANNELS[name] for name in names}},
        "event_id": str(uuid.uuid4()),
        "source": "bench",
        "occurred_at": iso(opened_at),
    }
    with RecordProducer(client_of(cluster.settings), cluster.registry) as producer:
        producer.produce(avro_record_of(line))


def balances(cluster: Cluster, skus: Iterable[str], places: Sequence[str], at: Micros) -> Iterator[Keyed]:
    """Every SKU begins with the same stock, spread over the places."""
    pattern, units = _balance(at), OPENING_STOCK // len(places)
    varied = ((sku, {"location": place, "quantity": units}) for sku in skus for place in places)
    return encoded(cluster, pattern, varied)


def lines(cluster: Cluster, shipments: Mapping[str, int], at: Micros) -> Iterator[Keyed]:
    """The order lines that so many shipments of each SKU are parcels of."""
    numbers = ((sku, number) for sku, count in shipments.items() for number in range(-(-count // PARCELS)))
    return encoded(cluster, _release(at), (_line(*each) for each in numbers))


def encoded(
    cluster: Cluster, pattern: Mapping[str, Any], varied: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[Keyed]:
    """Topic, key and value of variations (SKU, fields) of a canonical line."""
    record = avro_record_of(pattern)
    encoder = Encoder(record.topic, cluster.schema_ids[record.topic])
    for sku, fields in varied:
        yield record.topic, sku.encode(), encoder.encode({**record.fields, "sku": sku, **fields})


def _line(sku: str, number: int) -> tuple[str, dict[str, Any]]:
    order, location = order_of(sku, number)
    return sku, {"order_id": order, "location": location}


def _balance(at: Micros) -> dict[str, Any]:
    return {
        "type": STOCK_ADJUSTED,
        "event_id": "opening",
        "source": "erp",
        "sku": "SKU",
        "occurred_at": iso(at),
        "kind": "BALANCE",
        "location": LOCATIONS[0],
        "quantity": 0,
        "as_of": iso(at),
        "basis": "PHYSICAL",
    }


def _release(at: Micros) -> dict[str, Any]:
    return {
        "type": ORDER_RELEASED,
        "event_id": "release",
        "source": "oms",
        "sku": "SKU",
        "occurred_at": iso(at),
        "order_id": "O",
        "line_id": "1",
        "version": 1,
        "quantity": PARCELS * MOST_UNITS,
        "location": LOCATIONS[0],
        "channel": "web",
    }
