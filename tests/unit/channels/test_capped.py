"""A cap on revisions around a sink: what is sent, what is counted, and which kinds have one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from connectors.channels.base import Limits, Outcome, Result, Update
from connectors.channels.capped import USED_UP, CappedSink, OwnRevisions
from connectors.channels.rate import OwnBucket
from domain.limits_listing import DailyRevisions
from streams.sink.budget import metered
from streams.sink.settings import load_sink_settings
from tests.conformance.rig import Clock, update

EBAY = 'kind = "ebay"\nclient_id = "a"\nclient_secret = "s"\nrefresh_token = "r"\nrevisions_per_day = 3\n'


class Channel:
    """Answers as told, in the order of the batch; remembers what it was asked."""

    limits = Limits(10, 1_000)

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[list[str]] = []

    async def open(self) -> None: ...

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        self.asked.append([one.listing for one in batch])
        return [Result(one.listing, one.publish_seq, self.outcomes.pop(0)) for one in batch]

    async def close(self) -> None: ...


def capped(channel: Channel, revisions: int = 1) -> CappedSink:
    return CappedSink(channel, OwnRevisions(DailyRevisions(revisions, 0), Clock().wall))


async def test_what_was_revised_too_often_is_rejected_and_the_rest_is_sent() -> None:
    channel = Channel(Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.ACCEPTED)
    sink = capped(channel)
    await sink.send([update("B")])
    results = await sink.send([update("A"), update("B"), update("C")])
    assert [(one.listing, one.outcome, one.reason) for one in results] == [
        ("A", Outcome.ACCEPTED, None),
        ("B", Outcome.REJECTED, USED_UP),
        ("C", Outcome.ACCEPTED, None),
    ]
    assert channel.asked == [["B"], ["A", "C"]]
    await sink.send([update("A"), update("B")])
    assert len(channel.asked) == 2


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_only_what_the_channel_may_have_revised_is_counted(outcome: Outcome) -> None:
    channel = Channel(outcome, Outcome.ACCEPTED)
    sink = capped(channel)
    await sink.send([update("A")])
    (again,) = await sink.send([update("A")])
    counted = outcome in (Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN)
    assert (again.reason == USED_UP) is counted


async def test_a_call_that_breaks_counts_because_nobody_knows() -> None:
    channel = Channel()
    sink = capped(channel)
    with pytest.raises(IndexError):
        await sink.send([update("A")])
    assert [one.reason for one in await sink.send([update("A")])] == [USED_UP]


async def test_ebay_is_capped_by_each_process_or_by_all_of_them_and_a_file_is_not(tmp_path: Path) -> None:
    toml = tmp_path / "atstream.toml"
    toml.write_text(
        f"[sink.channels.alone]\n{EBAY}kept_for_stop_sells = 1\n"
        f'[sink.channels.shared]\n{EBAY}kept_for_stop_sells = 1\nbudget_url = "redis://127.0.0.1:1/0"\n'
        'budget_member = "a"\n[sink.channels.file]\nkind = "file"\npath = "x"\n'
    )
    channel = Channel(Outcome.ACCEPTED, Outcome.ACCEPTED)
    with metered("file", channel, channel, load_sink_settings("file", toml)) as parts:
        assert parts[0] is channel
    with metered("alone", channel, channel, load_sink_settings("alone", toml)) as parts:
        sink, bucket = parts[0], parts[1]
        assert isinstance(bucket, OwnBucket)
        reasons = [(await sink.send([update("A")]))[0].reason for _ in range(3)]
        assert reasons == [None, None, USED_UP]
    with metered("shared", channel, channel, load_sink_settings("shared", toml)) as parts:
        sink, bucket = parts[0], parts[1]
        await sink.open()
        assert isinstance(sink, CappedSink)
        assert bucket.degraded
        assert [one.reason for one in await sink.send([update("A")])] == ["NO_TOKEN"]
        await sink.close()
