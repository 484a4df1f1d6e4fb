"""What happens to events on their way: they arrive late, twice, out of order, at the wrong door, or broken."""

from __future__ import annotations

from enum import Enum
from itertools import pairwise
from random import Random
from typing import NamedTuple

from domain.facts import SECOND, Balance, Event, LineVersion, Micros, Shipment

MINUTE: Micros = 60 * SECOND
LATE, TWICE = 0.04, 0.02
"""Shares of events that come minutes late, and that come a second time."""
BROKEN_OF_A_KIND = 3
MISROUTED = 8
CORRECTED = 8
"""Records broken in each way, produced to a wrong partition, and sent again with a higher revision."""


class Spoil(Enum):
    """How a record goes wrong. All but MISROUTED can never succeed and must end as dead letters."""

    TRUNCATED = "cut off in the middle"
    WRONG_MAGIC = "does not begin with the wire format's magic byte"
    UNKNOWN_SCHEMA = "names a schema that nobody registered"
    NEGATIVE_QUANTITY = "orders less than nothing"
    KEY_MISMATCH = "key and value name different SKUs"
    MISROUTED = "in a partition its key does not hash to"


class Delivery(NamedTuple):
    """An event as it is handed over at ``at``, how it is spoiled, and whether it was delivered before."""

    at: Micros
    event: Event
    spoil: Spoil | None = None
    repeated: bool = False


def deliver(happened: list[Event], starts_at: Micros, chance: Random) -> list[Delivery]:
    """Everything in the order of delivery. Opening balances come on time; nothing else is sure to."""
    files = _balance_files(happened, starts_at, chance)
    deliveries = [Delivery(_arrival(event, starts_at, files, chance), event) for event in happened]
    deliveries += _repeated(deliveries, starts_at, chance)
    deliveries += _corrected(deliveries, chance)
    deliveries += _broken(deliveries, chance)
    deliveries.sort(key=lambda delivery: delivery.at)
    return _misroute(deliveries, chance)


def _arrival(event: Event, starts_at: Micros, files: dict[tuple[str, Micros], Micros], chance: Random) -> Micros:
    fact = event.fact
    if isinstance(fact, Balance):
        return fact.occurred_at if fact.as_of < starts_at else files[fact.location, fact.as_of]
    if chance.random() < LATE:
        return fact.occurred_at + chance.randint(MINUTE, 25 * MINUTE)
    return fact.occurred_at + chance.randint(SECOND // 5, 3 * SECOND)


def _balance_files(happened: list[Event], starts_at: Micros, chance: Random) -> dict[tuple[str, Micros], Micros]:
    """When each store's balance file comes: 10 to 40 minutes late, and one so late that a newer one is first."""
    cuts = sorted({(e.fact.location, e.fact.as_of) for e in happened if isinstance(e.fact, Balance)})
    cuts = [cut for cut in cuts if cut[1] >= starts_at]
    files = {cut: cut[1] + chance.randint(10 * MINUTE, 40 * MINUTE) for cut in cuts}
    for (store, as_of), (next_store, next_as_of) in pairwise(cuts):
        if store == next_store:
            files[store, as_of] = files[next_store, next_as_of] + MINUTE
            break
    return files


def _repeated(deliveries: list[Delivery], starts_at: Micros, chance: Random) -> list[Delivery]:
    return [
        Delivery(delivery.at + chance.randint(SECOND, 30 * MINUTE), delivery.event, repeated=True)
        for delivery in deliveries
        if delivery.at > starts_at and chance.random() < TWICE
    ]


def _corrected(deliveries: list[Delivery], chance: Random) -> list[Delivery]:
    """Shipments sent again under a higher revision: the same business key with another body."""
    shipments = [
        (one.at, one.event, one.event.fact)
        for one in deliveries
        if isinstance(one.event.fact, Shipment) and not one.repeated
    ]
    corrected = []
    for at, event, fact in chance.sample(shipments, min(CORRECTED, len(shipments))):
        again = event._replace(event_id=f"{event.event_id}-r1", fact=fact._replace(revision=1))
        corrected.append(Delivery(at + chance.randint(SECOND, 20 * MINUTE), again))
    return corrected


def _broken(deliveries: list[Delivery], chance: Random) -> list[Delivery]:
    """Records of orders that exist nowhere else: if one of them counted, the numbers would be wrong."""
    orders = [(one.at, one.event, one.event.fact) for one in deliveries if isinstance(one.event.fact, LineVersion)]
    broken = []
    for spoil in Spoil:
        if spoil is Spoil.MISROUTED or not orders:
            continue
        for number in range(BROKEN_OF_A_KIND):
            at, event, line = chance.choice(orders)
            name = f"broken-{spoil.name.lower().replace('_', '-')}-{number + 1}"
            quantity = -3 if spoil is Spoil.NEGATIVE_QUANTITY else 2
            fact = line._replace(order_id=name, quantity=quantity, version=1, reservation_id=None)
            event = event._replace(event_id=name, correlation_id=None, fact=fact)
            broken.append(Delivery(at, event, spoil))
    return broken


def _misroute(deliveries: list[Delivery], chance: Random) -> list[Delivery]:
    sound = [index for index, one in enumerate(deliveries) if one.spoil is None and not one.repeated]
    for index in chance.sample(sound, min(MISROUTED, len(sound))):
        deliveries[index] = deliveries[index]._replace(spoil=Spoil.MISROUTED)
    return deliveries
