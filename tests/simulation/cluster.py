"""Workers that fold, write down, crash and come back, with lists for topics. A crash is a line in the program.

What the real system promises is kept: rows are written before offsets are committed; a successor merges all rows
of the changelog and reads on from the committed offsets; a paused worker may write its stale rows afterwards.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable

from domain.availability import assess, tally_of
from domain.facts import Fact, FactKey, Micros, fact_key
from domain.policy import Policy
from domain.pruning import forgettable
from domain.state import SkuState
from tests.simulation.story import Arrival

Row = tuple[str, FactKey, Fact | None]
"""SKU, key, and the fact; None is a tombstone."""


class Log:
    """One partition of one topic, the offset committed for it, and when each event may first be read."""

    def __init__(self, arrivals: Iterable[Arrival]) -> None:
        self.arrivals = list(arrivals)
        self.committed = 0


class Worker:
    """States of SKUs, rows not written yet, positions not committed yet."""

    def __init__(self, logs: list[Log], changelog: list[Row], policy: Policy) -> None:
        self.logs = logs
        self.changelog = changelog
        self.policy = policy
        self.positions = [log.committed for log in logs]
        self.rows: list[Row] = []
        self.states = recovered(changelog)

    def state(self, sku: str) -> SkuState:
        state = self.states.get(sku)
        if state is None:
            state = self.states[sku] = SkuState(sku)
        return state

    def read(self, chance: random.Random, until: Micros) -> bool:
        """Handle one event of some topic; False when all that has arrived is handled."""
        ready = [
            index
            for index, log in enumerate(self.logs)
            if self.positions[index] < len(log.arrivals) and log.arrivals[self.positions[index]].at <= until
        ]
        if not ready:
            return False
        index = chance.choice(ready)
        arrival = self.logs[index].arrivals[self.positions[index]]
        self.positions[index] += 1
        state = self.state(arrival.sku)
        folded = state.fold(arrival.fact)
        if folded.kept is not None:
            self.rows.append((arrival.sku, fact_key(folded.kept), folded.kept))
        self.rows += [(arrival.sku, key, None) for key in folded.dropped]
        if chance.random() < 0.2:
            # Sums are kept from here on, and dropped now and then as for a SKU gone cold.
            assess(state, self.policy, until)
        elif chance.random() < 0.05:
            state.observer = None
        return True

    def prune(self, now: Micros) -> int:
        """Forget what may be forgotten; the tombstones are written with the next epoch."""
        forgotten = 0
        for sku, state in self.states.items():
            gone = forgettable(state, tally_of(state, self.policy), now)
            state.forget(gone)
            self.rows += [(sku, fact_key(fact), None) for fact in gone]
            forgotten += len(gone)
        return forgotten

    def write(self, rows: int | None = None) -> None:
        """Write the first ``rows`` (None: all). Only when all are written are the offsets committed."""
        self.changelog += self.rows[:rows]
        if rows is not None:
            return
        self.rows = []
        for log, position in zip(self.logs, self.positions, strict=True):
            log.committed = position


def recovered(changelog: Iterable[Row]) -> dict[str, SkuState]:
    """States from a changelog: facts of one key are merged, a tombstone removes what stood before it."""
    rows: dict[str, dict[FactKey, list[Fact]]] = defaultdict(dict)
    for sku, key, fact in changelog:
        if fact is None:
            rows[sku].pop(key, None)
        else:
            rows[sku].setdefault(key, []).append(fact)
    states = {}
    for sku, facts in rows.items():
        states[sku] = SkuState(sku)
        for versions in facts.values():
            for fact in versions:
                states[sku].fold(fact)
    return states


class Cluster:
    """A run: workers replace each other while the story arrives, window by window."""

    def __init__(self, chance: random.Random, arrivals: list[Arrival], policy: Policy, prunes: bool) -> None:
        by_log: dict[tuple[str, int], list[Arrival]] = defaultdict(list)
        for arrival in arrivals:
            by_log[arrival.topic, hash_of(arrival.sku) % 2].append(arrival)
        self.chance = chance
        self.logs = [Log(by_log[name]) for name in sorted(by_log)]
        self.policy = policy
        self.prunes = prunes
        self.changelog: list[Row] = []
        self.events: list[str] = []
        """What went wrong, in order: the story of a failing seed."""
        self.forgotten = 0
        self.worker = self._start()
        self._zombies: list[tuple[Micros, list[Row]]] = []

    def run(self, until: Micros, window: Micros) -> None:
        """Let time pass; at the end everything that arrived is handled and written."""
        for now in range(0, until + window, window):
            self._wake_zombies(now)
            while self.worker.read(self.chance, now):
                self._mishap(now)
            if self.prunes and self.chance.random() < 0.3:
                self.forgotten += self.worker.prune(now)
            if self.chance.random() < 0.7:
                self.worker.write()
        self._wake_zombies(None)
        self.worker = self._start()
        while self.worker.read(self.chance, until + window):
            pass
        self.worker.write()

    def _mishap(self, now: Micros) -> None:
        fate = self.chance.random()
        if fate < 0.01:
            self._die(now, "crash")
        elif fate < 0.02:
            # It could write only some of its rows before it was paused; the rest comes when it wakes up.
            self._zombies.append((now + self.chance.randint(1, 4) * 5_000_000, list(self.worker.rows)))
            self._die(now, "pause")
        elif fate < 0.12:
            self.worker.write()

    def _die(self, now: Micros, how: str) -> None:
        written = self.chance.randint(0, len(self.worker.rows))
        self.worker.write(written)
        self.events.append(f"{how} at {now / 1e6:.0f} s, {written} of {len(self.worker.rows)} rows written")
        self.worker = self._start()

    def _wake_zombies(self, now: Micros | None) -> None:
        for at, rows in list(self._zombies):
            if now is None or at <= now:
                self.events.append(f"a paused worker writes {len(rows)} stale rows")
                # Its tombstones too: the facts they name were forgettable, whoever forgets them.
                self.changelog += rows
                self._zombies.remove((at, rows))
                if self.chance.random() < 0.5:
                    self.worker.write()
                    self.worker = self._start()

    def _start(self) -> Worker:
        return Worker(self.logs, self.changelog, self.policy)


def hash_of(sku: str) -> int:
    """The same in every run, unlike hash()."""
    return sum(sku.encode())
