"""Records of the output topics, from the numbers of the core.

They are tuples of their fields in the order of the topic's schema, as are the numbers in them: what the core says
is written as it is, without being copied into dicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.causes import Cause
from domain.facts import Micros
from domain.findings import KINDS
from domain.numbers import (
    AMBIGUOUS,
    BOOTSTRAP,
    EXACT,
    TIMED,
    Assessment,
    Finding,
    LocationNumbers,
    PoolNumbers,
    Variance,
)
from domain.quick import new
from domain.steps import Steps
from domain.updates import ChannelUpdate

_GRADES = (EXACT, TIMED, AMBIGUOUS, BOOTSTRAP)


class AtsChanged(NamedTuple):
    """The record of ``ats-changed``: numbers, the steps behind them, and what caused the change."""

    sku: str
    version: int
    computed_at: Micros
    confidence: str
    locations: Mapping[str, LocationNumbers]
    pools: Mapping[str, PoolNumbers]
    channels: Mapping[str, int]
    findings: Sequence[str]
    explain: Sequence[Steps]
    causes: Sequence[str]
    cause_count: int
    oldest_cause_at: Micros | None
    newest_cause_at: Micros | None
    traceparent: str | None
    tracestate: str | None


class StockVariance(NamedTuple):
    """The record of ``stock-variances``. A variance is an event with an attribution, never a table edit."""

    sku: str
    location: str
    source: str
    as_of: Micros
    sequence: int
    quantity: int
    predicted: int
    units: int
    attribution: tuple[str, ...]
    computed_at: Micros


class InventoryFinding(NamedTuple):
    """The record of ``inventory-findings``."""

    code: str
    owner: str
    sku: str
    location: str
    refs: tuple[str, ...]
    opened_at: Micros
    event_id: str | None
    note: str | None


def ats_changed(
    assessment: Assessment, steps: Sequence[Steps], version: int, now: Micros, cause: Cause
) -> AtsChanged:
    """Numbers, the steps behind them, and what caused the change."""
    return new(
        AtsChanged,
        (
            assessment.sku,
            version,
            now,
            weakest_grade(assessment),
            assessment.locations,
            assessment.pools,
            assessment.channels,
            assessment.codes,
            steps,
            cause.event_ids,
            cause.count,
            cause.oldest,
            cause.newest,
            None,
            None,
        ),
    )


def weakest_grade(assessment: Assessment) -> str:
    """The weakest evidence among the locations; BOOTSTRAP when nothing is known."""
    weakest = None
    for numbers in assessment.locations.values():
        grade = numbers.confidence
        if weakest is None or (grade != weakest and _GRADES.index(grade) > _GRADES.index(weakest)):
            weakest = grade
    return BOOTSTRAP if weakest is None else weakest


def channel_update(update: ChannelUpdate) -> ChannelUpdate:
    """The record of ``channel-updates.<channel>``: the update itself."""
    return update


def stock_variance(sku: str, variance: Variance, attribution: tuple[str, ...], now: Micros) -> StockVariance:
    """A variance of a SKU with the documents that would explain it."""
    return StockVariance(
        sku,
        variance.location,
        variance.source,
        variance.as_of,
        variance.sequence,
        variance.quantity,
        variance.predicted,
        variance.units,
        attribution,
        now,
    )


def inventory_finding(
    sku: str, finding: Finding, now: Micros, event_id: str | None, note: str | None = None
) -> InventoryFinding:
    """A finding with who looks after it and what it means; with a ``note`` on what was seen, that."""
    kind = KINDS[finding.code]
    meaning = kind.meaning if note is None else f"{kind.meaning}: {note}"
    return InventoryFinding(finding.code, kind.owner, sku, finding.location, finding.refs, now, event_id, meaning)
