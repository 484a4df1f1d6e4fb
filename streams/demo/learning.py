"""Whether the workers know what the shops call what they sell: before that, nothing should be told to anybody."""

from __future__ import annotations

from confluent_kafka import KafkaException

from schemas.topics import LISTING_EXCHANGE, LISTINGS
from streams.operations.groups import GroupReader
from streams.operations.snapshot import client_of
from streams.operations.waiting import PositionsUnread, WaitingReader
from streams.settings import Settings

_TOPICS = (LISTINGS.name, LISTING_EXCHANGE.name)
_TIMEOUT_S = 5.0
_LOOKS = 2
"""A listing makes its home write to the partition of its SKU: a look may come between the one and the other."""


class ListingsKnown:
    """Looks at what the group has committed. Call it again and again; close it."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.worker.group
        self._group = GroupReader(client_of(settings), _TIMEOUT_S)
        self._waiting = WaitingReader(client_of(settings))
        self._nothing_waits = 0

    def __call__(self) -> bool:
        """Whether nothing waited in two looks one after the other."""
        try:
            committed = self._group.read(self._name, _TOPICS).committed
            positions = {place: offset for place, offset in committed.items() if place[0] in _TOPICS}
            waits = any(one.records for one in self._waiting.look(positions, _TIMEOUT_S).values())
        except (PositionsUnread, KafkaException):
            waits = True  # the coordinator moves while workers come; a dead broker shows as no progress
        self._nothing_waits = 0 if waits else self._nothing_waits + 1
        return self._nothing_waits >= _LOOKS

    def close(self) -> None:
        """Disconnect."""
        self._waiting.close()
