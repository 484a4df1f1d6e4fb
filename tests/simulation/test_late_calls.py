"""Whole histories of a channel that leaves calls unanswered and works on them later, in any order, from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from connectors.channels.base import Limits, Outcome, Result, Update, same_answer
from connectors.channels.reading import Shown, Unread
from tests.conformance.rig import SETTLE_S, Clock, Journal, Lifetime, update

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
        if self.calm or self.random.random() < 0.6:
            self.shows |= {one.listing: one.quantity for one in batch}
            return same_answer(batch, Outcome.ACCEPTED)
        for one in batch:
            if self.random.random() < 0.8:
                at = self.clock.now_s + self.random.uniform(0.0, 0.99 * SETTLE_S)
                self.late.append((at, one.listing, one.quantity))
        return same_answer(batch, Outcome.UNKNOWN, "TIME_OUT")

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


async def history(seed: int, *, reads: bool) -> tuple[dict[str, int], dict[str, int]]:
    """What the channel shows in the end, and what it should."""
    random, clock = Random(seed), Clock()
    channel, newest = Late(random, clock), {}
    life = Lifetime(channel, Journal(), clock, unknown_attempts=100)
    if not reads:
        life.delivery.read_back = None
    for publish_seq in range(1, STEPS):
        if random.random() < 0.5:
            listing, quantity = random.choice(LISTINGS), random.randrange(20)
            newest[listing] = quantity
            life.arrive(update(listing, publish_seq, quantity, priority=random.choice(("P0", "P1", "P2"))))
        clock.advance(random.uniform(0.0, 4.0))
        if life.delivery.wait_s() == 0:
            await life.delivery.attempt()
    channel.calm = True
    await life.deliver()
    if reads:
        await life.resolve()
    clock.advance(SETTLE_S)
    channel.work()
    return channel.shows, newest


@pytest.mark.parametrize("seed", range(100))
async def test_in_the_end_the_channel_shows_the_newest_value_of_every_listing(seed: int) -> None:
    shows, newest = await history(seed, reads=True)
    assert shows == newest


async def test_without_reading_back_old_values_stay() -> None:
    stale = 0
    for seed in range(100):
        shows, newest = await history(seed, reads=False)
        stale += shows != newest
    assert stale > 5
