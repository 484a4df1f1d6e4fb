"""What an event costs a worker's main thread: the real state, fed with real bytes, no broker.

python -m benchmarks.hot_path [--events 32000] [--skus 10000] [--epoch 16000] [--per-sku 2 5 10] [--runs 3]
                              [--mix shipments unreleased shop] [--channels 0 1 3] [--gc worker|default]
                              [--profile]

Messages of a mix are consumed in batches, an epoch is collected and what it produced is thrown away: everything
but librdkafka and the event loop. ``--per-sku`` is the number of events a touched SKU gets in one epoch.
Mixes: ``shipments`` of lines released before; ``unreleased``, shipments nobody released, each of which is a
finding; ``shop``, releases and shipments with balances between.

Figures are microseconds of CPU time per event, the median of the runs. Decoding, encoding and planning are
measured once more, each by itself over the same records; folding and assessing are what is left.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from time import process_time
from typing import Any, NamedTuple

from confluent_kafka import Message
from faust.types import TP

from agents.ports import Encode, Incoming
from benchmarks.environment import describe
from domain.facts import OPEN, PHYSICAL, SECOND, SELLABLE, Balance, Event, Fact, LineVersion, Micros, Shipment
from domain.policy import EXCLUSIVE, PERCENT, ChannelPolicy, Held, LocationPolicy, Policy, PublishPolicy
from schemas import avro_files
from schemas.codec import Decoder, Encoder
from schemas.fields import fields_of
from schemas.topics import TOPICS, event_topics
from streams.worker.codecs import OutputEncoders
from streams.worker.partitioning import partition_of_key
from streams.worker.state import WorkerState

PARTITIONS = 4
BATCH = 1_000
T0: Micros = 1_767_225_600 * SECOND
EPOCH: Micros = SECOND // 4
LOCATIONS = ("store-1", "store-2")
TOPIC_OF: dict[type, str] = {
    Balance: "stock-adjusted",
    LineVersion: "order-released",
    Shipment: "shipment-confirmed",
}
SCHEMA_IDS = {topic.name: number for number, topic in enumerate(TOPICS, start=1) if topic.avsc}

MIXES = ("shipments", "unreleased", "shop")
EVENTS_PER_BALANCE = 12

_PUBLISH = PublishPolicy(rate_per_s=Fraction(100), burst=100, rise_debounce=SECOND, min_delta=Held(2), low_band=5)
CHANNELS = {
    "web": ChannelPolicy(mode=EXCLUSIVE, quota=60, priority=1, publish=_PUBLISH),
    "marketplace": ChannelPolicy(buffer=Held(3, Fraction(5)), cap=40, publish=_PUBLISH),
    "outlet": ChannelPolicy(mode=PERCENT, percent=Fraction(30), stop_sell_at=3, publish=_PUBLISH),
}

Epoch = list[tuple[int, str, list[Incoming]]]
"""Batches of one epoch: partition, topic, records."""


class OwnSchemas:
    """A registry that knows our own schemas."""

    def __init__(self) -> None:
        self._texts = {SCHEMA_IDS[topic.name]: avro_files.text(topic.avsc) for topic in TOPICS if topic.avsc}

    def by_id(self, schema_id: int) -> str:
        """The schema of an id."""
        return self._texts[schema_id]

    def by_guid(self, _guid: object) -> None:
        """No schema is known by a GUID."""


class Shop:
    """Makes messages about some SKUs, epoch by epoch."""

    def __init__(self, skus: int, seed: int) -> None:
        self.skus = [f"SKU-{number:06}" for number in range(skus)]
        self._chance = random.Random(seed)
        self._encoders = {name: Encoder(name, SCHEMA_IDS[name]) for name in TOPIC_OF.values()}
        self._waiting: dict[str, list[LineVersion]] = {sku: [] for sku in self.skus}
        self._made = 0
        self.now = T0

    def opening(self) -> Iterator[Epoch]:
        """A balance of every SKU at every location."""
        stock = [(sku, self._balance(sku, location)) for sku in self.skus for location in LOCATIONS]
        for start in range(0, len(stock), BATCH):
            yield self._batches(stock[start : start + BATCH])

    def epochs(self, mix: str, events: int, epoch: int, per_sku: int) -> tuple[list[Epoch], list[Epoch]]:
        """Epochs to be consumed before, and those to be measured."""
        before: list[Epoch] = []
        measured: list[Epoch] = []
        for _ in range(max(1, events // epoch)):
            self.now += EPOCH
            touched = self._chance.sample(self.skus, min(len(self.skus), max(1, epoch // per_sku)))
            skus = [touched[number % len(touched)] for number in range(epoch)]
            if mix == "shipments":
                before.append(self._batches([(sku, self._release(sku)) for sku in skus]))
            make = self._unreleased if mix == "unreleased" else self._next
            measured.append(self._batches([(sku, make(sku)) for sku in skus]))
        return before, measured

    def _next(self, sku: str) -> Fact:
        if self._waiting[sku]:
            return self._shipment(sku, self._waiting[sku].pop(0))
        self._made += 1
        if self._made % (EVENTS_PER_BALANCE // 2) == 0:
            return self._balance(sku, self._chance.choice(LOCATIONS))
        return self._release(sku)

    def _balance(self, sku: str, location: str) -> Balance:
        at = self.now - 60 * SECOND + len(self._waiting[sku])
        quantity = self._chance.randint(200, 900)
        return Balance(location, SELLABLE, "erp", at, self._number(), 0, quantity, PHYSICAL, None, at)

    def _release(self, sku: str) -> LineVersion:
        order_id = f"order-{self._number()}"
        channel = self._chance.choice((*CHANNELS, None))
        place, units = self._chance.choice(LOCATIONS), self._chance.randint(1, 4)
        line = LineVersion(order_id, "1", 1, 0, units, 0, OPEN, place, channel, None, None, "oms", self.now)
        self._waiting[sku].append(line)
        return line

    def _shipment(self, sku: str, line: LineVersion) -> Shipment:
        name, place = f"shipment-{self._number()}", line.location or LOCATIONS[0]
        return Shipment(name, line.order_id, line.line_id, 0, place, line.quantity, False, "wms", self.now)

    def _unreleased(self, sku: str) -> Shipment:
        number = self._number()
        place = self._chance.choice(LOCATIONS)
        return Shipment(f"shipment-{number}", f"order-{number}", "1", 0, place, 1, False, "wms", self.now)

    def _number(self) -> int:
        self._made += 1
        return 1_000_000 + self._made

    def _batches(self, facts: Sequence[tuple[str, Fact]]) -> Epoch:
        """Messages by partition and topic, as a worker fetches them."""
        found: dict[tuple[int, str], list[Incoming]] = {}
        for sku, fact in facts:
            topic, key = TOPIC_OF[type(fact)], sku.encode()
            event = Event(topic, sku, f"event-{self._number()}", None, fact)
            value = self._encoders[topic].encode(fields_of(event))
            lane = found.setdefault((partition_of_key(key, PARTITIONS), topic), [])
            at_ms = fact.occurred_at // 1_000
            message: Any = Message(topic=topic, offset=self._made, key=key, value=value, timestamp=(1, at_ms))
            lane.append(message)
        return [
            (partition, topic, records[start : start + BATCH])
            for (partition, topic), records in found.items()
            for start in range(0, len(records), BATCH)
        ]


class Parts(NamedTuple):
    """Micros per event by what they are spent on, and records written per event."""

    decode: float
    fold: float
    assess: float
    encode: float
    plan: float
    records: float


class Looks:
    """Looks for cyclic garbage as a worker does (``streams.data_plane.garbage``), without its event loop."""

    def __init__(self, setting: str) -> None:
        self._at = process_time()
        self._tenure = setting == "worker"
        gc.unfreeze()
        gc.collect()
        if self._tenure:
            gc.freeze()
            gc.disable()
        else:
            gc.enable()

    def look(self) -> None:
        """Look, if it is time."""
        if self._tenure and process_time() - self._at > 0.1:
            gc.collect(0)
            gc.freeze()
            self._at = process_time()


class Bench:
    """A worker's state without a broker."""

    def __init__(self, channels: int, encode: Encode | None = None) -> None:
        self.policy = Policy(
            version=1,
            default_location=LocationPolicy(safety_stock=Held(1)),
            channels=dict(list(CHANNELS.items())[:channels]),
        )
        self.decode, self.encode = Decoder(OwnSchemas()).decode, encode or OutputEncoders(SCHEMA_IDS)
        self.now = T0 - 60 * SECOND
        self.state = WorkerState(self.decode, self.encode, self.policy, PARTITIONS, 1_000, clock=lambda: self.now)
        ends = {TP(topic.name, 0): 0 for topic in event_topics()}
        for number in range(PARTITIONS):
            self.state.assigned(number, 1, ends)
        self.collect()

    def receive(self, epoch: Epoch) -> None:
        """Consume the batches of an epoch."""
        for partition, topic, records in epoch:
            self.state.partition(partition).intake.receive(topic, records, 0, self.now)

    def collect(self) -> int:
        """End an epoch; how many records it would write."""
        self.now += EPOCH
        return sum(map(len, self.state.collect(self.now)))


def made(arguments: argparse.Namespace, mix: str, per_sku: int, seed: int) -> tuple[list[Epoch], list[Epoch]]:
    shop = Shop(arguments.skus, seed)
    opening = list(shop.opening())
    before, measured = shop.epochs(mix, arguments.events, arguments.epoch, per_sku)
    return opening + before, measured


def prepare(bench: Bench, before: list[Epoch]) -> None:
    for epoch in before:
        bench.receive(epoch)
        bench.collect()


def measured(channels: int, before: list[Epoch], epochs: list[Epoch], garbage: str) -> tuple[float, float, int]:
    """CPU seconds to receive and to collect, and records to be written."""
    bench = Bench(channels)
    prepare(bench, before)
    received = collected = 0.0
    records = 0
    looks = Looks(garbage)
    for epoch in epochs:
        started = process_time()
        for batch in epoch:
            bench.receive([batch])
            looks.look()
        received += process_time() - started
        started = process_time()
        records += bench.collect()
        looks.look()
        collected += process_time() - started
    return received, collected, records


def decoding(epochs: list[Epoch]) -> float:
    """CPU seconds to decode the same messages and do nothing else."""
    decode = Decoder(OwnSchemas()).decode
    started = process_time()
    for epoch in epochs:
        for _, topic, records in epoch:
            for record in records:
                decode(topic, record.key(), record.value(), record.headers())
    return process_time() - started


def writing(channels: int, before: list[Epoch], epochs: list[Epoch]) -> tuple[float, float]:
    """CPU seconds to encode the same outputs, and to plan the same updates, each by itself."""
    bench = Bench(channels)
    prepare(bench, before)
    told: list[tuple[str, Any]] = []
    wishes: list[list[tuple[Any, ...]]] = []
    encode, planner = bench.encode, Bench(channels, lambda *_: b"")
    prepare(planner, before)
    state: Any = bench.state
    partitions: Any = bench.state.partitions

    def note(topic: str, record: Any) -> bytes:
        told.append((topic, record))
        return b""

    state._ports = state._ports._replace(encode=note)
    for partition in partitions.values():
        partition.ports = state._ports
    state.fan_out.want = lambda *wish: wishes[-1].append(wish)
    for epoch in epochs:
        wishes.append([])
        bench.receive(epoch)
        bench.collect()
    started = process_time()
    for topic, record in told:
        encode(topic, record)
    encoded = process_time() - started
    started = process_time()
    for several in wishes:
        for wish in several:
            planner.state.fan_out.want(*wish)
        planner.now += EPOCH
        for _ in planner.state.fan_out.tick(planner.now):
            pass
    return encoded, process_time() - started


def parts(
    channels: int, before: list[Epoch], epochs: list[Epoch], received: float, collected: float, records: int
) -> Parts:
    """What the parts cost; what is not measured by itself is what is left."""
    encode, plan = writing(channels, before, epochs)
    decode = decoding(epochs)
    events = events_of(epochs)
    each = 1e6 / events
    return Parts(
        decode * each,
        (received - decode) * each,
        (collected - encode - plan) * each,
        encode * each,
        plan * each,
        records / events,
    )


def events_of(epochs: list[Epoch]) -> int:
    return sum(len(records) for epoch in epochs for _, _, records in epoch)


def profile(channels: int, before: list[Epoch], epochs: list[Epoch]) -> None:
    bench = Bench(channels)
    prepare(bench, before)
    profiler = cProfile.Profile()
    profiler.enable()
    for epoch in epochs:
        bench.receive(epoch)
        bench.collect()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=32_000)
    parser.add_argument("--skus", type=int, default=10_000)
    parser.add_argument("--epoch", type=int, default=16_000)
    parser.add_argument("--per-sku", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mix", nargs="+", choices=MIXES, default=MIXES)
    parser.add_argument("--channels", type=int, nargs="+", choices=range(len(CHANNELS) + 1), default=[0, 1, 3])
    parser.add_argument("--gc", choices=("worker", "default"), default="worker")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    print(describe(), end="\n\n")
    head = ("total", "events/s", *Parts._fields)
    print(f"{'mix':<11}{'channels':>9}{'per SKU':>9}" + "".join(f"{name:>10}" for name in head))
    for mix in arguments.mix:
        for per_sku in arguments.per_sku:
            before, epochs = made(arguments, mix, per_sku, seed=1)
            for channels in arguments.channels:
                report(arguments, mix, channels, per_sku, before, epochs)


def report(
    arguments: argparse.Namespace,
    mix: str,
    channels: int,
    per_sku: int,
    before: list[Epoch],
    epochs: list[Epoch],
) -> None:
    runs = [measured(channels, before, epochs, arguments.gc) for _ in range(arguments.runs)]
    received, collected, records = sorted(runs, key=lambda run: run[0] + run[1])[len(runs) // 2]
    cost = (received + collected) / events_of(epochs) * 1e6
    split = "".join(f"{part:10.2f}" for part in parts(channels, before, epochs, received, collected, records))
    print(f"{mix:<11}{channels:>9}{per_sku:>9}{cost:>10.2f}{1e6 / cost:>10,.0f}{split}", flush=True)
    if arguments.profile:
        profile(channels, before, epochs)


if __name__ == "__main__":
    main()
