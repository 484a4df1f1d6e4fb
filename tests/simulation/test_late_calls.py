"""Whole histories of a channel that leaves calls unanswered and works on them later, in any order, from a seed.

In some the process that tells it is killed now and then: before an answer is durable, or between two attempts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

import pytest

from connectors.channels.answers import Answer
from connectors.channels.base import Limits, Outcome, Result, Update, same_answer
from connectors.channels.reading import Shown, Unread
from domain.listings import ACCEPTED
from tests.conformance.rig import ATTEMPT_S, PARTITION, SETTLE_S, Clock, Journal, Lifetime, update

REFUSED = 13
"""A quantity that the channel never takes."""
LISTINGS = tuple(f"L-{number}" for number in range(4))
STEPS = 60


class Late:
    """Takes what it is told, at once or up to ``SETTLE_S`` after it left the call unanswered, or never."""

    limits = Limits(3, 1_000_000)
    most_read = 2

    def __init__(self, random: Random, clock: Clock) -> None:
        self.random = random
        self.clock = clock
        self.shows: dict[str, int] = {}
        self.late: list[tuple[float, str, int]] = []
        self.calm = False

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        self.work()
        if not self.calm:
            self.clock.advance(self.random.uniform(0.0, ATTEMPT_S / 2))
        if not self.calm and self.random.random() < 0.4:
            self.clock.advance(ATTEMPT_S / 2)
            for one in batch:
                if one.quantity != REFUSED and self.random.random() < 0.8:
                    at = self.clock.now_s + self.random.uniform(0.0, 0.99 * SETTLE_S)
                    self.late.append((at, one.listing, one.quantity))
            return same_answer(batch, Outcome.UNKNOWN, "TIME_OUT")
        self.shows |= {one.listing: one.quantity for one in batch if one.quantity != REFUSED}
        if not self.calm:
            self.clock.advance(self.random.uniform(0.0, ATTEMPT_S / 2))
        return [
            result._replace(outcome=Outcome.REJECTED) if one.quantity == REFUSED else result
            for one, result in zip(batch, same_answer(batch, Outcome.ACCEPTED), strict=True)
        ]

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        self.work()
        if not self.calm and self.random.random() < 0.2:
            return Unread("HTTP 500")
        return {one: self.shows.get(one) for one in listings}

    def work(self) -> None:
        """What is due by now comes through, in the order of its time."""
        for at, listing, quantity in sorted(self.late):
            if at <= self.clock.now_s:
                self.shows[listing] = quantity
        self.late = [one for one in self.late if one[0] > self.clock.now_s]


class Killed(Exception):
    """The process ended before anything about its last call became durable."""


class Mortal(Journal):
    """A journal whose next write may be the end of the process: then nothing of it is written."""

    dies = False

    async def __call__(self, answers: Sequence[Answer]) -> None:
        self._live()
        await super().__call__(answers)

    async def write_down(self, answers: Sequence[Answer]) -> None:
        self._live()
        await super().write_down(answers)

    def _live(self) -> None:
        if self.dies:
            self.dies = False
            raise Killed


class Story:
    """A channel, the updates that were written for it, and the processes that tell them one after another."""

    def __init__(self, seed: int) -> None:
        self.random, self.clock = Random(seed), Clock()
        self.channel, self.journal = Late(self.random, self.clock), Mortal()
        self.written: list[Update] = []
        self.committed = 0
        self.life = self.born()

    def born(self) -> Lifetime:
        """A process that is given the partition; it reads again from the committed offset."""
        life = Lifetime(self.channel, self.journal, self.clock, unknown_attempts=100)
        life.offset = self.committed
        life.arrive_again(*self.written[self.committed :])
        return life

    def write(self, one: Update) -> None:
        self.written.append(one)
        self.life.arrive(one)

    async def attempt(self) -> None:
        self.committed = self.life.backlog.committable(PARTITION) or self.committed
        if self.life.delivery.wait_s() == 0:
            await self.life.delivery.attempt()

    async def step(self, kills: float) -> None:
        """An attempt, unless the process is killed: in the middle of it or after it."""
        self.journal.dies = self.random.random() < kills / 2
        try:
            await self.attempt()
        except Killed:
            self.is_gone()
        self.journal.dies = False
        if self.random.random() < kills / 2:
            self.is_gone()

    def is_gone(self) -> None:
        """Another process follows: soon, or after so long that nothing is under way any more."""
        self.clock.advance(self.random.choice((0.0, 3.0, 15.0, 3_000.0)))
        self.life = self.born()

    async def ends(self) -> dict[str, int]:
        """What the channel shows once it answers everything and nothing is under way."""
        self.channel.calm = True
        await self.life.deliver()
        if self.life.delivery.read_back is not None:
            await self.life.resolve()
        self.clock.advance(SETTLE_S)
        self.channel.work()
        return self.channel.shows

    def is_old(self, shows: Mapping[str, int]) -> bool:
        """Whether a listing shows neither what was accepted last nor anything newer that had no answer."""
        told = [one for one in self.journal.acknowledgements if one.outcome == ACCEPTED]
        accepted = {one.listing: one.publish_seq for one in sorted(told, key=lambda one: one.publish_seq)}
        newer = {
            (one.listing, one.quantity) for one in self.written if one.publish_seq >= accepted.get(one.listing, 0)
        }
        return not {*shows.items()} <= newer or not accepted.keys() <= shows.keys()


Change: TypeAlias = Callable[[Lifetime], None]


def as_it_is(_life: Lifetime) -> None:
    """Change nothing."""


async def is_old_in_the_end(seed: int, kills: float = 0.0, change: Change = as_it_is) -> bool:
    """Whether the channel shows an old value when everything is told. ``change`` is made to each process."""
    story = Story(seed)
    random = story.random
    change(story.life)
    for publish_seq in range(1, STEPS):
        if random.random() < 0.5:
            listing, quantity = random.choice(LISTINGS), random.randrange(20)
            story.write(
                update(
                    listing,
                    publish_seq,
                    quantity,
                    priority=random.choice(("P0", "P1", "P2")),
                    planned_at=story.clock.wall(),
                    expires_in_s=1_000_000,
                )
            )
        story.clock.advance(random.uniform(0.0, 4.0))
        before = story.life
        await story.step(kills)
        if story.life is not before:
            change(story.life)
    return story.is_old(await story.ends())


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("kills", [0.0, 0.2], ids=["one process", "killed processes"])
async def test_in_the_end_the_channel_shows_no_value_older_than_what_it_accepted_last(
    seed: int, kills: float
) -> None:
    assert not await is_old_in_the_end(seed, kills)


def reads_nothing(life: Lifetime) -> None:
    life.delivery.read_back = None


def inherits_nothing(life: Lifetime) -> None:
    assert life.delivery.read_back is not None
    life.delivery.read_back.disown(PARTITION)


@pytest.mark.parametrize(("kills", "change"), [(0.0, reads_nothing), (0.2, inherits_nothing)])
async def test_without_it_old_values_stay(kills: float, change: Change) -> None:
    old = [await is_old_in_the_end(seed, kills, change) for seed in range(100)]
    assert sum(old) > 5
