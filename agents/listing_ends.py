"""Subscriptions that ended in one partition, until it is sure that the partitions of their SKUs were told."""

from __future__ import annotations

from agents.ports import Outgoing
from domain.listing_map import Subscription
from schemas.topics import PUBLICATIONS_CHANGELOG
from tables.listing_rows import ended_key, listing_row, subscription_of


class ListingEnds:
    """Ends of subscriptions by listings whose home is the partition ``number``.

    That a listing sells something else, and the message to the partition of its former SKU, are written to
    different partitions. When an epoch breaks off in between, only a row of the end tells the successor to say it
    again: without it the SKU would not be listed under its own name before its quantity changes. The row comes
    before that of the listing, and is removed when the epoch is surely written.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._recovered: dict[bytes, Subscription] = {}
        """Of an earlier owner; the partition is not ours before it is resumed, though others of ours go on."""
        self._said: dict[bytes, Subscription] = {}
        """In the epoch that is being collected."""
        self._written: list[bytes] = []
        """Keys of those in the epoch before."""

    def recover(self, key: bytes, value: bytes | None) -> None:
        """Take a changelog row, or its removal."""
        if value is None:
            self._recovered.pop(key, None)
        else:
            self._recovered[key] = subscription_of(value)

    def resume(self) -> list[Subscription]:
        """The partition is ours: ends to say again, because an earlier owner may not have told anybody."""
        again, self._recovered = self._recovered, {}
        self._said |= again
        return list(again.values())

    def said(self, end: Subscription) -> Outgoing:
        """A subscription ends: the row to write before that of its listing."""
        key = ended_key(end)
        self._said[key] = end
        return Outgoing(PUBLICATIONS_CHANGELOG.name, self._number, key, listing_row(end))

    def concluded(self) -> list[Outgoing]:
        """An epoch is being collected, so the one before is written: rows that are needed no longer."""
        gone, self._written = self._written, list(self._said)
        self._said.clear()
        return [Outgoing(PUBLICATIONS_CHANGELOG.name, self._number, key, None) for key in gone]
