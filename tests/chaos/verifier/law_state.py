"""Law: the changelog merges to what the input folds to, fact by fact, and what was forgotten weighs nothing."""

from __future__ import annotations

from collections.abc import Iterator

from domain.availability import assess
from domain.facts import Fact
from domain.numbers import BOOTSTRAP, Assessment, LocationNumbers
from domain.state import SkuState
from tables.rows import row_key
from tests.chaos.evidence import Violation
from tests.chaos.verifier.logs import home_of
from tests.chaos.verifier.recomputation import Recomputation

LAW = "state"
_SHOWN = 3
_NOTHING = LocationNumbers(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, BOOTSTRAP)


def violations(recomputed: Recomputation) -> Iterator[Violation]:
    """Every SKU whose remembered facts are not those of the input."""
    changelog = recomputed.changelog
    for sku in sorted({*changelog.rows, *recomputed.possible}):
        for partition in {row.partition for rows in changelog.rows[sku].values() for row in rows}:
            if partition != home_of(sku.encode(), recomputed.logs.partitions):
                yield Violation(LAW, sku, f"rows in partition {partition}, which is not that of its key")
        yield from _differences(sku, recomputed)


def figures(recomputed: Recomputation) -> dict[str, int]:
    """How much was compared."""
    forgotten = sum(len(recomputed.changelog.forgotten(sku)) for sku in recomputed.possible)
    facts = sum(1 for state in recomputed.possible.values() for _ in state.facts())
    return {"SKUs": len(recomputed.possible), "facts": facts, "facts forgotten": forgotten}


def _differences(sku: str, recomputed: Recomputation) -> Iterator[Violation]:
    kept = recomputed.changelog.state(sku)
    due = recomputed.due.get(sku, SkuState(sku))
    possible = recomputed.possible.get(sku, SkuState(sku))
    # A fact that is due and superseded by one that may not have been applied yet may be there or not.
    missing = set(due.facts()) & set(possible.facts()) - set(kept.facts())
    strangers = set(kept.facts()) - set(due.facts()) - set(possible.facts())
    if not missing and not strangers:
        return
    forgotten = recomputed.changelog.forgotten(sku)
    unexplained = {fact for fact in missing | strangers if row_key(sku, fact) not in forgotten}
    if unexplained & missing:
        yield Violation(LAW, sku, f"facts of the input are not in the changelog: {_some(unexplained & missing)}")
    elif unexplained:
        yield Violation(LAW, sku, f"the changelog has facts of no input: {_some(unexplained)}")
    else:
        ours, theirs = (sellable(assess(state, recomputed.policy, recomputed.now)) for state in (possible, kept))
        if ours != theirs:
            yield Violation(LAW, sku, f"what was forgotten weighs something: {theirs} instead of {ours}")


def _some(facts: set[Fact]) -> str:
    shown = sorted(map(str, facts))[:_SHOWN]
    return f"{len(facts)}, such as {'; '.join(shown)}"


def sellable(assessment: Assessment) -> tuple[object, ...]:
    """The numbers that weigh. Quarantine does not: a receipt and its disposition are not forgotten at once. A
    location of which nothing is known any more is one with nothing in it.
    """
    locations = {
        name: numbers._replace(quarantine=0)
        for name, numbers in assessment.locations.items()
        if numbers._replace(quarantine=0, safety_stock=0) != _NOTHING
    }
    return locations, assessment.pools, assessment.channels
