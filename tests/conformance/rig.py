"""Updates, clocks and a delivery that tests of channels can steer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.channels.answers import as_unanswered
from connectors.channels.backlog import Backlog, Waiting
from connectors.channels.backoff import Backoff
from connectors.channels.base import ChannelSink, Update
from connectors.channels.delivery import Answer, Delivery
from connectors.channels.doubts import Doubts
from connectors.channels.latest import LatestSettled, Standing
from connectors.channels.positions import Positions
from connectors.channels.rate import TokenBucket
from connectors.channels.read_back import ReadBack
from connectors.channels.reading import ReadsBack
from domain.facts import SECOND, Acknowledgement, Micros

NOW: Micros = 1_767_225_610 * SECOND
CHANNEL = "web"
PARTITION = 3
SETTLE_S = 20.0
"""How long a call without answer may be under way."""
ATTEMPT_S = 10.0
"""How long a call may take."""


def update(
    listing: str = "L-1",
    publish_seq: int = 1,
    quantity: int = 5,
    *,
    priority: str = "P2",
    planned_at: Micros = NOW,
    expires_in_s: int = 3600,
) -> Update:
    """An update as the planner would send it."""
    return Update(
        channel=CHANNEL,
        listing=listing,
        sku=listing,
        quantity=quantity,
        publish_seq=publish_seq,
        expires_at=planned_at + expires_in_s * SECOND,
        expected_previous=None,
        idempotency_key=f"{CHANNEL}:{listing}:{publish_seq}",
        priority=priority,
        reason="CHANGED",
        caused_by=("ev-1",),
        occurred_at=planned_at - SECOND,
        planned_at=planned_at,
    )


@dataclass
class Clock:
    """Wall clock and monotonic clock that move only when told."""

    now_s: float = 0.0

    def wall(self) -> Micros:
        return NOW + round(self.now_s * SECOND)

    def wall_s(self) -> float:
        return self.wall() / SECOND

    def monotonic(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Journal:
    """Acknowledgements as they became durable; survives the process that wrote them.

    ``rows`` are what is written as positions: acknowledgements, and words on attempts (True).
    """

    answers: list[Answer] = field(default_factory=list)
    rows: list[tuple[Acknowledgement, bool]] = field(default_factory=list)
    holds: asyncio.Event | None = None
    """What words on attempts wait for before they are durable."""

    async def __call__(self, answers: Sequence[Answer]) -> None:
        self.answers += answers
        self.rows += ((one.acknowledgement, False) for one in answers)

    async def write_down(self, answers: Sequence[Answer]) -> None:
        if self.holds is not None:
            await self.holds.wait()
        self.note([one.acknowledgement for one in answers])

    def note(self, attempts: Sequence[Acknowledgement]) -> None:
        self.rows += ((one, True) for one in attempts)

    def positions(self) -> Positions:
        """What a process reads that is given the partition now."""
        positions = Positions(since=0)
        for row, is_attempt in self.rows:
            (positions.note if is_attempt else positions.settle)(row)
        return positions

    @property
    def acknowledgements(self) -> list[Acknowledgement]:
        return [answer.acknowledgement for answer in self.answers]

    def outcomes(self) -> list[tuple[str, int, str]]:
        return [(one.listing, one.publish_seq, one.outcome) for one in self.acknowledgements]


class Lifetime:
    """One life of a sink process, from the assignment of its partition to its death; ``journal`` outlives it."""

    def __init__(self, sink: ChannelSink, journal: Journal, clock: Clock, *, unknown_attempts: int = 3) -> None:
        self.journal = journal
        self.clock = clock
        self.offset = 0
        self.backlog = Backlog()
        self.latest = LatestSettled(max_listings=1000)
        self.backlog.own(PARTITION)
        self.backlog.open(PARTITION)
        positions = journal.positions()
        self.latest.own(PARTITION, positions.settled())
        self.delivery = Delivery(
            sink=sink,
            backlog=self.backlog,
            latest=self.latest,
            acknowledge=journal,
            bucket=TokenBucket(1000.0, 1000),
            backoff=Backoff(1.0, 60.0, lambda low, high: high),
            wall_clock=clock.wall,
            monotonic=clock.monotonic,
            unknown_attempts=unknown_attempts,
        )
        if isinstance(sink, ReadsBack):
            doubts = Doubts(SETTLE_S, most_reads=3, attempt_s=ATTEMPT_S)
            back = ReadBack(sink, doubts, self.backlog, self.latest, journal.write_down)
            back.take_over(PARTITION, positions.unresolved(), clock.wall(), clock.monotonic())
            self.delivery.read_back = back

    def arrive(self, *updates: Update) -> list[Standing]:
        """Updates are read from the topic."""
        standings = []
        for one in updates:
            standing = self.latest.standing(PARTITION, one)
            if standing is Standing.NEW:
                self.backlog.add(PARTITION, self.offset, one)
                back = self.delivery.read_back
                if back is not None:
                    for older in back.suspicions((one.listing,), self.clock.monotonic()):
                        self.journal.note([as_unanswered(older, self.clock.wall() + round(ATTEMPT_S * SECOND))])
                        back.doubts.written(older)
            else:
                self.backlog.passed(PARTITION, self.offset)
            self.offset += 1
            standings.append(standing)
        return standings

    def arrive_again(self, *updates: Update) -> list[Standing]:
        """Updates that were there when the partition became ours: the process before may have sent them."""
        standings = []
        for one in updates:
            standings += self.arrive(one)
            if standings[-1] is Standing.NEW and self.delivery.read_back is not None:
                waiting = Waiting(PARTITION, 0, one, one.priority, one.planned_at)
                self.delivery.read_back.suspect(waiting, self.clock.monotonic())
        return standings

    async def deliver(self, attempts: int = 50) -> None:
        """Attempt until nothing waits, letting the clock run through every pause."""
        for _ in range(attempts):
            if not len(self.backlog):
                return
            self.clock.advance(self.delivery.wait_s())
            await self.delivery.attempt()
        raise AssertionError(f"{len(self.backlog)} listings still wait after {attempts} attempts")

    async def resolve(self, attempts: int = 50) -> None:
        """Attempt until no listing is in doubt, letting the clock run."""
        back = self.delivery.read_back
        assert back is not None
        for _ in range(attempts):
            if not len(back.doubts) and not len(self.backlog):
                return
            self.clock.advance(max(self.delivery.wait_s(), SETTLE_S / 4))
            if not self.delivery.idle:
                await self.delivery.attempt()
        raise AssertionError(f"{len(back.doubts)} listings are still in doubt after {attempts} attempts")
