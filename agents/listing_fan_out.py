"""Fan-out to listings that are no SKUs: the partitions of the SKUs supply their planners (decision 0017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from agents.fan_out import SLICE_UPDATES, FanOut
from agents.listing_partition import ListingPartition
from agents.ports import Outgoing, Ports
from agents.sku_partition import Wanted
from domain.facts import Acknowledgement, Micros
from domain.listing_map import Listed, ListingName, Subscription, Supply
from domain.listings import Listing
from domain.policy import Policy
from domain.prices import Offer
from domain.updates import ChannelUpdate
from schemas.listing_exchange import Exchanged
from tables.full_syncs import FULL_SYNC_PREFIX

_NO_ROWS: Mapping[str, Listing] = {}


class ListingFanOut(FanOut):
    """Plans every listing in the partition of its id, whatever SKU it sells.

    A SKU without listings of a channel is listed there under its own name, in its own partition.
    """

    def __init__(self, ports: Ports, policy: Policy, share: Callable[[], Fraction]) -> None:
        self._here: dict[int, ListingPartition] = {}
        self._supplies: list[Outgoing] = []
        """What leaves with the next tick."""
        super().__init__(ports, policy, share)

    def adopt(self, policy: Policy, now: Micros) -> None:
        """Plan by another policy from now on, also for listings of channels that it adds."""
        known = set(self.planners)
        super().adopt(policy, now)
        added = self.planners.keys() - known
        for here in self._here.values():
            for name in here.names():
                if name[0] in added:
                    self._show(here, name, now)

    def recover(self, partition: int, rows: Iterable[tuple[bytes, bytes | None]], now: Micros) -> None:
        """Take changelog rows of a partition; rows of one key are joined."""
        told = []
        for key, value in rows:
            if not key.startswith(b"\0") or key.startswith(FULL_SYNC_PREFIX):
                told.append((key, value))
            else:
                self._at(partition).recover(key, value)
        super().recover(partition, told, now)

    def resume(self, partition: int, now: Micros) -> None:
        """Everything of the partition is recovered: go on with what an earlier owner began."""
        super().resume(partition, now)
        here = self._at(partition)
        here.recovered()
        for channel, watch in self.watches.items():
            for listing in here.exposed(channel, watch.exposure):
                watch.changed(listing, now)  # its row came before what it sells for
        self._supplies += map(here.message, here.ends.resume())
        for name in here.to_resume(self._rows_of):
            self._partition_of[name[1]] = partition
            self._show(here, name, now)
            self._supplies += here.resubscribe(name)
        for name in here.replaced_names(self._rows_of):
            self._take_back(name, now)

    def forget_partition(self, partition: int) -> None:
        """The partition belongs to somebody else now."""
        self._here.pop(partition, None)
        super().forget_partition(partition)

    def exchanged(
        self, partition: int, messages: Iterable[Exchanged], assess: Callable[[str], bool], now: Micros
    ) -> list[Outgoing]:
        """Take what is said about listings. ``assess`` has a SKU assessed in this epoch; False: it is unknown."""
        here = self._at(partition)
        outgoing: list[Outgoing] = []
        for message in messages:
            if isinstance(message, Listed):
                outgoing += self._listed(here, message, now)
            elif isinstance(message, Subscription):
                outgoing += here.subscribed(message, assess(message.sku))
                self._take_back_replaced(here, (message.channel, message.sku), now)
            else:
                counts, rows = here.supplied(message)
                outgoing += rows
                if counts:
                    self._show(here, (message.channel, message.listing), now, message)
        supplies, self._supplies = self._supplies, []
        return outgoing + supplies

    def want(self, partition: int, wanted: Wanted, now: Micros) -> None:
        """Take the channel quantities of an assessed SKU, for itself or for the listings that sell it."""
        here = self._here.get(partition)
        if here is not None:
            sku, cause = wanted.sku, wanted.cause
            own = {}
            for channel, units in wanted.channels.items():
                self._supplies += here.supplies(channel, sku, units, cause)
                if here.is_default(channel, sku):
                    own[channel] = units
            wanted = Wanted(sku, own, cause)
        super().want(partition, wanted, now)

    def acknowledged(self, partition: int, answer: Acknowledgement, now: Micros) -> Sequence[Outgoing]:
        """Take a channel's answer. It may be all we hear of what an earlier owner told and could not write down.

        If that was 0, the listing may be supplied; if not, and it sells something else by now, it shows 0 first.
        So does a SKU that is listed there under another name by now.
        """
        known = self._rows_of(answer.channel).get(answer.listing)
        outgoing = super().acknowledged(partition, answer, now)
        if known is None or answer.publish_seq > known.publish_seq:
            name, here = (answer.channel, answer.listing), self._here.get(partition)
            if here is not None and here.listing(name) is not None:
                self._show(here, name, now)
            elif here is not None:
                self._take_back_replaced(here, name, now)
        return outgoing

    def tick(self, now: Micros) -> Iterator[list[Outgoing]]:
        """Updates that may go now, each with the row that remembers it, and supplies; in slices."""
        supplies, self._supplies = self._supplies, []
        for start in range(0, len(supplies), SLICE_UPDATES):
            yield supplies[start : start + SLICE_UPDATES]
        yield from super().tick(now)

    def next_wake(self) -> Micros | None:
        """When a tick may have something to tell."""
        return 0 if self._supplies else super().next_wake()

    def concluded(self) -> list[Outgoing]:
        """We are asked again, so what was told before is in the topics: rows that say so, or end what said it."""
        return super().concluded() + [row for here in self._here.values() for row in here.ends.concluded()]

    def _tell(self, channel: str, updates: Iterable[ChannelUpdate]) -> list[Outgoing]:
        told = list(updates)
        outgoing = super()._tell(channel, told)
        for update in told:
            if update.quantity == 0 and (here := self._here.get(self._partition_of[update.listing])) is not None:
                outgoing += here.told_zero((channel, update.listing))
        return outgoing

    def _at(self, partition: int) -> ListingPartition:
        here = self._here.get(partition)
        if here is None:
            here = self._here[partition] = ListingPartition(partition, self._ports)
        return here

    def _listed(self, here: ListingPartition, statement: Listed, now: Micros) -> list[Outgoing]:
        message = here.message(statement)
        if message.partition != here.number:
            return [message]  # its key holds the channel as well, so it did not come to its home
        outgoing = here.listed(statement)
        if outgoing:
            name = statement.channel, statement.listing
            self._partition_of[statement.listing] = here.number
            self._show(here, name, now)
            if statement.listing in self._rows_of(statement.channel):
                self.watches[statement.channel].changed(statement.listing, now)
        return outgoing

    def _show(self, here: ListingPartition, name: ListingName, now: Micros, supply: Supply | None = None) -> None:
        """Have the channel told what the listing should show; 0 comes first after a change of its SKU.

        A listing that was never told anything has nothing to take back, and is supplied at once; before that it is
        not told. So is a SKU that was listed under its own name and goes on being so; until then it shows what it
        was told.
        """
        channel, listing = name
        planner = self.planners.get(channel)
        known = None if planner is None else planner.listings.get(listing)
        is_its_own = known is not None and here.is_its_own(name) and known.sku == listing
        if known is None or is_its_own or known.last_quantity in (None, 0):
            self._supplies += here.told_zero(name)
        quantity, sku = here.shown(name)
        if planner is None:
            return
        if known is None and not sku:
            return
        if quantity is None and is_its_own:
            return
        if quantity is None:
            quantity = 0  # what waits to be told is of a SKU that the listing sells no longer
        if supply is None:
            changed = planner.want(listing, quantity, now, sku=sku)
        else:
            cause, occurred_at = supply.caused_by, supply.occurred_at
            changed = planner.want(
                listing, quantity, now, sku=sku, force=supply.repair, caused_by=cause, occurred_at=occurred_at
            )
        if changed:
            self._wants(name, now)

    def _rows_of(self, channel: str) -> Mapping[str, Listing]:
        planner = self.planners.get(channel)
        return _NO_ROWS if planner is None else planner.listings

    def _take_back_replaced(self, here: ListingPartition, name: ListingName, now: Micros) -> None:
        if not here.is_default(*name) and here.listing(name) is None:
            self._take_back(name, now)

    def _take_back(self, name: ListingName, now: Micros) -> None:
        """The SKU is listed there under another name: its own shows 0, if it ever showed anything."""
        planner = self.planners.get(name[0])
        if planner is not None and name[1] in planner.listings and planner.want(name[1], 0, now):
            self._wants(name, now)

    def _offer(self, channel: str, listing: str) -> Offer:
        """What one of the listing is, as its home knows it."""
        one, here = super()._offer(channel, listing), self._here.get(self._partition_of.get(listing, -1))
        mapped = None if here is None else here.listing((channel, listing))
        if here is None or mapped is None:
            return one
        return Offer(one.pack_size * mapped.pack_size, here.prices.of((channel, listing)))
