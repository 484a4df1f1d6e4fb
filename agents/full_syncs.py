"""Full syncs of the channels that want them, for the partitions of this worker (decision 0018).

One pass over the listings of a channel serves all partitions in which a full sync is under way when it begins.
What comes later, such as a partition that was taken over, is served by the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from itertools import islice

from agents.channel_watch import ChannelWatch
from agents.listing_pass import Pass
from agents.ports import Outgoing
from domain.budget import TokenBucket
from domain.facts import Micros
from domain.full_sync import NEVER, FullSync, Schedule, joined
from domain.planner import Planner
from domain.policy import Policy
from domain.updates import ChannelUpdate
from schemas.topics import PUBLICATIONS_CHANGELOG
from tables.full_syncs import full_sync_channel, full_sync_key, full_sync_of, full_sync_value
from tables.told import Told

STEPS_PER_TICK = 20
SLICE_UPDATES = 64


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
        self._wanted: dict[str, Schedule] = {}
        """Of the channels that want any."""
        self._rows: dict[tuple[str, int], FullSync] = {}
        self._owned: set[int] = set()
        self._passes: dict[str, Pass] = {}
        self._completed: dict[tuple[str, int], FullSync] = {}
        """Complete as soon as the last epoch is known to be written."""

    def adopt(self, policy: Policy) -> None:
        """Take over when channels want one. One that is under way where none is wanted any more ends."""
        rules = {name: channel.publish for name, channel in policy.channels.items()}
        wanted = {name: Schedule(each.full_sync_every, each.full_sync_at) for name, each in rules.items()}
        self._wanted = {name: each for name, each in wanted.items() if each != NEVER}
        self._passes = {name: under_way for name, under_way in self._passes.items() if name in self._wanted}
        self._completed = {name: row for name, row in self._completed.items() if name[0] in self._wanted}

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
        """Begin what is due; rows to write.

        A pass that is under way comes first, unless one was asked for since it began.
        """
        schedule, under_way = self._wanted.get(channel), self._passes.get(channel)
        if schedule is None:
            return []
        if under_way is not None:
            again_at = self._asked_again_at(channel, under_way)
            if again_at is None or again_at > now:
                return []
            del self._passes[channel]
        changed = []
        began: dict[int, int] = {}
        for number in self._owned:
            name = channel, number
            before = self._rows.get(name)
            row = None if name in self._completed else schedule.step(before, now, self._next_seq)
            if row is None:
                continue
            self._rows[name] = row
            if row != before:
                changed.append(self._row(name))
            if row.under_way:
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
        wakes = (self._goes_on_at(channel, under_way), self._asked_again_at(channel, under_way))
        return min((wake for wake in wakes if wake is not None), default=None)

    def _goes_on_at(self, channel: str, under_way: Pass) -> Micros | None:
        if under_way.debts(1):
            bucket = self._buckets[channel]
            tokens_at = bucket.next_at(_kept(bucket) + 1)
            return None if tokens_at is None else max(tokens_at, self._watches[channel].held_until())
        return None if under_way.is_over and self._doubts(channel, under_way) else 0

    def _asked_again_at(self, channel: str, under_way: Pass) -> Micros | None:
        schedule = self._wanted[channel]
        found = (schedule.asks_again_at(self._rows[channel, number]) for number in under_way.began)
        return next((at for at in found if at is not None), None)

    def _next_due(self, channel: str) -> Micros | None:
        schedule = self._wanted.get(channel)
        if schedule is None:
            return None
        names = [(channel, number) for number in self._owned]
        if any(name in self._completed for name in names):
            return 0
        dues = (schedule.due_at(self._rows.get(name)) for name in names)
        return min((due for due in dues if due is not None), default=None)

    def remaining(self, channel: str) -> int:
        """Listings that the pass of a channel has not looked at or told yet."""
        under_way = self._passes.get(channel)
        return 0 if under_way is None else under_way.remaining

    def complete_since(self) -> Mapping[str, Micros]:
        """Per channel since when each listing of our partitions was told, where that is known of all of them."""
        since = {}
        for channel in self._wanted:
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
