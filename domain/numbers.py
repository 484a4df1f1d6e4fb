"""What the core answers: the numbers of a location, a pool and a SKU, with the findings beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from domain.channels import ChannelSplit
from domain.facts import Micros

# The grades of evidence behind on hand: the balance lists what it contains; its time says so; clocks are too
# close to say; there is no balance yet.
EXACT = "EXACT"
TIMED = "TIMED"
AMBIGUOUS = "AMBIGUOUS"
BOOTSTRAP = "BOOTSTRAP"


class Finding(NamedTuple):
    """An oddity worth somebody's time. ``refs`` name the documents, ``location`` is empty for the whole SKU."""

    code: str
    location: str
    refs: tuple[str, ...]


class LocationNumbers(NamedTuple):
    """Terms of semantics section 4 for one SKU at one location; all units."""

    on_hand: int
    reserved: int
    soft_reserved: int
    net: int
    safety_stock: int
    withheld: int
    available_to_sell: int
    demand_shortage: int
    in_transit: int
    quarantine: int
    uncertain: int
    confidence: str = TIMED


class PoolNumbers(NamedTuple):
    """The sum over a pool's locations after un-sourced demand, shortage and network safety stock; all units."""

    available_to_sell: int
    unsourced: int
    demand_shortage: int
    network_safety_stock: int


class Variance(NamedTuple):
    """A balance against what the one before it predicted: ``quantity - predicted`` units at ``as_of``."""

    location: str
    as_of: Micros
    sequence: int
    source: str
    quantity: int
    predicted: int

    @property
    def units(self) -> int:
        """Signed variance in units; negative: the ERP has less than we thought."""
        return self.quantity - self.predicted


class Assessment(NamedTuple):
    """Everything that is true of a SKU at one instant under one policy.

    ``next_change_at`` is the next instant at which the numbers change without any event (an expiry), or None.
    ``codes`` are those of the findings, each once, sorted; ``splits`` how the channels' quantities came about.
    """

    sku: str
    locations: Mapping[str, LocationNumbers]
    pools: Mapping[str, PoolNumbers]
    channels: Mapping[str, int]
    findings: tuple[Finding, ...]
    variances: tuple[Variance, ...]
    next_change_at: Micros | None
    codes: tuple[str, ...]
    splits: Mapping[str, ChannelSplit]
