"""Canonical JSON lines through the pure core, and the answer per SKU in canonical JSON."""

from __future__ import annotations

from typing import Any

from domain.availability import assess
from domain.facts import Event, Micros
from domain.numbers import Assessment
from domain.policy import Policy
from domain.state import SkuState
from schemas.policies import PolicyDocument, merge_documents
from schemas.records import event_of


class Replay:
    """Folds lines as they come. Memory is bounded by the facts, not by the lines."""

    def __init__(self, policy: Policy | None) -> None:
        self._policy = policy
        self._states: dict[str, SkuState] = {}
        self._codes: dict[str, set[str]] = {}
        self._documents: dict[str, PolicyDocument] = {}

    def take(self, line: bytes) -> None:
        """Fold one line. Raises ``schemas.records.RecordError`` when it cannot be read."""
        record = event_of(line, assume_as_of=self._assumes_as_of)
        if isinstance(record, Event):
            state = self._states.get(record.sku)
            if state is None:
                state = self._states[record.sku] = SkuState(record.sku)
                self._codes[record.sku] = set()
            finding = state.fold(record.fact).finding
            if finding:
                self._codes[record.sku].add(finding)
        elif isinstance(record, PolicyDocument):
            known = self._documents.get(record.scope)
            if known is None or record.version >= known.version:
                self._documents[record.scope] = record

    def answers(self, now: Micros) -> list[tuple[Assessment, list[str]]]:
        """Every SKU's assessment at ``now`` with its finding codes, sorted by SKU."""
        policy = self._policy
        if policy is None:
            policy = merge_documents(self._documents.values(), now)
        answers = []
        for sku, state in sorted(self._states.items()):
            assessment = assess(state, policy, now)
            codes = self._codes[sku] | {finding.code for finding in assessment.findings}
            answers.append((assessment, sorted(codes)))
        return answers

    def _assumes_as_of(self, source: str) -> bool:
        return self._policy is not None and self._policy.source(source).assume_as_of


def answer_of(assessment: Assessment, codes: list[str]) -> dict[str, Any]:
    """The numbers of a SKU in canonical JSON."""
    locations = {}
    for name, numbers in assessment.locations.items():
        terms = numbers._asdict()
        del terms["confidence"]
        locations[name] = terms
    return {
        "sku": assessment.sku,
        "locations": locations,
        "pools": {name: pool._asdict() for name, pool in assessment.pools.items()},
        "channels": dict(assessment.channels),
        "findings": codes,
        "variance": {variance.location: variance.units for variance in assessment.variances},
    }
