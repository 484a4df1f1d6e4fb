"""A sink that its group does not take in ends, and says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest

from domain.facts import Acknowledgement
from streams.data_plane.failures import Unavailable
from streams.local.ports import free_port
from streams.sink.feed import UpdateFeed
from streams.sink.joining import Joining


class Nobody:
    """Owns nothing."""

    async def release(self, partitions: Sequence[int]) -> Mapping[int, int]:
        return {}

    def lose(self, partitions: Sequence[int]) -> None:
        """Nothing to lose."""


def nothing_settled(partitions: Sequence[int]) -> dict[int, list[Acknowledgement]]:
    return {partition: [] for partition in partitions}


async def fetch_for_ever(feed: UpdateFeed) -> None:
    async with asyncio.timeout(20):
        while True:
            await feed.fetch({})


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def look(join_state: str) -> str:
    return json.dumps({"cgrp": {"state": "up", "join_state": join_state}})


def test_a_member_that_is_settled_may_be_so_for_ever() -> None:
    clock = Clock()
    joining = Joining(10, clock)
    for _ in range(5):
        clock.now += 9
        joining.told(look("steady"))
        joining.require()


def test_one_that_waits_too_long_says_in_which_state() -> None:
    clock = Clock()
    joining = Joining(10, clock)
    joining.told(look("steady"))
    clock.now += 9
    joining.told(look("init"))
    joining.require()
    clock.now += 2
    with pytest.raises(Unavailable, match=r"for 11 s .*up, init.*starting again"):
        joining.require()


def test_an_answer_of_the_group_begins_the_wait_anew() -> None:
    clock = Clock()
    joining = Joining(10, clock)
    clock.now += 9
    joining.answered()
    clock.now += 9
    joining.require()


async def test_a_feed_without_a_group_ends() -> None:
    client: dict[str, str | int | float | bool] = {"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": 0}
    feed = UpdateFeed(client, "g", "t", 6.0, 1.0, 0.5, nothing_settled, Nobody())
    await feed.start()
    with pytest.raises(Unavailable, match="the group has not taken this sink in"):
        await fetch_for_ever(feed)
    await feed.close()
