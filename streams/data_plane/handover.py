"""Which partitions are ours, which of them are recovered, and what a new generation means for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from faust.types import TP

from streams.data_plane.effects import State
from streams.data_plane.failures import Misconfigured


class Holdings:
    """Partitions held in the application's state. Event loop only.

    A partition is *held* once it is recovered, and *begun* once its records flow. It stays so across a rebalance
    only if we took part in every generation since: had we missed one, somebody else may have owned the partition
    meanwhile and changed it.
    """

    def __init__(self, state: State, sources: Collection[str], changelogs: Collection[str]) -> None:
        self._state = state
        self._topics = frozenset(sources) | frozenset(changelogs)
        self._generation: int | None = None
        self._begun: set[int] = set()
        self.held: set[int] = set()
        self.owned: frozenset[int] = frozenset()

    def turn(self, generation: int, assigned: Collection[TP]) -> None:
        """A generation begins: drop at once what is no longer ours or may be stale."""
        self.owned = self._co_partitioned(assigned)
        followed = self._generation is not None and generation == self._generation + 1
        stale = self.held - self.owned if followed else set(self.held)
        for partition in sorted(stale):
            self.held.discard(partition)
            self._state.drop(partition)
        self._begun &= self.held
        self._generation = generation

    def missing(self) -> frozenset[int]:
        """Partitions that are ours and must be recovered."""
        return self.owned - self.held

    def fresh(self) -> frozenset[int]:
        """Partitions of which we have handled no record since they became ours."""
        return self.owned - self._begun

    def recovered(self, partitions: Iterable[int]) -> None:
        """These partitions are in the state. As they are ours, nobody else writes to their changelogs."""
        self.held.update(partitions)

    def begin(self) -> None:
        """Records of all our partitions flow."""
        self._begun = set(self.owned)

    def abandoned(self, partitions: Iterable[int]) -> None:
        """Recovery was interrupted: forget what was read."""
        for partition in sorted(set(partitions) - self.held):
            self._state.drop(partition)

    def _co_partitioned(self, assigned: Collection[TP]) -> frozenset[int]:
        topics: dict[int, set[str]] = {}
        for tp in assigned:
            topics.setdefault(tp.partition, set()).add(tp.topic)
        for partition, found in topics.items():
            if found != self._topics:
                absent = sorted(self._topics - found)
                raise Misconfigured(
                    f"partition {partition} was assigned of {sorted(found)} but not of {absent}: all source and"
                    " changelog topics must have the same number of partitions, and all workers of the group the"
                    " same set of topics"
                )
        return frozenset(topics)
