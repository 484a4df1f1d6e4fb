"""What one partition keeps about listings that are no SKUs: as the home of listings, and as the home of SKUs.

Plain and synchronous, without a planner; every method returns the records to produce. Decision 0017 has the story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from sys import intern

from agents.causes import Cause
from agents.listing_ends import ListingEnds
from agents.listing_prices import ListingPrices
from agents.ports import Outgoing, Ports
from domain.exposure import ExposureBook
from domain.listing_map import (
    Listed,
    ListingName,
    Mapped,
    Subscription,
    Supply,
    join,
    mapped,
    shown,
    subscribed,
    supplied,
    zeroed,
)
from domain.listings import Listing
from schemas.listing_exchange import Exchanged, exchange_value
from schemas.topics import LISTING_EXCHANGE, PUBLICATIONS_CHANGELOG
from tables.listing_rows import (
    ENDED_PREFIX,
    MAPPED_PREFIX,
    PRICE_PREFIX,
    SUBSCRIBED_PREFIX,
    listing_name,
    listing_row,
    mapped_key,
    mapped_of,
    subscription_key,
    subscription_of,
)

_NO_LISTINGS: Mapping[str, Mapped] = {}


class ListingPartition:
    """Listings whose home is the partition ``number``, and subscriptions to its SKUs."""

    def __init__(self, number: int, ports: Ports) -> None:
        self.number = number
        self.prices = ListingPrices(number)
        self.ends = ListingEnds(number)
        self._ports = ports
        self._listings: dict[str, dict[str, Mapped]] = {}
        """By channel and listing."""
        self._subscriptions: dict[str, dict[str, tuple[Subscription, ...]]] = {}
        """By channel and SKU; one a listing, also those that ended."""
        self._supplied: dict[tuple[str, str, str], int] = {}
        """Units last sent by this process, by channel, SKU and listing."""

    # -- rows --------------------------------------------------------------------------------------------------

    def recover(self, key: bytes, value: bytes | None) -> None:
        """Take a changelog row."""
        if key.startswith(ENDED_PREFIX):
            self.ends.recover(key, value)
        elif value is None:
            return  # no other row is removed
        elif key.startswith(MAPPED_PREFIX):
            name, row = listing_name(key), mapped_of(value)
            known = self.listing(name)
            self._put(name, row if known is None else join(known, row))
        elif key.startswith(SUBSCRIBED_PREFIX):
            self._keep(subscription_of(value))
        elif key.startswith(PRICE_PREFIX):
            self.prices.recover(key, value)

    def recovered(self) -> None:
        """Every row was taken."""
        self.prices.settle(self._listings)

    # -- the home of listings ----------------------------------------------------------------------------------

    def names(self) -> Iterator[ListingName]:
        """Every listing whose home this is."""
        for channel, listings in self._listings.items():
            yield from ((channel, listing) for listing in list(listings))

    def to_resume(self, told: Callable[[str], Mapping[str, Listing]]) -> Iterator[ListingName]:
        """Listings of which ``told``, the rows of a channel's planner, does not want what they should show.

        All others are as an earlier owner left them; this is asked of every listing of a partition at once.
        """
        for channel, listings in self._listings.items():
            rows = told(channel)
            for listing_id, each in list(listings.items()):
                row = rows.get(listing_id)
                if row is None or each.units is None or row.desired != shown(each):
                    yield channel, listing_id

    def exposed(self, channel: str, book: ExposureBook) -> Iterator[str]:
        """Listings of a channel that are exposed as far as the book knows."""
        return (
            listing for listing in self._listings.get(channel, _NO_LISTINGS) if book.exposed(listing) is not None
        )

    def is_its_own(self, name: ListingName) -> bool:
        """Whether a listing is called like the SKU that it sells, one by one."""
        listing = self.listing(name)
        return listing is not None and listing.sku == name[1] and listing.pack_size == 1

    def listing(self, name: ListingName) -> Mapped | None:
        """What a listing sells; None: nobody said, or not here."""
        return self._listings.get(name[0], _NO_LISTINGS).get(name[1])

    def listed(self, statement: Listed) -> list[Outgoing]:
        """Take what somebody says of a listing. Nothing, if it says nothing new.

        Another SKU's subscription is not asked for before ``told_zero``.
        """
        name = (statement.channel, statement.listing)
        before = self.listing(name)
        after = mapped(before, statement, self._ports.version())
        priced = self.prices.said(before, statement)
        if after is None:
            return priced
        if before is None or before.sku is None or before.sku == after.sku:
            return [self._remember(name, after), *priced]
        end = Subscription(*name, before.sku, before.number, wanted=False)
        return [self.ends.said(end), self._remember(name, after), *priced, self.message(end)]

    def told_zero(self, name: ListingName) -> list[Outgoing]:
        """The channel was told 0: what the listing sells may supply it now."""
        listing = self.listing(name)
        if listing is None or listing.is_zeroed:
            return []
        return [self._remember(name, zeroed(listing)), *self.resubscribe(name)]

    def resubscribe(self, name: ListingName) -> list[Outgoing]:
        """Ask the SKU's partition, if it was to be asked and has not answered; perhaps once more."""
        listing = self.listing(name)
        if listing is None or listing.sku is None or not listing.is_zeroed or listing.units is not None:
            return []
        return [self._subscribe(name, listing.sku, listing.number, wanted=True)]

    def supplied(self, supply: Supply) -> tuple[bool, list[Outgoing]]:
        """Take a SKU's quantity: whether it counts, and what to produce.

        One of a SKU that the listing sells no longer is answered with the end of its subscription, in case that
        got lost.
        """
        name = (supply.channel, supply.listing)
        before = self.listing(name)
        after = None if before is None else supplied(before, supply)
        if after is not None and before is not None:
            if after.units != before.units:
                return True, [self._remember(name, after)]
            self._put(name, after)
            return supply.repair, []
        if before is None or before.number > supply.subscription:
            return False, [self._subscribe(name, supply.sku, supply.subscription, wanted=False)]
        return False, []

    def shown(self, name: ListingName) -> tuple[int | None, str]:
        """What the channel should show, in packs of the listing; None: what it was told last. And of which SKU.

        The SKU is empty while the channel is still told 0 of the one before.
        """
        listing = self._listings[name[0]][name[1]]
        return shown(listing), "" if listing.units is None else listing.sku or ""

    # -- the home of SKUs --------------------------------------------------------------------------------------

    def is_default(self, channel: str, sku: str) -> bool:
        """Whether the SKU is listed under its own name: no listing sells it, and the name is nobody else's."""
        if sku in self._listings.get(channel, _NO_LISTINGS):
            return False
        return not any(each.wanted for each in self._subscribers(channel, sku))

    def subscribed(self, message: Subscription, is_known: bool) -> list[Outgoing]:
        """Take a subscription or its end. ``is_known``: there are facts of the SKU, it will be assessed anyway."""
        kept = self._keep(message)
        outgoing = [self._row(subscription_key(kept), listing_row(kept))]
        self._supplied.pop((message.channel, message.sku, message.listing), None)
        if kept.wanted and not is_known:
            outgoing.append(self._supply(kept, 0, Cause()))
        return outgoing

    def supplies(self, channel: str, sku: str, units: int, cause: Cause) -> Iterator[Outgoing]:
        """The channel quantity of an assessed SKU for each listing that sells it, unless it was sent already."""
        for each in self._subscribers(channel, sku):
            if each.wanted and (cause.repair or self._supplied.get((channel, sku, each.listing)) != units):
                yield self._supply(each, units, cause)

    def replaced_names(self, told: Callable[[str], Mapping[str, Listing]]) -> Iterator[ListingName]:
        """Channels and SKUs that are listed there under other names, and were told under their own."""
        for channel, skus in self._subscriptions.items():
            rows, listings = told(channel), self._listings.get(channel, _NO_LISTINGS)
            for sku, subscribers in skus.items():
                if sku in rows and sku not in listings and any(each.wanted for each in subscribers):
                    yield channel, sku

    # -- inside ------------------------------------------------------------------------------------------------

    def _keep(self, message: Subscription) -> Subscription:
        known = self._subscribers(message.channel, message.sku)
        before = next((each for each in known if each.listing == message.listing), None)
        kept = subscribed(before, message)
        others = tuple(each for each in known if each is not before)
        self._subscriptions.setdefault(intern(message.channel), {})[message.sku] = (*others, kept)
        return kept

    def _subscribers(self, channel: str, sku: str) -> tuple[Subscription, ...]:
        skus = self._subscriptions.get(channel)
        return () if skus is None else skus.get(sku, ())

    def _put(self, name: ListingName, listing: Mapped) -> None:
        channel, listing_id = name
        self._listings.setdefault(intern(channel), {})[listing_id] = listing

    def _supply(self, to: Subscription, units: int, cause: Cause) -> Outgoing:
        self._supplied[to.channel, to.sku, to.listing] = units
        version, caused_by, oldest = self._ports.version(), tuple(cause.event_ids), cause.oldest
        supply = Supply(to.channel, to.listing, to.sku, to.number, units, version, caused_by, oldest, cause.repair)
        return self.message(supply)

    def _subscribe(self, name: ListingName, sku: str, number: int, *, wanted: bool) -> Outgoing:
        return self.message(Subscription(*name, sku, number, wanted))

    def message(self, message: Exchanged) -> Outgoing:
        """A message to the partition of the SKU, if it is a subscription, or else of the listing."""
        home = message.sku if isinstance(message, Subscription) else message.listing
        key = home.encode()
        return Outgoing(LISTING_EXCHANGE.name, self._ports.partition_of(key), key, exchange_value(message))

    def _remember(self, name: ListingName, listing: Mapped) -> Outgoing:
        self._put(name, listing)
        return self._row(mapped_key(name), listing_row(listing))

    def _row(self, key: bytes, value: bytes) -> Outgoing:
        return Outgoing(PUBLICATIONS_CHANGELOG.name, self.number, key, value)
