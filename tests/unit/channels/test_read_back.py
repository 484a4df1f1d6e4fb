"""Delivery that reads back: what goes first, what is given up, and what keeps a listing from being read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from connectors.channels.backlog import Waiting
from connectors.channels.base import Outcome, Result
from connectors.channels.doubts import Doubts
from connectors.channels.rate import TokenBucket
from connectors.channels.read_back import ReadTallies
from connectors.channels.reading import Shown, Unread
from domain.facts import Acknowledgement
from tests.conformance.rig import PARTITION, SETTLE_S, Clock, Journal, Lifetime, update
from tests.unit.channels.test_delivery import Scripted

SILENT, TAKEN = Outcome.UNKNOWN, Outcome.ACCEPTED


class Readable(Scripted):
    """A channel that can be read: by the answers it is given, then as it is set to show."""

    most_read = 2

    def __init__(self, *answers: Outcome, shows: int = 4) -> None:
        super().__init__(*answers)
        self.shows = shows
        self.unreadable: list[Unread] = []
        self.reads: list[list[str]] = []

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        self.reads.append(list(listings))
        return self.unreadable.pop(0) if self.unreadable else dict.fromkeys(listings, self.shows)


async def doubtful(channel: Readable, *listings: str) -> Lifetime:
    """A life in which 9 had no answer, and then 4 was accepted."""
    life = Lifetime(channel, Journal(), Clock())
    names = listings or ("L-1",)
    life.arrive(*(update(one, 1, 9) for one in names))
    await life.delivery.attempt()
    life.arrive(*(update(one, 2, 4) for one in names))
    await life.deliver()
    life.clock.advance(SETTLE_S)
    return life


def tallies(life: Lifetime) -> ReadTallies:
    assert life.delivery.read_back is not None
    return life.delivery.read_back.tallies


def in_doubt(life: Lifetime) -> int:
    assert life.delivery.read_back is not None
    return len(life.delivery.read_back.doubts)


async def test_nothing_is_read_before_the_call_without_answer_is_over() -> None:
    channel = Readable(SILENT)
    life = await doubtful(channel)
    life.clock.advance(-0.5)
    assert life.delivery.idle
    life.clock.advance(0.5)
    assert not life.delivery.idle
    assert await life.delivery.attempt()
    assert channel.reads == [["L-1"]]
    assert tallies(life) == ReadTallies(as_told=1)
    assert life.delivery.idle


async def test_the_same_value_sent_again_and_accepted_is_not_read() -> None:
    channel = Readable(SILENT)
    life = Lifetime(channel, Journal(), Clock())
    life.arrive(update("L-1", 1, 9))
    await life.deliver()
    life.clock.advance(SETTLE_S)
    assert life.delivery.idle
    assert (channel.reads, in_doubt(life)) == ([], 0)


async def test_listings_are_read_in_batches() -> None:
    channel = Readable(SILENT)
    life = await doubtful(channel, "L-1", "L-2", "L-3")
    await life.resolve()
    assert channel.reads == [["L-1", "L-2"], ["L-3"]]
    assert tallies(life) == ReadTallies(as_told=3)


async def test_a_stop_sell_goes_before_reads_and_other_updates_alternate_with_them() -> None:
    channel = Readable(SILENT)
    life = await doubtful(channel, "L-1", "L-2", "L-3", "L-4")
    channel.sent.clear()
    life.arrive(update("S-1", 1, 0, priority="P0"))
    await life.delivery.attempt()
    assert (channel.sent, channel.reads) == ([["S-1"]], [])
    life.delivery.sink.limits = channel.limits._replace(max_updates=1)  # type: ignore[misc]
    life.arrive(update("S-2"), update("S-3"))
    for _ in range(4):
        await life.delivery.attempt()
    assert channel.sent == [["S-1"], ["S-2"], ["S-3"]]
    assert len(channel.reads) == 2


async def test_a_read_takes_a_token_and_waits_for_one() -> None:
    channel = Readable(SILENT)
    life = await doubtful(channel, "L-1", "L-2", "L-3")
    life.delivery.bucket = TokenBucket(0.1, 1)
    assert life.delivery.wait_s() == 0
    await life.delivery.attempt()
    assert life.delivery.wait_s() == pytest.approx(10.0)


async def test_what_was_overtaken_is_told_again_and_the_finding_is_acknowledged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = Readable(SILENT, shows=9)
    life = await doubtful(channel)
    channel.sent.clear()
    await life.resolve()
    assert channel.sent == [["L-1"]]
    assert len(channel.reads) == 1
    told = life.journal.acknowledgements[-1]
    assert (told.publish_seq, told.outcome, told.quantity, told.previous_quantity) == (2, "ACCEPTED", 4, 9)
    assert "L-1 was overtaken" in caplog.text
    assert tallies(life) == ReadTallies(overtaken=1)


async def test_what_was_sold_since_is_not_told_again() -> None:
    channel = Readable(SILENT, shows=3)
    life = await doubtful(channel)
    await life.resolve()
    assert tallies(life) == ReadTallies(less=1)
    assert len(life.journal.answers) == 1


async def test_told_again_without_an_answer_it_is_read_again() -> None:
    channel = Readable(SILENT, TAKEN, SILENT, shows=9)
    life = await doubtful(channel)
    await life.delivery.attempt()
    await life.delivery.attempt()
    channel.shows = 4
    await life.resolve()
    assert len(channel.reads) == 2
    assert tallies(life) == ReadTallies(as_told=1, overtaken=1)


async def test_told_again_while_the_channel_is_out_it_goes_on_trying() -> None:
    channel = Readable(SILENT, TAKEN, Outcome.RETRY, Outcome.RETRY, shows=9)
    life = await doubtful(channel)
    await life.resolve()
    assert life.journal.acknowledgements[-1].previous_quantity == 9
    assert tallies(life) == ReadTallies(overtaken=1)


async def test_an_overtaken_value_is_told_again_after_it_expired_because_the_worker_believes_in_it() -> None:
    channel = Readable(SILENT, shows=9)
    life = await doubtful(channel)
    await life.delivery.attempt()
    life.clock.advance(3_600)
    await life.delivery.attempt()
    assert [one.outcome for one in life.journal.acknowledgements] == ["ACCEPTED", "ACCEPTED"]
    assert tallies(life) == ReadTallies(overtaken=1)
    assert in_doubt(life) == 0


async def test_an_overtaken_value_that_is_refused_is_given_up() -> None:
    channel = Readable(SILENT, TAKEN, Outcome.REJECTED, shows=9)
    life = await doubtful(channel)
    await life.resolve()
    assert tallies(life) == ReadTallies(overtaken=1, given_up=1)


async def test_a_newer_value_that_waits_is_sent_instead_and_told_with_what_was_shown() -> None:
    channel = Readable(SILENT, shows=9)
    life = await doubtful(channel)
    await life.delivery.attempt()
    channel.sent.clear()
    life.arrive(update("L-1", 3, 1))
    await life.deliver()
    assert channel.sent == [["L-1"]]
    told = life.journal.acknowledgements[-1]
    assert (told.publish_seq, told.previous_quantity) == (3, 9)
    assert life.delivery.idle


async def test_a_listing_that_is_on_its_way_is_not_read() -> None:
    channel = Readable(SILENT)
    life = await doubtful(channel)
    life.arrive(update("L-1", 3, 1))
    assert len(life.backlog.take(1)) == 1
    assert not await life.delivery.attempt()
    assert channel.reads == []
    assert in_doubt(life) == 1


async def test_what_another_process_settled_since_ends_the_doubt() -> None:
    channel = Readable(SILENT, shows=9)
    life = await doubtful(channel)
    life.latest.own(PARTITION, [Acknowledgement("web", "L-1", 7, "ACCEPTED", 2, 0, None, 0)])
    assert not await life.delivery.attempt()
    assert (channel.reads, in_doubt(life)) == ([], 0)


async def test_a_partition_that_went_is_not_read() -> None:
    channel = Readable(SILENT)
    life = await doubtful(channel)
    life.backlog.disown(PARTITION)
    assert not await life.delivery.attempt()
    assert channel.reads == []


async def test_reads_that_fail_are_given_up_after_a_while_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    channel = Readable(SILENT)
    channel.unreadable = [Unread("HTTP 500")] * 9
    life = await doubtful(channel)
    await life.resolve()
    assert len(channel.reads) == 3
    assert tallies(life) == ReadTallies(failed=3, given_up=1)
    assert "L-1 is not read back any more, an old value may stay: HTTP 500" in caplog.text


async def test_the_wait_that_a_read_is_told_is_kept_and_empties_the_bucket() -> None:
    channel = Readable(SILENT)
    channel.unreadable = [Unread("HTTP 429", 50.0)]
    life = await doubtful(channel)
    life.delivery.bucket = TokenBucket(0.5, 10)
    await life.delivery.attempt()
    assert life.delivery.wait_s() == pytest.approx(2.0)
    life.clock.advance(49.9)
    assert not await life.delivery.attempt()
    life.clock.advance(0.1)
    assert await life.delivery.attempt()


async def test_a_read_for_which_there_was_no_token_counts_as_none() -> None:
    channel = Readable(SILENT)
    channel.unreadable = [Unread("NO_TOKEN", called=False)] * 9
    life = await doubtful(channel)
    await life.resolve()
    assert tallies(life) == ReadTallies(as_told=1)


async def test_a_listing_without_a_quantity_counts_as_not_read() -> None:
    channel = Readable(SILENT)
    life = await doubtful(channel)
    channel.shown = lambda listings: _none(channel, listings)  # type: ignore[method-assign]
    await life.resolve()
    assert tallies(life) == ReadTallies(failed=3, given_up=1)


async def _none(channel: Readable, listings: Sequence[str]) -> Shown:
    channel.reads.append(list(listings))
    return dict.fromkeys(listings, None)


async def test_a_doubt_there_is_no_room_for_is_counted() -> None:
    channel = Readable(SILENT)
    life = Lifetime(channel, Journal(), Clock())
    assert life.delivery.read_back is not None
    life.delivery.read_back.doubts = Doubts(SETTLE_S, 3, most=1)
    life.arrive(update("L-1", 1, 9), update("L-2", 1, 9))
    await life.delivery.attempt()
    assert tallies(life) == ReadTallies(given_up=1)
    assert in_doubt(life) == 1


def accepted_by(publish_seq: int) -> Result:
    return Result("L-1", publish_seq, TAKEN)


def words(life: Lifetime) -> list[tuple[int, str]]:
    """What was written down about attempts."""
    return [(row.publish_seq, row.outcome) for row, is_attempt in life.journal.rows if is_attempt]


async def about_to_tell_again(channel: Readable) -> tuple[Lifetime, asyncio.Task[bool], asyncio.Event]:
    """A life that tells again what was overtaken, once that is durable."""
    life, durable = await doubtful(channel), asyncio.Event()
    await life.delivery.attempt()
    channel.sent.clear()
    life.journal.holds = durable
    telling = asyncio.create_task(life.delivery.attempt())
    await asyncio.sleep(0)
    return life, telling, durable


async def test_what_had_no_answer_is_written_down_and_that_it_is_over_when_it_was_read() -> None:
    life = await doubtful(Readable(SILENT))
    assert words(life) == [(1, "UNKNOWN")]
    assert len(life.journal.positions().unresolved()) == 1
    await life.resolve()
    assert words(life) == [(1, "UNKNOWN"), (2, "ACCEPTED")]
    assert life.journal.positions().unresolved() == []


async def test_what_is_told_again_is_written_down_before_the_call_because_its_offset_is_committed() -> None:
    channel = Readable(SILENT, shows=9)
    life, telling, durable = await about_to_tell_again(channel)
    assert channel.sent == []
    durable.set()
    await telling
    assert channel.sent == [["L-1"]]
    assert words(life) == [(1, "UNKNOWN"), (2, "UNKNOWN"), (2, "ACCEPTED")]


@pytest.mark.parametrize("gone", ["the partition", "the membership"])
async def test_what_was_lost_while_it_was_written_down_is_not_told_again(gone: str) -> None:
    channel = Readable(SILENT, shows=9)
    life, telling, durable = await about_to_tell_again(channel)
    if gone == "the partition":
        life.backlog.disown(PARTITION)
    else:
        life.delivery.may_call = lambda: False
    durable.set()
    await telling
    assert channel.sent == []
    assert len(life.journal.answers) == 1


async def test_a_partition_that_went_is_not_said_to_be_in_no_doubt() -> None:
    life = await doubtful(Readable(SILENT))
    back = life.delivery.read_back
    assert back is not None
    life.clock.advance(SETTLE_S)
    back.noted(Waiting(PARTITION, 2, update("L-1", 3, 4), "P2", 0, began_at=life.clock.now_s), accepted_by(3), 0.0)
    back.disown(PARTITION)
    await back.settling([], life.clock.wall(), life.clock.now_s)
    assert words(life) == [(1, "UNKNOWN")]


async def test_what_is_refused_since_does_not_end_the_doubt_about_what_was_accepted() -> None:
    channel = Readable(SILENT, TAKEN, Outcome.REJECTED, shows=9)
    life = await doubtful(channel)
    life.arrive(update("L-1", 3, 1))
    await life.deliver()
    await life.resolve()
    assert [(one.publish_seq, one.outcome) for one in life.journal.acknowledgements] == [
        (2, "ACCEPTED"), (3, "REJECTED"), (2, "ACCEPTED"),
    ]  # fmt: skip


async def test_updates_wait_while_no_call_may_be_made() -> None:
    channel = Readable()
    life = Lifetime(channel, Journal(), Clock())
    life.arrive(update("L-1", 1, 9))
    life.delivery.may_call = lambda: False
    await life.delivery.attempt()
    assert (channel.sent, len(life.backlog)) == ([], 1)
    life.delivery.may_call = lambda: True
    await life.delivery.attempt()
    assert channel.sent == [["L-1"]]
