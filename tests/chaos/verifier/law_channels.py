"""Law: a channel accepts no older value after a newer one, gets no call beyond its rate, and nothing unplanned."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence import ChannelEvidence, Evidence, Violation
from tests.chaos.verifier.recomputation import Recomputation

MONOTONE = "monotone at the channel"
RATE = "rate limit"
PLANNED = "only what was planned"


def violations(evidence: Evidence, recomputed: Recomputation) -> Iterator[Violation]:
    """What each fake channel saw that it should not have seen."""
    for channel in evidence.channels:
        if channel.above_limit:
            yield Violation(RATE, channel.channel, f"{channel.above_limit} of {channel.requests} calls above it")
        for what in ("unsigned", "malformed"):
            if getattr(channel, what):
                yield Violation(PLANNED, channel.channel, f"{getattr(channel, what)} calls were {what}")
        yield from _monotone(channel)
        yield from _planned(channel, recomputed)


def figures(evidence: Evidence) -> dict[str, int]:
    """How much the channels were told."""
    return {
        "channel calls": sum(each.requests for each in evidence.channels),
        "updates accepted": sum(len(each.accepted) for each in evidence.channels),
        "updates repeated": sum(each.repeated for each in evidence.channels),
    }


def _monotone(channel: ChannelEvidence) -> Iterator[Violation]:
    if channel.accepted_older:
        yield Violation(MONOTONE, channel.channel, f"{channel.accepted_older} updates older than what it showed")
    shown: dict[str, tuple[int, int]] = {}
    for update in channel.accepted:
        seq, quantity = shown.get(update.listing, (0, update.quantity))
        if update.publish_seq < seq or (update.publish_seq == seq and update.quantity != quantity):
            detail = f"{update.quantity} as {update.publish_seq} after {quantity} as {seq}"
            yield Violation(MONOTONE, f"{update.listing} on {channel.channel}", detail)
        shown[update.listing] = (update.publish_seq, update.quantity)


def _planned(channel: ChannelEvidence, recomputed: Recomputation) -> Iterator[Violation]:
    planned = {
        (each.name, each.version, each.fields["quantity"]) for each in recomputed.planned.get(channel.channel, ())
    }
    for update in channel.accepted:
        if channel.channel in recomputed.planned and tuple(update) not in planned:
            yield Violation(PLANNED, f"{update.listing} on {channel.channel}", f"{update} is in no log")
