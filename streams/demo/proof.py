"""The demo's own proof: the engine against the book of the story, and against the channel's ledger.

``atstream verify`` recomputes everything from the topics with the same core that the workers use. This adds what
that cannot know: what is true in the world that the events speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from streams.demo.story import Truth


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


def shown_against_accepted(shown: Mapping[str, int], accepted: Mapping[str, int]) -> Compared:
    """What a channel shows of each listing, and what its sink acknowledged as accepted."""
    differences = [
        f"{listing}: the channel shows {shown.get(listing)}, acknowledged was {accepted.get(listing)}"
        for listing in sorted(shown.keys() | accepted.keys())
        if shown.get(listing) != accepted.get(listing)
    ]
    return Compared("what the channel shows against what was acknowledged", len(shown), tuple(differences))


def limits_kept(ledger: Mapping[str, int]) -> Compared:
    """What the channel that enforces its limits had to object to."""
    judged = ("above_limit", "accepted_older", "unsigned", "malformed")
    differences = tuple(f"{name.replace('_', ' ')}: {ledger[name]}" for name in judged if ledger[name])
    return Compared("requests to the channel that enforces its limit", ledger["requests"], differences)
