"""Everything a worker keeps, as the data plane sees it: partitions of SKUs and one fan-out for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from fractions import Fraction
from typing import cast

from faust.types import TP

from agents.listing_fan_out import ListingFanOut
from agents.ports import Decode, Encode, Outgoing, Ports
from agents.sku_partition import SkuPartition
from domain.facts import Micros
from domain.policy import Policy
from schemas.topics import FACTS_CHANGELOG, PUBLICATIONS_CHANGELOG
from streams.data_plane.effects import Produced
from streams.data_plane.remembering import Extent
from streams.worker.freshness import Freshness
from streams.worker.partitioning import partition_of_key
from streams.worker.stores import RocksStores
from streams.worker.tally import Tally
from tables.facts import FactTable
from tables.publications import GENERATION_KEY, POLICY_KEY, TOLD_KEY
from tables.store import RowStore

DECODED_SKUS = 250_000
FACTS = "facts"
PUBLICATIONS = "publications"
SLICE_MESSAGES = 256


_FACTS_TOPIC = FACTS_CHANGELOG.name


def now_us() -> Micros:
    """The wall clock in microseconds since the epoch. Time is an argument everywhere below."""
    return time.time_ns() // 1_000


class WorkerState:
    """Implements the plane's ``State``. Synchronous; no method blocks."""

    tables: tuple[str, ...] = (FACTS, PUBLICATIONS)

    def __init__(
        self,
        decode: Decode,
        encode: Encode,
        policy: Policy,
        partitions: int,
        reassess_per_epoch: int,
        clock: Callable[[], Micros] = now_us,
        stores: RocksStores | None = None,
        decoded_skus: int = DECODED_SKUS,
    ) -> None:
        self.policy = policy
        self.partitions: dict[int, SkuPartition] = {}
        self._clock = clock
        self._reassess_per_epoch = reassess_per_epoch
        self._decoded_skus = decoded_skus
        self._stores = stores
        self.remembers: Set[str] = frozenset() if stores is None else frozenset((FACTS,))
        self._opened: dict[int, RowStore] = {}
        """Stores of partitions that are being recovered and have not been mentioned yet."""
        self._generation = 0
        self._versions = 0
        self._floors: dict[int, int] = {}
        """Per partition the highest generation that its changelog remembers."""
        self._letters: list[Outgoing] = []
        self._collecting = False
        self._next_policy: Policy | None = None
        self.freshness = Freshness()
        self._left = Tally()
        """What partitions counted that are not ours any more, and letters of no partition."""
        self._ports = Ports(decode, encode, lambda key: partition_of_key(key, partitions), self.version)
        self.fan_out = ListingFanOut(self._ports, policy, lambda: Fraction(len(self.partitions), partitions))

    def version(self) -> int:
        """The next version of an output: grows with every call, and beyond all of earlier generations."""
        self._versions += 1
        return (self._generation << 32) + self._versions

    def partition(self, number: int) -> SkuPartition:
        """A partition of ours, made on first mention."""
        partition = self.partitions.get(number)
        if partition is None:
            partition = self.partitions[number] = SkuPartition(number, self._ports, self.policy)
        return partition

    def adopt(self, policy: Policy) -> None:
        """Decide by another policy from now on; an epoch that is being collected ends by the one it began with."""
        if self._collecting:
            self._next_policy = policy
            return
        self._next_policy = None
        self.policy = policy
        self.fan_out.adopt(policy, self._clock())
        for partition in self.partitions.values():
            partition.adopt(policy)

    def write(self, letter: Outgoing) -> None:
        """Have a dead letter of the policy topic written. All workers read it; the owner of partition 0 writes."""
        if 0 in self.partitions:
            self._letters.append(letter)
            self._left.add_policy_letter(letter)

    def tally(self) -> Tally:
        """What became of every event since the start."""
        ours = Tally()
        for partition in self.partitions.values():
            ours.add(partition)
        total = ours.plus(self._left)
        total.findings += self.fan_out.reported
        return total

    # -- the plane's side ----------------------------------------------------------------------------------

    def recover(self, table: str, partition: int, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Merge rows of a changelog."""
        owned = self._recovering(partition)
        if table == FACTS:
            owned.facts.recover(rows)
            return
        listings = []
        for key, value in rows:
            if key == POLICY_KEY:
                owned.policy_published = (value or b"").decode()
            elif key == GENERATION_KEY:
                self._floors[partition] = max(self._floors.get(partition, 0), int(value or b"0"))
            elif key == TOLD_KEY:
                self.fan_out.surely_told(partition, int(value or b"0"))
            else:
                listings.append((key, value))
        self.fan_out.recover(partition, listings, self._clock())

    def resume(self, table: str, partition: int, extent: Extent) -> int:
        """Open the partition's store; rows from its position on are wanted. Called from a thread."""
        assert table == FACTS
        assert self._stores is not None
        left = self._opened.pop(partition, None)
        if left is not None:  # a hand-over was cut short just after it was opened
            left.close()
        store = self._stores.opened(partition, extent)
        self._opened[partition] = store
        return store.position

    def reached(self, table: str, partition: int, position: int) -> None:
        """Everything below this offset of the changelog was recovered."""
        self._recovering(partition).facts.reached(position)

    def _recovering(self, number: int) -> SkuPartition:
        """A partition that becomes ours, on the store that was opened for it."""
        store = self._opened.pop(number, None)
        if store is not None:
            self.partitions[number] = SkuPartition(number, self._ports, self.policy, FactTable(store))
        return self.partition(number)

    def assigned(self, partition: int, generation: int, end_offsets: Mapping[TP, int]) -> None:
        """A partition is recovered and ours.

        Kafka forgets a group that was empty for long and counts its generations from 1 again. Versions must not
        start over: the changelog remembers the highest generation that wrote to the partition.
        """
        generation = max(generation, self._floors.get(partition, 0) + 1)
        if generation > self._generation:
            self._generation, self._versions = generation, 0
        if end_offsets or partition not in self.partitions:
            ends = {tp.topic: offset for tp, offset in end_offsets.items()}
            self.fan_out.resume(partition, self._clock())
            self.fan_out.tell_doubtful(partition, self._clock())
            self._recovering(partition).assigned(ends, self.fan_out.unsettled(partition))
        self.fan_out.rebudget(self._clock())

    def drop(self, partition: int) -> None:
        """A partition is not ours any more, or will be recovered from the start."""
        dropped = self.partitions.pop(partition, None)
        if dropped is not None:
            self._left.add(dropped)
            dropped.facts.close()
        store = self._opened.pop(partition, None)
        if store is not None:
            store.close()
        self._floors.pop(partition, None)
        self.fan_out.forget_partition(partition)
        self.fan_out.rebudget(self._clock())

    def collect(self, now_us: int) -> Iterator[Sequence[Produced]]:
        """Everything that waits to be written, in slices of a few milliseconds."""
        self.freshness.collected(now_us)
        self._collecting = True
        try:
            # The same fields as Produced; agents may not import the plane.
            yield from cast(Iterator[Sequence[Produced]], self._slices(now_us))
        finally:
            self._collecting = False
        if self._next_policy is not None:
            self.adopt(self._next_policy)

    def _slices(self, now: Micros) -> Iterator[Sequence[Outgoing]]:
        letters, self._letters = self._letters, []
        yield letters
        limit = self._reassess_per_epoch
        reactions = self.fan_out.reactions(now)
        for number, partition in self._ready():
            before = partition.policy_published
            yield from self._exchange(number, partition, now)
            yield from self._keep(partition)
            for outgoing, wanted, answers in partition.collect(now, reactions, limit):
                for answer in answers:
                    outgoing.extend(self.fan_out.acknowledged(number, answer, now))
                for each in wanted:
                    self.fan_out.want(number, each, now)
                partition.facts.leaving(
                    (row.key or b"", row.value) for row in outgoing if row.topic == _FACTS_TOPIC
                )
                yield outgoing
            limit = max(0, limit - partition.assessed_again)
            yield self._notes(number, partition, before)
        yield from self.fan_out.tick(now)

    def _exchange(self, number: int, partition: SkuPartition, now: Micros) -> Iterator[Sequence[Outgoing]]:
        """What was said about listings; it may have SKUs assessed."""
        messages = partition.intake.take_exchanged()
        for start in range(0, len(messages), SLICE_MESSAGES):
            some = messages[start : start + SLICE_MESSAGES]
            yield self.fan_out.exchanged(number, some, partition.intake.touch_known, now)

    def _keep(self, partition: SkuPartition) -> Iterator[Sequence[Outgoing]]:
        """We are asked again, so what left in the last epoch is acknowledged. Makes room for what comes now."""
        most = self._decoded_skus // len(self.partitions)
        for _ in partition.facts.begin_epoch(partition.intake.touched, most):
            yield ()

    def _notes(self, number: int, partition: SkuPartition, policy_before: str) -> list[Outgoing]:
        notes = []
        if partition.policy_published != policy_before:
            notes.append(_note(number, POLICY_KEY, partition.policy_published))
        if self._floors.get(number, 0) < self._generation:
            self._floors[number] = self._generation
            notes.append(_note(number, GENERATION_KEY, str(self._generation)))
        return notes

    def concluded(self) -> Sequence[Produced]:
        """What a successor need not do again, now that the last epoch is written."""
        rows = self.fan_out.concluded()
        for number, partition in self._ready():
            before = partition.policy_published
            partition.conclude()
            rows += self._notes(number, partition, before)
        return cast(Sequence[Produced], rows)

    def close(self) -> None:
        """The worker has ended: let go of what others may open."""
        for partition in self.partitions.values():
            partition.facts.close()
        for store in self._opened.values():
            store.close()

    def _ready(self) -> list[tuple[int, SkuPartition]]:
        return [(number, partition) for number, partition in self.partitions.items() if partition.ready]

    def next_wake(self) -> Micros | None:
        """When ``collect`` has something to do although no event came."""
        wakes = [partition.next_wake() for _, partition in self._ready()]
        wakes.append(self.fan_out.next_wake())
        return min((wake for wake in wakes if wake is not None), default=None)


def _note(partition: int, key: bytes, text: str) -> Outgoing:
    """Something to remember of a partition as a whole."""
    return Outgoing(PUBLICATIONS_CHANGELOG.name, partition, key, text.encode())
