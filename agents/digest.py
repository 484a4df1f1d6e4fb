"""A short form of a SKU's numbers, by which a change is noticed without keeping them."""

from __future__ import annotations

from domain.numbers import Assessment


def digest_of(assessment: Assessment) -> int:
    """Equal for equal numbers, and for different ones only by a chance of 2**-60.

    As integers -1 and -2 have the same hash, so that a stock falling from the one to the other would be lost. Of
    the numbers only on hand may be negative, and net, which follows from it: so on hand is counted downwards, too.
    """
    _, locations, pools, channels, *_ = assessment
    numbers = locations.values()
    below = [~each.on_hand for each in numbers]
    return hash((*locations, *numbers, *below, *pools, *pools.values(), *channels, *channels.values()))
