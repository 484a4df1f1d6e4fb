"""Balances that are net of open orders: what the ERP had deducted, to be added back (semantics section 3).

For a line that did not change since the older kept balance, the ERP knew then what is open now. So the open units
at a balance are those reserved now, corrected by the lines that changed since: only these are looked at when a
line changes or a balance arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from domain.documents import Documents
from domain.facts import Balance, Micros
from domain.lines import Line, known_open, line_of, open_quantity
from domain.movements import Evidence, Move, contained, counted
from domain.places import BEGINNING, BucketStock
from domain.policy import Policy
from domain.state import SkuState
from domain.units import LINE, Unit


class NetOrders:
    """Open units the ERP knew at one location, as corrections of what is reserved there now.

    ``corrections[0]`` belongs to the way on hand is counted: a shipment counted after the newest balance was still
    an open order to it. The others are the likeliest truth at each kept balance, newest first.
    """

    __slots__ = (
        "_documents",
        "_lags",
        "_policy",
        "_recent",
        "_settled_before",
        "_stock",
        "corrections",
        "location",
    )

    def __init__(self, location: str, stock: BucketStock, documents: Documents) -> None:
        self.location = location
        self.corrections: list[int] = [0]
        self._stock = stock
        self._documents = documents
        self._policy: Policy = documents.policy
        self._lags: tuple[Micros, ...] = ()
        self._settled_before = BEGINNING
        self._recent: dict[Unit, tuple[int, ...]] = {}

    def restate(self, state: SkuState) -> None:
        """The balances are others: look again at the lines that changed since the older of them."""
        stock = self._stock
        self._lags = tuple(self._policy.source(balance.source).order_lag for balance in stock.balances)
        units: Iterable[Unit] = list(self._recent)
        if stock.horizon < self._settled_before or not self._settled_before > BEGINNING:
            units = [unit for unit in state.units if unit[0] == LINE]
        self._settled_before = stock.horizon
        self._recent = {}
        self.corrections = [0] * (1 + len(stock.balances))
        for unit in units:
            self.enter(unit, line_of(state.units[unit]))

    def enter(self, unit: Unit, line: Line) -> None:
        """Count a line as it is now."""
        if not any(version.location == self.location for version in line.versions) or self._is_settled(line):
            return
        current = line.versions[-1]
        now = 0
        if current.location == self.location:
            now = open_quantity(current, line.shipped, line.closed_short)
        part = tuple(units - now for units in self._open_at_balances(line))
        self._recent[unit] = part
        for index, units in enumerate(part):
            self.corrections[index] += units

    def leave(self, unit: Unit) -> None:
        """Stop counting a line."""
        for index, units in enumerate(self._recent.pop(unit, ())):
            self.corrections[index] -= units

    def counts(self, unit: Unit) -> bool:
        """Whether the line was not at every kept balance what it is now."""
        return any(self._recent.get(unit, ()))

    def _is_settled(self, line: Line) -> bool:
        before = self._settled_before
        lag = max(self._lags)
        return all(version.occurred_at + lag < before for version in line.versions) and all(
            self._documents.shipment(shipment).posted_at < before for shipment in line.shipments
        )

    def _open_at_balances(self, line: Line) -> list[int]:
        moves = {shipment.shipment_id: self._documents.shipment(shipment) for shipment in line.shipments}
        newest, *_ = evidence = self._stock.evidence
        balances = self._stock.balances
        known = [self._open_at(line, balances[0], self._lags[0], moves, lambda move: counted(move, newest))]
        for balance, lag, one in zip(balances, self._lags, evidence, strict=True):
            known.append(self._open_at(line, balance, lag, moves, _contained_in(one)))
        return known

    def _open_at(
        self, line: Line, balance: Balance, lag: Micros, moves: dict[str, Move], counted: Callable[[Move], bool]
    ) -> int:
        location, units = known_open(
            line, balance.as_of, lag, lambda shipment: counted(moves[shipment.shipment_id])
        )
        return units if location == self.location else 0


def _contained_in(evidence: Evidence) -> Callable[[Move], bool]:
    return lambda move: contained(move, evidence)
