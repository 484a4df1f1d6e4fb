"""Order lines: what they want, what was shipped, what is still open (semantics section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from domain import findings
from domain.facts import CANCELLED, OPEN, Fact, LineVersion, Micros, Shipment


class Line(NamedTuple):
    """The facts of one order line: its versions, oldest first, and its distinct shipments, by id."""

    versions: tuple[LineVersion, ...]
    shipments: tuple[Shipment, ...]

    @property
    def current(self) -> LineVersion | None:
        """The highest version known, or None when only shipments are."""
        return self.versions[-1] if self.versions else None

    @property
    def shipped(self) -> int:
        """Units of its distinct shipments."""
        return sum(shipment.quantity for shipment in self.shipments)

    @property
    def closed_short(self) -> bool:
        """Whether a shipment was final."""
        return any(shipment.final for shipment in self.shipments)


_NO_SHIPMENTS: tuple[Shipment, ...] = ()


def line_of(facts: Iterable[Fact]) -> Line:
    """Sort the facts of one line into versions and shipments."""
    versions = []
    shipments = []
    for fact in facts:
        if type(fact) is LineVersion:
            versions.append(fact)
        elif type(fact) is Shipment:
            shipments.append(fact)
    if len(versions) > 1:
        versions.sort(key=_version)
    if not shipments:
        return Line(tuple(versions), _NO_SHIPMENTS)
    if len(shipments) > 1:
        shipments.sort()
    return Line(tuple(versions), tuple(shipments))


def _version(version: LineVersion) -> int:
    return version.version


def want(version: LineVersion) -> int:
    """Units the customer still wants of this line in total, shipped ones among them."""
    return 0 if version.state == CANCELLED else max(0, version.quantity - version.cancelled_quantity)


def open_quantity(version: LineVersion, shipped: int, short: bool) -> int:
    """Units still to be shipped; ``short``: a shipment was final."""
    if short or version.state != OPEN:
        return 0
    units = version.quantity - version.cancelled_quantity - shipped
    return units if units > 0 else 0  # max() costs a call, and this is asked for every event


def served(version: LineVersion, shipped: int, short: bool, units: int, final: bool) -> int:
    """What becomes of the open units when ``units`` more are shipped: not more than 0. Asked for every event."""
    if short or version.state != OPEN:
        return 0
    left = version.quantity - shipped - version.cancelled_quantity
    if left <= 0:
        return 0
    return -left if final or units > left else -units


def consumed(current: LineVersion, shipped: int) -> int:
    """Units the line took of its channel's quota: what was not cancelled; what was shipped, if all was."""
    return shipped if current.state == CANCELLED else want(current)


Demand: TypeAlias = tuple[LineVersion | None, Micros, int, bool, bool]
"""What the sums need to know of a line: its current version, when its first known version occurred, the units
shipped of it, whether it was closed short, and whether there are shipments. A plain tuple costs half as much as a
named one to make and take apart.
"""


def demand_of(facts: Iterable[Fact]) -> Demand:
    """The demand of a line in one pass over its facts. Asked for every event."""
    current = first = None
    shipped = 0
    short = shipments = False
    for fact in facts:
        if type(fact) is LineVersion:
            if current is None or first is None:
                current = first = fact
            elif fact.version > current.version:
                current = fact
            elif fact.version < first.version:
                first = fact
        elif type(fact) is Shipment:
            shipments = True
            shipped += fact.quantity
            short = short or fact.final
    return current, 0 if first is None else first.occurred_at, shipped, short, shipments


def may_be_odd(current: LineVersion | None, shipped: int) -> bool:
    """Whether ``oddity`` is worth asking of a line with shipments."""
    return current is None or current.state == CANCELLED or shipped > current.quantity - current.cancelled_quantity


def known_open(
    line: Line, at: Micros, order_lag: Micros, counted: Callable[[Shipment], bool]
) -> tuple[str | None, int]:
    """Location and open units of the line as the ERP knew them at ``at``, having ``counted`` some shipments."""
    known = [version for version in line.versions if version.occurred_at + order_lag <= at]
    if not known:
        return None, 0
    shipments = [shipment for shipment in line.shipments if counted(shipment)]
    shipped = sum(shipment.quantity for shipment in shipments)
    short = any(shipment.final for shipment in shipments)
    return known[-1].location, open_quantity(known[-1], shipped, short)


def oddity(line: Line) -> str | None:
    """The finding code of the line as it stands, or None when all is well."""
    if not line.shipments:
        return None
    if not line.versions:
        return findings.SHIP_BEFORE_RELEASE
    if line.versions[-1].state == CANCELLED:
        cancelled_at = min(version.occurred_at for version in line.versions if version.state == CANCELLED)
        late = any(shipment.occurred_at > cancelled_at for shipment in line.shipments)
        return findings.SHIP_AFTER_CANCEL if late else None
    return findings.OVER_SHIPMENT if line.shipped > want(line.versions[-1]) else None


def last_shipment(line: Line) -> Shipment:
    """The shipment that happened last: the one an oddity is reported with."""
    return max(line.shipments, key=_happened)


def _happened(shipment: Shipment) -> tuple[Micros, str]:
    return (shipment.occurred_at, shipment.shipment_id)


def closed_at(line: Line) -> Micros | None:
    """When nothing was left to do for the line, or None while it is open or not released."""
    if not line.versions:
        return None
    if open_quantity(line.versions[-1], line.shipped, line.closed_short) > 0:
        return None
    times = [version.occurred_at for version in line.versions]
    times.extend(shipment.occurred_at for shipment in line.shipments)
    return max(times)
