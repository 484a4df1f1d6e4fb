"""From channel quantities to channel updates: one planner a channel, one budget a channel and worker."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial

from agents.adoptions import Adoptions
from agents.channel_watch import ChannelWatch, ListingFinding, measured_channels
from agents.full_syncs import FullSyncs
from agents.outputs import channel_update, inventory_finding
from agents.ports import Outgoing, Ports
from agents.sku_partition import Wanted
from domain.budget import TokenBucket
from domain.facts import Acknowledgement, Micros
from domain.planner import Planner
from domain.policy import Policy
from domain.prices import Offer
from domain.updates import ChannelUpdate
from schemas.topics import INVENTORY_FINDINGS, PUBLICATIONS_CHANGELOG, channel_updates_topic
from tables.full_syncs import FULL_SYNC_PREFIX
from tables.publications import TOLD_KEY, channel_and_listing, listing_key, listing_of, listing_value
from tables.told import Told

FANNED_OUT_PER_TICK = 2_000
"""Updates planned for one channel in one epoch, at most, so that an epoch stays short."""

SLICE_UPDATES = 64


class FanOut:
    """Plans what each channel is told, for all partitions of this worker, within its share of the budgets.

    ``share`` gives the part of all partitions that is ours: the workers' budgets add up to the channel's.
    Here a listing is a SKU; ``ListingFanOut`` adds listings of their own.
    """

    def __init__(self, ports: Ports, policy: Policy, share: Callable[[], Fraction]) -> None:
        self._ports = ports
        self._policy = policy
        self._share = share
        self._partition_of: dict[str, int] = {}
        self._rows: dict[str, dict[str, list[bytes]]] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self.planners: dict[str, Planner] = {}
        self.watches: dict[str, ChannelWatch] = {}
        """What the answers of each planner's channel say."""
        self._adoptions = Adoptions()
        self._wanted: dict[tuple[str, str], None] = {}
        """Listings of which something else was wanted since the last tick, by channel and id."""
        self._noted: set[tuple[str, str]] = set()
        """Listings whose last row says that something waits to be told."""
        self._told: defaultdict[int, Told] = defaultdict(Told)
        """Per partition, how far what its rows call told is surely in the topics of the channels."""
        self.full_syncs = FullSyncs(self._partition_of, self._told, self._buckets, self.watches, ports.version)
        self.planned: Counter[tuple[str, str, str]] = Counter()
        """Updates planned so far, by channel, class and reason."""
        self.reported: Counter[str] = Counter()
        """Findings about listings reported so far, by code."""
        self.adopt(policy, 0)

    def adopt(self, policy: Policy, now: Micros) -> None:
        """Plan by another policy from now on. A channel that is gone keeps its rows and is told nothing more."""
        self._policy = policy
        self._measured = measured_channels(policy)
        for channel, rules in policy.channels.items():
            planner, overrides = self.planners.get(channel), policy.publish_overrides(channel)
            if planner is None:
                planner = Planner(channel, rules.publish, self._ports.version, overrides)
                self.planners[channel] = planner
                self.watches[channel] = ChannelWatch(planner, partial(self._offer, channel))
                for listing, rows in self._rows.pop(channel, {}).items():
                    self._restore(channel, listing, rows, now)
            elif not planner.goes_by(rules.publish, overrides):
                # The rules hold; the next epochs plan by them what is pending.
                self._adoptions.begin(channel, planner.adoption(rules.publish, now, overrides))
        for channel in [known for known in self.planners if known not in policy.channels]:
            del self.planners[channel], self.watches[channel]
            self._adoptions.forget(channel)
            self._noted = {noted for noted in self._noted if noted[0] != channel}
            for told in self._told.values():
                told.channel_is_gone(channel)
        self.full_syncs.adopt(policy)
        self.rebudget(now)

    def rebudget(self, now: Micros) -> None:
        """Take another share of the channels' budgets, after a rebalance or a change of policy."""
        share = self._share()
        for channel, rules in self._policy.channels.items():
            rate = rules.publish.rate_per_s * share
            burst = max(1, int(rules.publish.burst * share)) if rate else 0
            bucket = self._buckets.get(channel)
            self._buckets[channel] = (
                TokenBucket.filled(rate, burst, now) if bucket is None else bucket.changed(rate, burst, now)
            )

    def recover(self, partition: int, rows: Iterable[tuple[bytes, bytes | None]], now: Micros) -> None:
        """Take changelog rows of a partition; rows of a listing are joined."""
        for key, value in rows:
            if key.startswith(FULL_SYNC_PREFIX):
                self.full_syncs.recover(partition, key, value, now)
                continue
            channel, listing = channel_and_listing(key)
            self._partition_of[listing] = partition
            if value is None:
                continue
            if channel in self.planners:
                self._restore(channel, listing, [value], now)
                self._note(channel, listing)
                self._told[partition].recovered(channel, listing, self.planners[channel].listings[listing])
            else:
                self._rows.setdefault(channel, {}).setdefault(listing, []).append(value)

    def resume(self, partition: int, now: Micros) -> None:
        """Everything of the partition is recovered."""
        self.full_syncs.own(partition)

    def surely_told(self, partition: int, publish_seq: int) -> None:
        """Every update of the partition up to this one is in the topic of its channel."""
        self._told[partition].surely(publish_seq)

    def tell_doubtful(self, partition: int, now: Micros) -> None:
        """Tell anew what the last epoch of an earlier owner told: perhaps it wrote the row and not the update."""
        for channel, listing in self._told[partition].doubtful:
            planner = self.planners[channel]
            known = planner.listings[listing]
            quantity = known.last_quantity if known.desired is None else known.desired
            if quantity is not None and planner.want(listing, quantity, now, force=True):
                self._wanted[channel, listing] = None

    def unsettled(self, partition: int) -> list[str]:
        """SKUs of a recovered partition of which something waited to be told, though perhaps not the newest."""
        return [
            self.planners[channel].listings[listing].sku
            for channel, listing in self._noted | self._told[partition].doubtful
            if self._partition_of.get(listing) == partition and channel in self.planners
        ]

    def forget_partition(self, partition: int) -> None:
        """The partition belongs to somebody else now."""
        self._told.pop(partition, None)
        self.full_syncs.forget(partition)
        gone = [listing for listing, number in self._partition_of.items() if number == partition]
        for listing in gone:
            del self._partition_of[listing]
            for channel, planner in self.planners.items():
                planner.forget(listing)
                self.watches[channel].forget(listing)
                self._noted.discard((channel, listing))
            for rows in self._rows.values():
                rows.pop(listing, None)

    def want(self, partition: int, wanted: Wanted, now: Micros) -> None:
        """Take the channel quantities of an assessed SKU."""
        sku, cause = wanted.sku, wanted.cause
        caused_by = tuple(cause.event_ids)
        self._partition_of[sku] = partition
        for channel, quantity in wanted.channels.items():
            planner = self.planners.get(channel)
            if planner is not None and planner.want(
                sku,
                quantity,
                now,
                sku=sku,
                force=cause.repair,
                caused_by=caused_by,
                occurred_at=cause.oldest,
            ):
                self._wants((channel, sku), now)

    def acknowledged(self, partition: int, answer: Acknowledgement, now: Micros) -> Sequence[Outgoing]:
        """Take a channel's answer; the row to write, if it changed anything, and what is odd about it."""
        planner = self.planners.get(answer.channel)
        if planner is None:
            return ()
        self._partition_of.setdefault(answer.listing, partition)
        _, _, publish_seq, outcome, quantity, *_, shown = answer
        changed = planner.acknowledged(answer.listing, publish_seq, outcome, quantity, now, shown)
        found = self.watches[answer.channel].answered(answer, changed, now)
        told = [self._finding(each, now) for each in found]
        return [self._row(answer.channel, answer.listing), *told] if changed else told

    def reactions(self, now: Micros) -> Mapping[str, Micros]:
        """How long each channel takes to show what is planned now, if a guard is measured by that."""
        rules, buckets, watches = self._policy.channels, self._buckets, self.watches
        return {
            each: watches[each].reaction(now, rules[each].publish, buckets[each].rate_per_s)
            for each in self._measured
        }

    def tick(self, now: Micros) -> Iterator[list[Outgoing]]:
        """Updates that may go now, each with the row that remembers it; in slices.

        Then a row for each listing that now waits, once, so that a successor knows whom it has to assess.
        """
        yield self.concluded()
        for channel, planner in self.planners.items():
            if planner.is_ahead(now):
                self._adoptions.begin(channel, planner.set_back(now))
                self._buckets[channel] = self._buckets[channel].set_back(now)
                self.watches[channel].set_back(now)
                self.full_syncs.set_back(channel, now)
        for _ in self._adoptions.go_on():
            yield []
        for channel, planner in self.planners.items():
            yield self.full_syncs.begin(channel, planner, now)
            left = FANNED_OUT_PER_TICK
            while left:
                ready = self.watches[channel].allowed(now, min(planner.ready(now), left, SLICE_UPDATES))
                granted, self._buckets[channel] = self._buckets[channel].take(now, ready)
                if not granted:
                    break
                left -= granted
                yield self._tell(channel, planner.tick(now, granted))
            for updates in self.full_syncs.tick(channel, planner, left, now):
                yield self._tell(channel, updates)
        wanted, self._wanted = self._wanted, {}
        waiting = [name for name in wanted if name not in self._noted and self._waits(*name)]
        for start in range(0, len(waiting), SLICE_UPDATES):
            yield [self._row(*name) for name in waiting[start : start + SLICE_UPDATES]]

    def concluded(self) -> list[Outgoing]:
        """We are asked again, so what was told before is in the topics: a row that says so for each partition."""
        marks = [(number, told.conclude()) for number, told in self._told.items()]
        changelog = PUBLICATIONS_CHANGELOG.name
        told = [Outgoing(changelog, each, TOLD_KEY, str(seq).encode()) for each, seq in marks if seq is not None]
        return told + self.full_syncs.concluded()

    def _tell(self, channel: str, updates: Iterable[ChannelUpdate]) -> list[Outgoing]:
        outgoing: list[Outgoing] = []
        topic = channel_updates_topic(channel).name
        for update in updates:
            self.planned[channel, update.priority, update.reason] += 1
            self._told[self._partition_of[update.listing]].tell(channel, update.listing, update.publish_seq)
            outgoing.append(self._row(channel, update.listing))
            value = self._ports.encode(topic, channel_update(update))
            outgoing.append(Outgoing(topic, None, update.listing.encode(), value))
            found = self.watches[channel].told(update, update.planned_at)
            if found is not None:
                outgoing.append(self._finding(found, update.planned_at))
        return outgoing

    def next_wake(self) -> Micros | None:
        """When a tick may have something to tell, as far as the budgets allow."""
        if self._adoptions:
            return 0
        wakes: list[Micros | None] = []
        for channel, planner in self.planners.items():
            wakes.append(self.full_syncs.next_wake(channel))
            wake = planner.next_wake()
            tokens_at = self._buckets[channel].next_at() if wake is not None else None
            if wake is not None and tokens_at is not None:
                wakes.append(max(wake, tokens_at, self.watches[channel].held_until()))
        return min((wake for wake in wakes if wake is not None), default=None)

    def _restore(self, channel: str, listing: str, rows: Iterable[bytes], now: Micros) -> None:
        for row in rows:
            self.planners[channel].restore(listing, listing_of(row), now)
        self.watches[channel].restored(listing, now)

    def _wants(self, name: tuple[str, str], now: Micros) -> None:
        """Something else is wanted of a listing, by channel and id."""
        self._wanted[name] = None
        self.watches[name[0]].changed(name[1], now)

    def _offer(self, channel: str, listing: str) -> Offer:
        """What one of the listing is."""
        sku = self.planners[channel].listings[listing].sku
        return Offer(self._policy.channel_of(sku, channel).pack_size)

    def _waits(self, channel: str, listing: str) -> bool:
        planner = self.planners.get(channel)
        known = None if planner is None else planner.listings.get(listing)
        return known is not None and known.pending_since is not None

    def _note(self, channel: str, listing: str) -> None:
        """A row of the listing is in the changelog or on its way there."""
        if self._waits(channel, listing):
            self._noted.add((channel, listing))
        else:
            self._noted.discard((channel, listing))

    def _finding(self, found: ListingFinding, now: Micros) -> Outgoing:
        self.reported[found.finding.code] += 1
        record = inventory_finding(found.sku, found.finding, now, None, found.note)
        value = self._ports.encode(INVENTORY_FINDINGS.name, record)
        return Outgoing(INVENTORY_FINDINGS.name, None, found.sku.encode(), value)

    def _row(self, channel: str, listing: str) -> Outgoing:
        self._note(channel, listing)
        value = listing_value(self.planners[channel].listings[listing])
        key = listing_key(channel, listing)
        return Outgoing(PUBLICATIONS_CHANGELOG.name, self._partition_of[listing], key, value)
