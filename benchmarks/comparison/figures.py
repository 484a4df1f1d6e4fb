"""From single measurements to figures: median, least and most over runs, and ratios between sides run by run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

Row = Mapping[str, Any]


class Spread(NamedTuple):
    """A figure over runs."""

    middle: float
    least: float
    most: float
    runs: int


def spread(values: Iterable[float]) -> Spread | None:
    """None when there are no values."""
    known = sorted(values)
    return Spread(median(known), known[0], known[-1], len(known)) if known else None


def value(row: Row, path: str) -> float | None:
    """A measurement by its dotted name, None when it was not made."""
    found: Any = row.get("result")
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


def over_runs(rows: Sequence[Row], case: str, path: str) -> Spread | None:
    """A measurement of a case over its runs."""
    found = (value(row, path) for row in rows if row["case"] == case)
    return spread(one for one in found if one is not None)


def ratio(rows: Sequence[Row], case: str, other: str, path: str, inverse: bool = False) -> Spread | None:
    """A case against another, each run with its own counterpart. ``inverse``: less is better."""
    told = {(row["case"], row["run"]): value(row, path) for row in rows}
    pairs = ((told[case, run], told.get((other, run))) for name, run in told if name == case)
    divide: Callable[[float, float], float] = (lambda a, b: b / a) if inverse else (lambda a, b: a / b)
    return spread(divide(one, two) for one, two in pairs if one and two)


def failures(rows: Sequence[Row], case: str) -> list[str]:
    """Why runs of a case have no figures, or not all of them; each reason once."""
    told = (row.get("failed") or row.get("result", {}).get("failed") for row in rows if row["case"] == case)
    return list(dict.fromkeys(str(reason) for reason in told if reason))


def wrong(rows: Sequence[Row], case: str) -> str:
    """Whether the state was right in every run: ``yes``, or where it was not."""
    results = [row["result"] for row in rows if row["case"] == case and "result" in row]
    if not results:
        return "-"
    before = sum(bool(result.get("wrong_keys")) for result in results)
    after = sum(bool(result.get("recovery", {}).get("wrong_keys")) for result in results)
    if before:
        return f"no, in {before} of {len(results)} runs"
    return f"not after the crash, in {after} of {len(results)}" if after else "yes"
