"""The demo's own proof: the engine against the book of the story, and against what the shops saw.

``atstream verify`` recomputes everything from the topics with the same core that the workers use. This adds what
that cannot know: what is true in the world that the events speak of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from streams.demo.shopfronts import ShopState
from streams.demo.story import Truth

OBJECTIONS = frozenset({"above_limit", "accepted_older", "unsigned", "unauthenticated", "malformed"})
"""What a shop counts that should not happen."""

Planned: TypeAlias = tuple[int, int]
"""An update of a listing: publish_seq and quantity."""


class Compared(NamedTuple):
    """How many values were compared, and each that differs in words."""

    what: str
    values: int
    differences: tuple[str, ...]


def stock_against_truth(locations: Mapping[str, Mapping[str, Mapping[str, Any]]], truth: Truth) -> Compared:
    """On hand, reserved and quarantine of every SKU at every location; ``locations`` as in ``ats-changed``."""
    differences = []
    for (sku, location), on_hand in truth.on_hand.items():
        place = (sku, location)
        true = {
            "on_hand": on_hand,
            "reserved": truth.reserved.get(place, 0),
            "quarantine": truth.quarantine.get(place, 0),
        }
        numbers = locations.get(sku, {}).get(location)
        if numbers is None:
            differences.append(f"{sku} at {location}: the engine says nothing, true are {true}")
            continue
        differences += [
            f"{sku} at {location}: {name} is {numbers[name]}, true is {value}"
            for name, value in true.items()
            if numbers[name] != value
        ]
    known = {(sku, location) for sku, places in locations.items() for location in places}
    differences += [
        f"{sku} at {location}: nothing of it exists, the engine has numbers"
        for sku, location in sorted(known - truth.on_hand.keys())
    ]
    return Compared("stock and reservations against the true book", len(truth.on_hand), tuple(differences))


def dead_letters_against_truth(found: int, truth: Truth) -> Compared:
    """Every broken record is a dead letter, and nothing else is. Redelivery may write a dead letter again."""
    differences = []
    if found < truth.broken:
        differences.append(f"{found} dead letters, but {truth.broken} broken records were fed")
    return Compared("dead letters against broken records", truth.broken, tuple(differences))


def shown_against_accepted(shops: Mapping[str, ShopState], accepted: Mapping[str, Mapping[str, int]]) -> Compared:
    """What each channel's shop shows of each listing, and what its sink acknowledged as accepted."""
    differences = [
        f"{listing} on {channel}: the shop shows {shop.shown.get(listing)}, "
        f"acknowledged was {accepted[channel].get(listing)}"
        for channel, shop in shops.items()
        for listing in sorted(shop.shown.keys() | accepted[channel].keys())
        if shop.shown.get(listing) != accepted[channel].get(listing)
    ]
    compared = sum(len(shop.shown) for shop in shops.values())
    return Compared("what the shops show against what was acknowledged", compared, tuple(differences))


def taken_in_order(
    shops: Mapping[str, ShopState], planned: Mapping[str, Mapping[str, Sequence[Planned]]]
) -> Compared:
    """No value came after a newer one: what a shop took of a listing follows the order in which it was planned.

    ``planned`` are the updates of each channel by listing. Shops that are told versions judge that themselves.
    """
    differences = []
    for channel, shop in shops.items():
        for listing, taken in shop.taken.items():
            wrong = first_out_of_order(taken, planned[channel].get(listing, ()))
            if wrong is not None:
                differences.append(
                    f"{listing} on {channel}: the shop took {taken[wrong]} (value {wrong + 1} of {len(taken)}), "
                    "which was not planned or is older than the value before"
                )
    compared = sum(len(taken) for shop in shops.values() for taken in shop.taken.values())
    return Compared("values taken by the shops, in the order of their planning", compared, tuple(differences))


def first_out_of_order(taken: Sequence[int], planned: Sequence[Planned]) -> int | None:
    """The first quantity in ``taken`` for which no update is left, going forward by ``publish_seq``.

    An update may be taken more than once, and any may be left out. A quantity is not its version: an old value
    that equals a later one is not noticed.
    """
    quantities = [quantity for _, quantity in sorted(planned)]
    at = 0
    for number, quantity in enumerate(taken):
        try:
            at = quantities.index(quantity, at)
        except ValueError:
            return number
    return None


def limits_kept(shops: Mapping[str, ShopState]) -> Compared:
    """What the shops, which enforce their limits, had to object to."""
    differences = [
        f"{channel}: {name.replace('_', ' ')}: {count}"
        for channel, shop in shops.items()
        for name, count in shop.ledger.items()
        if name in OBJECTIONS and count
    ]
    differences += [
        f"{channel}: the shop does not say how often it was asked {what}"
        for channel, shop in shops.items()
        for what in ("above_limit", "malformed")
        if what not in shop.ledger
    ]
    asked = sum(shop.ledger["requests"] for shop in shops.values())
    return Compared("requests to the shops, within limits, genuine, well-formed", asked, tuple(differences))
