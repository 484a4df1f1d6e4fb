"""Law: no offset is committed before its effects are in the logs.

An observation is a look at the committed offsets and then at the ends of the logs. What a record caused was
acknowledged before its offset was committed, so it lies below those ends; what lies beyond was written afterwards.

Effects are rows, dead letters and copies. ``ats-changed`` is judged at the end (``law_outputs``): an output names
eight causes at most, so the first one that names an event need not be the first that contains it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.chaos.evidence import CommitObservation, Violation
from tests.chaos.verifier.logs import Partition
from tests.chaos.verifier.outcomes import Effect, Outcome, Outcomes

LAW = "commit"


def violations(observations: Sequence[CommitObservation], outcomes: Outcomes) -> Iterator[Violation]:
    """Commits that ran ahead of their effects, or went back. One of each kind per partition."""
    for place, found in outcomes.by_partition.items():
        seen = [(each.committed[place], each) for each in observations if place in each.committed]
        yield from _went_back(place, seen)
        yield from _ran_ahead(place, seen, found)


def _went_back(place: Partition, seen: Sequence[tuple[int, CommitObservation]]) -> Iterator[Violation]:
    for (before, _), (after, observation) in pairwise(seen):
        if after < before:
            detail = f"after {observation.seconds:.1f} s the committed offset went from {before} back to {after}"
            yield Violation(LAW, f"{place[0]}[{place[1]}]", detail)
            return


def _ran_ahead(
    place: Partition,
    seen: Sequence[tuple[int, CommitObservation]],
    outcomes: Sequence[Outcome],
) -> Iterator[Violation]:
    """Walks through the offsets once: ``reach`` is the furthest effect so far in each log that has some."""
    reach: dict[Partition, tuple[int, Outcome]] = {}
    several: list[Outcome] = []
    position = 0
    for committed, observation in sorted(seen, key=lambda one: one[0]):
        for outcome in outcomes[position:committed]:
            if len(outcome.effects) > 1:
                several.append(outcome)
            if len(outcome.effects) == 1:
                effect = outcome.effects[0]
                if effect.offset >= reach.get(effect.partition, (-1, outcome))[0]:
                    reach[effect.partition] = (effect.offset, outcome)
        position = max(position, committed)
        ahead = [(outcome, Effect(where, offset)) for where, (offset, outcome) in reach.items()]
        ahead = [(outcome, effect) for outcome, effect in ahead if not _written(effect, observation)]
        ahead += [
            (outcome, outcome.effects[0])
            for outcome in several
            if not any(_written(effect, observation) for effect in outcome.effects)
        ]
        for outcome, ((topic, number), offset) in ahead:
            detail = (
                f"after {observation.seconds:.1f} s the group had committed {committed}; the effect of "
                f"{outcome.input.record.where} is {topic}[{number}]@{offset}, which then ended at "
                f"{observation.ends[topic, number]}"
            )
            yield Violation(LAW, outcome.input.record.where, detail)
            return


def _written(effect: Effect, observation: CommitObservation) -> bool:
    """Whether the log had the effect when its end was asked for; logs that nobody asked for tell nothing."""
    end = observation.ends.get(effect.partition)
    return end is None or effect.offset < end
