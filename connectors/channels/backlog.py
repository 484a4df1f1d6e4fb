"""Updates that wait for a channel: one for each listing, the newest; the most urgent first.

During an outage the backlog keeps coalescing, so it is never longer than the number of listings. It also knows
which source offset may be committed: everything before the oldest update that is not settled yet.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from connectors.channels.base import Update
from domain.facts import Micros

_Lane: TypeAlias = tuple[bool, str]
_Rank: TypeAlias = tuple[Micros, str, int, int]


@dataclass(slots=True)
class Waiting:
    """An update that is not settled. ``offset`` is its place in ``partition`` of the update topic.

    ``urgency`` and ``since`` are the class and the planning time it is served by: a value that replaces an unsent
    one inherits the higher class and the older time, so that a flood of small changes cannot demote a stop-sell.
    ``unknowns`` counts the attempts that ended without an answer, ``strikes`` the failures at this update alone
    while others were taken. ``aside``: everything else goes first. ``began_at``: before the last attempt, in
    monotonic seconds.
    """

    partition: int
    offset: int
    update: Update
    urgency: str
    since: Micros
    unknowns: int = 0
    strikes: int = 0
    failed_at: int | None = None
    aside: bool = False
    began_at: float = 0.0

    def inherit(self, older: Waiting) -> None:
        """Take the place in the queue of a value that this one replaces."""
        self.urgency = min(self.urgency, older.urgency)
        self.since = min(self.since, older.since)


class Arrival(Enum):
    """What a new update was to the backlog."""

    QUEUED = "QUEUED"
    REPLACED = "REPLACED"
    OUTDATED = "OUTDATED"


@dataclass(slots=True)
class _Partition:
    position: int | None = None
    open: bool = False
    waiting: dict[str, Waiting] = field(default_factory=dict)
    in_flight: dict[str, Waiting] = field(default_factory=dict)
    # Offsets in order of arrival. An OrderedDict finds its first key in constant time after many deletions.
    unsettled: OrderedDict[int, None] = field(default_factory=OrderedDict)


class Backlog:
    """Waiting updates of the partitions this process owns."""

    def __init__(self) -> None:
        self.overtaken: Callable[[Waiting], None] | None = None
        """Called with each update that must wait because an older value of its listing is in flight."""
        self._partitions: dict[int, _Partition] = {}
        # One queue for each (aside, urgency): what is less urgent can be taken without passing by the rest.
        self._queues: dict[_Lane, list[_Rank]] = {}
        self._queued = 0
        self._aside: list[Waiting] = []
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions owned now."""
        return frozenset(self._partitions)

    @property
    def queued(self) -> int:
        """Entries of the queues; some stand for nothing that waits any more."""
        return self._queued

    def own(self, partition: int) -> None:
        """Start to keep a partition. Nothing of it is taken before it is opened."""
        self.disown(partition)
        self._partitions[partition] = _Partition()

    def open(self, partition: int) -> None:
        """Allow taking from a partition: everything written to it before it was owned has been added."""
        owned = self._partitions.get(partition)
        if owned is not None and not owned.open:
            owned.open = True
            for waiting in owned.waiting.values():
                self._enqueue(waiting)

    def is_open(self, partition: int) -> bool:
        """Whether updates of a partition may be taken."""
        owned = self._partitions.get(partition)
        return owned is not None and owned.open

    def disown(self, partition: int) -> None:
        """Forget a partition; what is in flight for it is no longer ours to settle."""
        owned = self._partitions.pop(partition, None)
        if owned is not None:
            self._waiting -= len(owned.waiting)

    def passed(self, partition: int, offset: int) -> None:
        """The record at ``offset`` was read and needs no settling of its own."""
        owned = self._partitions[partition]
        if owned.position is None or offset >= owned.position:
            owned.position = offset + 1

    def add(self, partition: int, offset: int, update: Update) -> Arrival:
        """Keep an update unless a newer one (or itself) of its listing is waiting or in flight."""
        self.passed(partition, offset)
        owned = self._partitions[partition]
        arrived = Waiting(partition, offset, update, update.priority, update.planned_at)
        flying = owned.in_flight.get(update.listing)
        if flying is not None and update.publish_seq <= flying.update.publish_seq:
            return Arrival.OUTDATED
        before = owned.waiting.get(update.listing)
        if before is not None:
            if update.publish_seq <= before.update.publish_seq:
                return Arrival.OUTDATED
            arrived.inherit(before)
            del owned.unsettled[before.offset]
            self._waiting -= 1
        owned.unsettled[offset] = None
        self._wait(owned, arrived)
        if flying is not None and self.overtaken is not None:
            self.overtaken(arrived)
        return Arrival.QUEUED if before is None else Arrival.REPLACED

    def take(self, count: int, *, least: str = "") -> list[Waiting]:
        """Up to ``count`` updates in the order (class, age, listing); they are in flight from now on.

        ``least``: only what is served by this class or a less urgent one, and is not set aside.
        """
        taken: list[Waiting] = []
        for lane in sorted(self._queues):
            aside, urgency = lane
            if least and (aside or urgency < least):
                continue
            queue = self._queues[lane]
            while queue and len(taken) < count:
                waiting = self._current(heapq.heappop(queue))
                self._queued -= 1
                if waiting is not None and _is_in_lane(waiting, aside, urgency):
                    self._launch(waiting)
                    taken.append(waiting)
        return taken

    def count(self, *, least: str) -> int:
        """How many updates ``take`` with the same ``least`` would find. O(what is queued so, not what waits)."""
        found: set[int] = set()
        for (aside, urgency), queue in self._queues.items():
            if not aside and urgency >= least:
                found.update(id(one) for one in map(self._current, queue) if _is_in_lane(one, aside, urgency))
        return len(found)

    def waits(self, urgency: str) -> bool:
        """Whether something that is served by this class or a more urgent one could be taken now."""
        for (aside, lane), queue in self._queues.items():
            if aside or lane > urgency:
                continue
            while queue and not _is_in_lane(self._current(queue[0]), aside, lane):
                heapq.heappop(queue)  # it stands for nothing that could be taken
                self._queued -= 1
            if queue:
                return True
        return False

    def holds(self, partition: int, listing: str) -> bool:
        """Whether an update of this listing waits or is in flight."""
        owned = self._partitions.get(partition)
        return owned is not None and (listing in owned.waiting or listing in owned.in_flight)

    def in_flight(self, waiting: Waiting) -> bool:
        """Whether this very update is in flight and its partition ours."""
        owned = self._partitions.get(waiting.partition)
        return owned is not None and owned.in_flight.get(waiting.update.listing) is waiting

    def give_back(self, waiting: Waiting) -> None:
        """An update in flight was not taken by the channel: it waits again unless a newer one came meanwhile."""
        owned = self._landed(waiting)
        if owned is None:
            return
        newer = owned.waiting.get(waiting.update.listing)
        if newer is None:
            self._wait(owned, waiting)
            return
        newer.inherit(waiting)
        del owned.unsettled[waiting.offset]
        self._enqueue(newer)

    def set_aside(self, waiting: Waiting) -> None:
        """As ``give_back``, but everything else goes first until ``reconsider``."""
        if not waiting.aside:
            waiting.aside = True
            self._aside.append(waiting)
        self.give_back(waiting)

    def reconsider(self) -> None:
        """What was set aside gets its place in the queue again."""
        for waiting in self._aside:
            waiting.aside = False
            owned = self._partitions.get(waiting.partition)
            if owned is not None and owned.waiting.get(waiting.update.listing) is waiting:
                self._enqueue(waiting)
        self._aside.clear()

    def settle(self, waiting: Waiting) -> None:
        """The acknowledgement of an update in flight is durable."""
        owned = self._landed(waiting)
        if owned is None:
            return
        del owned.unsettled[waiting.offset]
        newer = owned.waiting.get(waiting.update.listing)
        if newer is not None:
            self._enqueue(newer)

    def committable(self, partition: int) -> int | None:
        """The offset from which to read after a crash; None when nothing was read yet, or it is not ours."""
        owned = self._partitions.get(partition)
        if owned is None:
            return None
        return next(iter(owned.unsettled), owned.position)

    def _landed(self, waiting: Waiting) -> _Partition | None:
        if not self.in_flight(waiting):
            return None
        owned = self._partitions[waiting.partition]
        del owned.in_flight[waiting.update.listing]
        return owned

    def _current(self, rank: _Rank) -> Waiting | None:
        """What the entry of a queue stands for, if that may be taken now."""
        *_, listing, publish_seq, partition = rank
        owned = self._partitions.get(partition)
        if owned is None or not owned.open or listing in owned.in_flight:
            # In flight: its successor is queued again when the answer is there.
            return None
        waiting = owned.waiting.get(listing)
        return None if waiting is None or waiting.update.publish_seq != publish_seq else waiting

    def _launch(self, waiting: Waiting) -> None:
        owned, listing = self._partitions[waiting.partition], waiting.update.listing
        del owned.waiting[listing]
        self._waiting -= 1
        owned.in_flight[listing] = waiting

    def _wait(self, owned: _Partition, waiting: Waiting) -> None:
        owned.waiting[waiting.update.listing] = waiting
        self._waiting += 1
        if owned.open:
            self._enqueue(waiting)

    def _enqueue(self, waiting: Waiting) -> None:
        self._push(waiting)
        if self._queued > 2 * self._waiting + _SLACK:
            # Most entries belong to values that were replaced: rebuild, so that memory follows the listings.
            self._queues, self._queued = {}, 0
            for current in self._open_waiting():
                self._push(current)

    def _push(self, waiting: Waiting) -> None:
        queue = self._queues.setdefault((waiting.aside, waiting.urgency), [])
        heapq.heappush(queue, _rank(waiting))
        self._queued += 1

    def _open_waiting(self) -> Iterable[Waiting]:
        for owned in self._partitions.values():
            if owned.open:
                yield from (one for one in owned.waiting.values() if one.update.listing not in owned.in_flight)


_SLACK = 1024


def _is_in_lane(waiting: Waiting | None, aside: bool, urgency: str) -> bool:
    """Whether an entry of this lane still stands for it: its urgency may have changed since it was queued."""
    return waiting is not None and (waiting.aside, waiting.urgency) == (aside, urgency)


def _rank(waiting: Waiting) -> _Rank:
    update = waiting.update
    return (waiting.since, update.listing, update.publish_seq, waiting.partition)
