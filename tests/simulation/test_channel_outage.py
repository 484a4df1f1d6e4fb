"""A channel is down for half an hour while ten thousand listings change, simulated second by second.

The planner with its watch, a token bucket, and the real delivery of a sink: its backlog, back-off, breaker and
rate, on a clock that moves only when told. Only the broker between them is left out, and the channel is a fake.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import cycle

from agents.channel_watch import ChannelWatch
from connectors.channels.answers import Answer
from connectors.channels.backlog import Backlog
from connectors.channels.backoff import Backoff
from connectors.channels.base import Limits, Outcome, Result, Update, same_answer
from connectors.channels.delivery import Delivery
from connectors.channels.latest import LatestSettled, Standing
from connectors.channels.rate import TokenBucket as CallBucket
from domain.budget import TokenBucket
from domain.facts import SECOND, Micros
from domain.listings import P0
from domain.planner import Planner
from domain.policy import PublishPolicy
from tests.publishing import CHANNEL, sequence, told

LISTINGS = 10_000
RATE = 50
BEGINS, ENDS = 60, 60 + 30 * 60
PUBLISH = PublishPolicy(rate_per_s=Fraction(RATE), burst=RATE, low_band=5)
PARTITION = 0


class Channel:
    """Takes one update a call when it is up; else it is not reached, or does not answer.

    Counts those that would put an older value over a newer one, and calls by the second.
    """

    limits = Limits(1, 1_000_000)

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.up = True
        self.second = 0
        self.shown: dict[str, tuple[int, int]] = {}
        self.taken: list[Update] = []
        self.calls: dict[int, int] = {}
        self.stale = 0

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        self.calls[self.second] = self.calls.get(self.second, 0) + 1
        if not self.up:
            return same_answer(batch, self.chance.choice([Outcome.RETRY, Outcome.UNKNOWN]), "DOWN")
        for update in batch:
            self.stale += update.publish_seq < self.shown.get(update.listing, (0, 0))[0]
            self.shown[update.listing] = update.publish_seq, update.quantity
            self.taken.append(update)
        return same_answer(batch, Outcome.ACCEPTED)


class Sink:
    """What a sink process does with updates as they are read, and with the channel's answers."""

    def __init__(self, channel: Channel, chance: random.Random) -> None:
        self.second = 0
        self.offset = 0
        self.answers: list[Answer] = []
        # Listings of updates that were read and have no answer; the newest of each.
        self.unanswered: dict[str, int] = {}
        self.backlog = Backlog()
        self.latest = LatestSettled(max_listings=LISTINGS)
        self.latest.own(PARTITION, ())
        self.backlog.own(PARTITION)
        self.backlog.open(PARTITION)
        self.delivery = Delivery(
            sink=channel,
            backlog=self.backlog,
            latest=self.latest,
            acknowledge=self.acknowledge,
            bucket=CallBucket(RATE, RATE),
            backoff=Backoff(0.5, 30.0, chance.uniform),
            wall_clock=lambda: self.second * SECOND,
            monotonic=lambda: float(self.second),
        )

    async def acknowledge(self, answers: Sequence[Answer]) -> None:
        self.answers += answers
        for answer in answers:
            said = answer.acknowledgement
            if self.unanswered.get(said.listing, said.publish_seq + 1) <= said.publish_seq:
                del self.unanswered[said.listing]

    def read(self, update: Update) -> None:
        if self.latest.standing(PARTITION, update) is Standing.NEW:
            self.backlog.add(PARTITION, self.offset, update)
            self.unanswered[update.listing] = update.publish_seq
        else:
            self.backlog.passed(PARTITION, self.offset)
        self.offset += 1

    async def deliver(self) -> list[Answer]:
        """Every attempt that is allowed in this second; what was answered."""
        while len(self.backlog) and self.delivery.wait_s() == 0:
            await self.delivery.attempt()
        answered, self.answers = self.answers, []
        return answered


class Outage:
    """The whole story of one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.planner = Planner(CHANNEL, PUBLISH, sequence(100))
        self.watch = ChannelWatch(self.planner)
        self.channel = Channel(self.chance)
        self.sink = Sink(self.channel, self.chance)
        self.bucket = TokenBucket.filled(PUBLISH.rate_per_s, PUBLISH.burst, 0)
        self.sent = 0
        self.reaction: list[Micros] = []
        names = [f"L{number:05}" for number in range(LISTINGS)]
        for listing in names:
            self.planner.restore(listing, told(50), 0)
            self.watch.restored(listing, 0)
            self.channel.shown[listing] = (1, 50)
        self.chance.shuffle(names)
        self.next_changed = cycle(names)

    async def second(self, second: int, changes: int, up: bool) -> None:
        now = second * SECOND
        self.channel.second = self.sink.second = second
        self.channel.up = up
        for _ in range(changes):
            listing = next(self.next_changed)
            if self.planner.want(listing, self.chance.choice([0, *range(0, 60)]), now):
                self.watch.changed(listing, now)
        allowed = self.watch.allowed(now, self.planner.ready(now))
        granted, self.bucket = self.bucket.take(now, allowed)
        for update in self.planner.tick(now, granted):
            self.watch.told(update, now)
            self.sink.read(update)
            self.sent += 1
        for answer in await self.sink.deliver():
            said = answer.acknowledgement
            changed = self.planner.acknowledged(*said[1:5], now)
            self.watch.answered(said, changed, now)
        if second % 60 == 0:
            self.reaction.append(self.watch.reaction(now, PUBLISH, PUBLISH.rate_per_s))

    def waiting(self) -> set[str]:
        """Listings that the planner keeps a value for, or the sink."""
        pending = {name for name, row in self.planner.listings.items() if row.pending_since is not None}
        return pending | self.sink.unanswered.keys()

    def wrong(self) -> set[str]:
        """Listings that show something else than they should."""
        rows = self.planner.listings.items()
        return {name for name, row in rows if self.channel.shown[name][1] != row.desired}

    def is_settled(self) -> bool:
        rows = self.planner.listings.values()
        return all(row.desired == row.last_quantity and row.is_settled for row in rows)


async def test_half_an_hour_without_the_channel() -> None:
    outage = Outage(seed=1)
    for second in range(BEGINS):
        await outage.second(second, changes=10, up=True)
    assert not outage.wrong()
    outage.sent = 0
    before, calls = outage.reaction[-1], sum(outage.channel.calls.values())
    for second in range(BEGINS, ENDS):
        await outage.second(second, changes=20, up=False)

    # It coalesces: whatever happened, a listing waits once; and little was sent in vain but stop-sells.
    wrong, waiting = outage.wrong(), outage.waiting()
    assert len(wrong) > 9_000
    assert wrong <= waiting
    assert len(outage.sink.backlog) == len(outage.sink.unanswered)
    assert outage.sent < 20 * (ENDS - BEGINS) / 5
    assert outage.reaction[-1] > 20 * 60 * SECOND > before
    assert outage.watch.exposure.totals().listings > 1_000
    # A channel that is down is asked now and then, not at the rate.
    assert sum(outage.channel.calls.values()) - calls < (ENDS - BEGINS) / 10

    stop_sells = {name for name in wrong if outage.planner.listings[name].desired == 0}
    outage.channel.taken.clear()
    second = ENDS
    while len(outage.sink.backlog) or not outage.is_settled():
        await outage.second(second, changes=0, up=True)
        second += 1
        assert second < ENDS + 3600

    # Stop-sells first, then the rest; every final value accepted; nothing older over anything newer.
    taken = outage.channel.taken
    others = next(index for index, update in enumerate(taken) if update.priority != P0)
    assert stop_sells
    assert stop_sells <= {update.listing for update in taken[:others]}
    assert outage.channel.stale == 0
    assert not outage.wrong()
    assert max(outage.channel.calls.values()) <= 2 * RATE
    assert outage.watch.exposure.totals().listings == 0
    assert outage.watch.reactions.silence(second * SECOND) == 0
