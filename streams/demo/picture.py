"""What the output topics say, summed up: the newest numbers, what each channel was told and accepted, oddities.

Knows nothing of Kafka. Records come as mappings of their schema's fields; a record with an older version or
sequence than the one known is ignored, as every consumer of these topics must.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from streams.demo.catalogue import Sold
from streams.demo.observation import ChannelSeen, Count, Mover
from streams.demo.story import MOST_EVENTS

WINDOW_S = 10.0
"""How far back movers and freshness look."""
RATE_S = 3.0
"""How far back rates look."""
MOST_SAMPLES = 5_000


class ChannelPicture:
    """One channel: what it is to be told, was told last, and accepted last, per listing.

    ``kind`` is how it is told. ``sells`` are its listings by SKU; one that is not in it is listed by its own name.
    ``planned_for`` has all updates of a listing, as (publish_seq, quantity), in the order in which they were read.
    """

    def __init__(
        self,
        name: str,
        rule: str,
        budget_per_s: float,
        kind: str = "",
        sells: Mapping[str, Sequence[Sold]] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.rule = rule
        self.budget_per_s = budget_per_s
        self.kind = kind
        self.planned_for: dict[str, list[tuple[int, int]]] = {}
        self._sells = sells
        self.sent: dict[str, tuple[int, int]] = {}
        self.answered: dict[str, tuple[int, int]] = {}
        self.accepted = 0
        self.refused = 0
        self._answers: deque[float] = deque(maxlen=MOST_SAMPLES)

    def planned(self, listing: str, publish_seq: int, quantity: int) -> None:
        """An update was written for the channel."""
        self.planned_for.setdefault(listing, []).append((publish_seq, quantity))
        if publish_seq >= self.sent.get(listing, (0, 0))[0]:
            self.sent[listing] = (publish_seq, quantity)

    def answer(self, listing: str, publish_seq: int, outcome: str, quantity: int, at: float) -> None:
        """The channel answered."""
        self._answers.append(at)
        if outcome != "ACCEPTED":
            self.refused += 1
            return
        self.accepted += 1
        if publish_seq >= self.answered.get(listing, (0, 0))[0]:
            self.answered[listing] = (publish_seq, quantity)

    def seen(self, wanted: Mapping[str, Mapping[str, int]], now: float) -> ChannelSeen:
        """The channel at ``now``, given the current quantities per SKU and channel."""
        in_flight = sum(seq > self.answered.get(listing, (0, 0))[0] for listing, (seq, _) in self.sent.items())
        behind = sum(
            self._behind(sku, quantities[self.name])
            for sku, quantities in wanted.items()
            if self.name in quantities
        )
        return ChannelSeen(
            self.name,
            self.rule,
            self.budget_per_s,
            sum(at > now - RATE_S for at in self._answers) / RATE_S,
            self.accepted,
            self.refused,
            in_flight,
            behind,
            sum(quantity == 0 for _, quantity in self.answered.values()),
            self.kind,
        )

    def _behind(self, sku: str, quantity: int) -> int:
        """How many listings of a SKU do not show what they should."""
        listings = self._sells.get(sku) or (Sold(self.name, sku, sku, 1),)
        shown = [self.answered.get(one.listing, (0, None))[1] for one in listings]
        return sum(told != quantity // one.pack_size for told, one in zip(shown, listings, strict=True))


class Picture:
    """Everything the output topics said so far. Times are seconds since the epoch."""

    def __init__(self, channels: Mapping[str, ChannelPicture], names: Mapping[str, str]) -> None:
        self.channels = channels
        self.names = names
        self.versions = 0
        self.wanted: dict[str, Mapping[str, int]] = {}
        self.locations: dict[str, Mapping[str, Mapping[str, Any]]] = {}
        self.findings: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self._version: dict[str, int] = {}
        self._moves: dict[str, deque[tuple[float, int]]] = {}
        self._freshness: deque[tuple[float, float]] = deque(maxlen=MOST_SAMPLES)
        self._all_freshness = array("d")

    def ats_changed(self, record: Mapping[str, Any], at: float, fed_at: Mapping[str, float]) -> None:
        """New numbers of a SKU, written at ``at``; ``fed_at`` says when the events that caused them were fed."""
        sku = record["sku"]
        self.versions += 1
        for event_id in record["causes"]:
            fed = fed_at.get(event_id)
            if fed is not None:
                took = max(0.0, at - fed)
                self._freshness.append((at, took))
                if len(self._all_freshness) < MOST_EVENTS:
                    self._all_freshness.append(took)
        if record["version"] <= self._version.get(sku, 0):
            return
        self._version[sku] = record["version"]
        self.wanted[sku] = record["channels"]
        self.locations[sku] = record["locations"]
        moves = self._moves.setdefault(sku, deque())
        moves.append((at, sum(pool["available_to_sell"] for pool in record["pools"].values())))
        while len(moves) > 1 and moves[1][0] < at - WINDOW_S:
            moves.popleft()

    @property
    def skus(self) -> int:
        """SKUs with numbers."""
        return len(self.wanted)

    def quantities(self) -> dict[str, dict[str, int]]:
        """The last quantity each channel accepted, per listing."""
        return {
            name: {listing: quantity for listing, (_, quantity) in channel.answered.items()}
            for name, channel in self.channels.items()
        }

    def movers(self, now: float, most: int = 10) -> tuple[Mover, ...]:
        """The SKUs that moved most within the window, the largest change first."""
        movers = []
        for sku, moves in self._moves.items():
            if moves[-1][0] < now - WINDOW_S:
                continue
            before, after = moves[0][1], moves[-1][1]
            if before != after:
                movers.append(Mover(sku, self.names.get(sku, sku), before, after))
        movers.sort(key=lambda mover: (-abs(mover.now - mover.before), mover.sku))
        return tuple(movers[:most])

    def freshness_ms(self, now: float) -> tuple[float, float] | None:
        """Median and 95th percentile of the window in milliseconds; of the last samples when it is empty."""
        recent = sorted(seconds for at, seconds in self._freshness if at > now - WINDOW_S)
        samples = recent or sorted(seconds for _, seconds in list(self._freshness)[-200:])
        if not samples:
            return None
        last = len(samples) - 1
        return samples[last // 2] * 1000, samples[last * 95 // 100] * 1000

    def freshness_overall_ms(self, shares: Sequence[float]) -> tuple[float, ...] | None:
        """Quantiles over everything so far in milliseconds; None before the first event was applied."""
        ordered = sorted(self._all_freshness)
        if not ordered:
            return None
        return tuple(ordered[int(share * (len(ordered) - 1))] * 1000 for share in shares)

    def channels_seen(self, now: float) -> tuple[ChannelSeen, ...]:
        """All channels at ``now``."""
        return tuple(channel.seen(self.wanted, now) for channel in self.channels.values())


def counts(counter: Mapping[str, int]) -> tuple[Count, ...]:
    """Counts, most frequent first."""
    return tuple(
        Count(what, times) for what, times in sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))
    )
