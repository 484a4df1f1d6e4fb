"""Full syncs of the channels that want them, for the partitions of this worker (decision 0018).

One pass over the listings of a channel serves all partitions in which a full sync is under way when it begins.
What comes later, such as a partition that was taken over, is served by the next pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from itertools import islice

from agents.channel_watch import ChannelWatch
from agents.ports import Outgoing
from domain.budget import TokenBucket
from domain.facts import Micros
from domain.full_sync import FullSync, InOrder, joined, owed
from domain.planner import Planner
from domain.policy import Policy
from domain.updates import ChannelUpdate
from schemas.topics import PUBLICATIONS_CHANGELOG
from tables.full_syncs import full_sync_channel, full_sync_key, full_sync_of, full_sync_value
from tables.told import Told

LOOKED_AT_PER_STEP = 1_000
"""Listings looked at in one step: a millisecond or two."""

STEPS_PER_TICK = 20
SLICE_UPDATES = 64

Debt = tuple[str, int]
"""A listing, and the ``publish_seq`` above which it should have been told."""


class Pass:
    """One walk over the listings of a channel, for partitions with the ``began_seq`` of their full syncs."""

    def __init__(self, planner: Planner, began: dict[int, int], partition_of: Mapping[str, int]) -> None:
        self.began = began
        self.ids = InOrder(planner.listings)
        self.counted: Counter[int] = Counter()
        self._planner = planner
        self._partition_of = partition_of
        self._found: list[Debt] = []
        self.is_over = False

    def debts(self, most: int) -> list[Debt]:
        """Up to so many of the next listings that were not told since; what was told meanwhile is left out."""
        self._found = [debt for debt in self._found if self._is_owed(*debt)]
        return self._found[:most]

    def look_on(self, most: int) -> Iterator[None]:
        """Go on until so many are known, in steps."""
        while not self.is_over and len(self._found) < most:
            if self.ids.are_sorted:
                self._look_at_some(most)
            else:
                self.ids.sort_some()
            yield

    def _look_at_some(self, most: int) -> None:
        for _ in range(LOOKED_AT_PER_STEP):
            listing = next(self.ids, None)
            if listing is None:
                self.is_over = True
                return
            partition = self._partition_of.get(listing, -1)
            began = self.began.get(partition)
            if began is None or listing not in self._planner.listings:
                continue
            self.counted[partition] += 1
            if self._is_owed(listing, began):
                self._found.append((listing, began))
                if len(self._found) >= most:
                    return

    def _is_owed(self, listing: str, began: Micros) -> bool:
        row = self._planner.listings.get(listing)
        if row is None or self._partition_of.get(listing, -1) not in self.began:
            return False
        return owed(row, began) is not None

    @property
    def remaining(self) -> int:
        """Listings still to be looked at or told, of all partitions."""
        return self.ids.remaining + len(self._found)


class FullSyncs:
    """Begins, continues and completes full syncs; their rows survive us.

    What it is given is the fan-out's and read whenever it is needed; of ``buckets`` it takes tokens. ``next_seq``
    yields numbers as planners give to updates.
    """

    def __init__(
        self,
        partition_of: Mapping[str, int],
        told: Mapping[int, Told],
        buckets: MutableMapping[str, TokenBucket],
        watches: Mapping[str, ChannelWatch],
        next_seq: Callable[[], int],
    ) -> None:
        self._partition_of = partition_of
        self._told = told
        self._buckets = buckets
        self._watches = watches
        self._next_seq = next_seq
        self._every: dict[str, Micros] = {}
        self._rows: dict[tuple[str, int], FullSync] = {}
        self._owned: set[int] = set()
        self._passes: dict[str, Pass] = {}
        self._completed: dict[tuple[str, int], FullSync] = {}
        """Complete as soon as the last epoch is known to be written."""

    def adopt(self, policy: Policy) -> None:
        """Take over how often channels want one. One that is under way where none is wanted any more ends."""
        every = {name: rules.publish.full_sync_every for name, rules in policy.channels.items()}
        self._every = {name: pause for name, pause in every.items() if pause}
        self._passes = {name: under_way for name, under_way in self._passes.items() if name in self._every}
        self._completed = {name: row for name, row in self._completed.items() if name[0] in self._every}

    def recover(self, partition: int, key: bytes, value: bytes | None, now: Micros) -> None:
        """Take a row of the changelog."""
        if value is None:
            return
        name = full_sync_channel(key), partition
        row = full_sync_of(value).not_after(now)
        known = self._rows.get(name)
        self._rows[name] = row if known is None else joined(known, row)

    def own(self, partition: int) -> None:
        """Every row of the partition is recovered, and it is ours."""
        self._owned.add(partition)

    def forget(self, partition: int) -> None:
        """The partition belongs to somebody else now."""
        self._owned.discard(partition)
        self._rows = {name: row for name, row in self._rows.items() if name[1] != partition}
        self._completed = {name: row for name, row in self._completed.items() if name[1] != partition}
        for under_way in self._passes.values():
            under_way.began.pop(partition, None)

    def set_back(self, channel: str, now: Micros) -> None:
        """The clock was set back: nothing began after ``now``."""
        for name, row in self._rows.items():
            if name[0] == channel:
                self._rows[name] = row.not_after(now)

    def concluded(self) -> list[Outgoing]:
        """We are asked again, so what a pass that is over told is written: the markers of completeness."""
        completed, self._completed = self._completed, {}
        self._rows |= completed
        return [self._row(name) for name in completed]

    def begin(self, channel: str, planner: Planner, now: Micros) -> list[Outgoing]:
        """Begin what is due, unless a pass is under way; rows to write."""
        every = self._every.get(channel)
        if every is None or channel in self._passes:
            return []
        changed = []
        began: dict[int, int] = {}
        for number in self._owned:
            name = channel, number
            if name in self._completed:
                continue
            row = self._rows.get(name)
            if row is None:
                self._rows[name] = FullSync(now, self._next_seq())
                changed.append(self._row(name))
            elif row.due_at(every) <= now:
                if not row.under_way:
                    row = self._rows[name] = row.begin(now, self._next_seq())
                    changed.append(self._row(name))
                began[number] = row.began_seq
        if began:
            self._passes[channel] = Pass(planner, began, self._partition_of)
        return changed

    def tick(self, channel: str, planner: Planner, left: int, now: Micros) -> Iterator[list[ChannelUpdate]]:
        """Go on with what is under way: up to ``left`` updates, of tokens that nothing else wants; in steps."""
        under_way = self._passes.get(channel)
        if under_way is None:
            return
        steps = STEPS_PER_TICK
        while left:
            for _ in islice(under_way.look_on(min(left, SLICE_UPDATES)), steps):
                steps -= 1
                yield []
            debts = under_way.debts(min(left, SLICE_UPDATES))
            granted = 0 if planner.ready(now) else self._granted(channel, len(debts), now)
            if not granted:
                break
            left -= granted
            yield planner.tell_once_more(debts[:granted], now)
        if under_way.is_over and not under_way.debts(1) and not self._doubts(channel, under_way):
            self._end(channel, now)

    def _granted(self, channel: str, wanted: int, now: Micros) -> int:
        bucket = self._buckets[channel]
        allowed = self._watches[channel].allowed(now, wanted)
        granted, self._buckets[channel] = bucket.take(now, allowed, keep=_kept(bucket))
        return granted

    def _doubts(self, channel: str, under_way: Pass) -> bool:
        """Whether a listing's row says that it was told, and it perhaps was not; it is told anew, as a repair."""
        doubtful = (self._told[number].doubtful for number in under_way.began)
        return any(channel == name for some in doubtful for name, _ in some)

    def _end(self, channel: str, now: Micros) -> None:
        done = self._passes.pop(channel)
        for number in done.began:
            self._completed[channel, number] = self._rows[channel, number].complete(now, done.counted[number])

    def next_wake(self, channel: str) -> Micros | None:
        """When there is something to do for the channel, as far as its budget allows."""
        under_way = self._passes.get(channel)
        if under_way is None:
            return self._next_due(channel)
        if under_way.debts(1):
            bucket = self._buckets[channel]
            tokens_at = bucket.next_at(_kept(bucket) + 1)
            return None if tokens_at is None else max(tokens_at, self._watches[channel].held_until())
        return None if under_way.is_over and self._doubts(channel, under_way) else 0

    def _next_due(self, channel: str) -> Micros | None:
        every = self._every.get(channel)
        if every is None:
            return None
        names = [(channel, number) for number in self._owned]
        if any(name in self._completed or name not in self._rows for name in names):
            return 0
        return min((self._rows[name].due_at(every) for name in names), default=None)

    def remaining(self, channel: str) -> int:
        """Listings that the pass of a channel has not looked at or told yet."""
        under_way = self._passes.get(channel)
        return 0 if under_way is None else under_way.remaining

    def complete_since(self) -> Mapping[str, Micros]:
        """Per channel since when each listing of our partitions was told, where that is known of all of them."""
        since = {}
        for channel in self._every:
            rows = [self._rows.get((channel, number)) for number in self._owned]
            known = [row.complete_since for row in rows if row is not None and row.complete_since is not None]
            if known and len(known) == len(rows):
                since[channel] = min(known)
        return since

    def _row(self, name: tuple[str, int]) -> Outgoing:
        channel, partition = name
        value = full_sync_value(self._rows[name])
        return Outgoing(PUBLICATIONS_CHANGELOG.name, partition, full_sync_key(channel), value)


def _kept(bucket: TokenBucket) -> int:
    """Tokens that a full sync leaves for what may become urgent the next moment."""
    return bucket.burst // 2
