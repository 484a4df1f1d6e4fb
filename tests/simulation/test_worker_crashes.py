"""A worker that crashes, again and again, with part of what it wrote lost or landing late; the world agrees after.

Everything but Kafka is real: codec, core, tables, agents, planner. The seed of a failing run is in its message.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.availability import assess
from domain.facts import SECOND
from domain.full_sync import FullSync, joined
from domain.state import SkuState
from schemas.policies import policy_of
from schemas.records import event_of
from schemas.times import iso
from schemas.topics import PUBLICATIONS_CHANGELOG
from streams.worker.partitioning import partition_of_key
from tables.full_syncs import FULL_SYNC_PREFIX, full_sync_channel, full_sync_of
from tests.integration.worker.traffic import traffic
from tests.worlds import PARTITIONS, T0, World, answer, record_of

POLICY: dict[str, Any] = {
    "locations": {"A": {"safety_stock": {"units": 2}}},
    "channels": {
        "web": {"mode": "SHARED", "publish": {"rate_per_s": 50, "burst": 50, "heartbeat_s": 2}},
        "amazon": {
            "mode": "PERCENT",
            "percent": 40,
            "publish": {"rate_per_s": 50, "burst": 50, "rise_debounce_s": 3, "heartbeat_s": 2},
        },
    },
}
UNREPEATED: dict[str, Any] = {
    **POLICY,
    "channels": {
        name: {**rules, "publish": {**rules["publish"], "resend_after_s": 0}}
        for name, rules in POLICY["channels"].items()
    },
}
"""Updates that were lost are told anew because they are known to be in doubt, or never."""
FULLY_SYNCED: dict[str, Any] = {
    **POLICY,
    "channels": {
        name: {**rules, "publish": {**rules["publish"], "full_sync_every_s": 5}}
        for name, rules in UNREPEATED["channels"].items()
    },
}
LONG_AFTER = 3_600 * SECOND


def asked_for(at: int) -> dict[str, Any]:
    """The policy with a full sync of every channel that is asked for."""
    channels = UNREPEATED["channels"].items()
    asked = {name: {**rules, "publish": {**rules["publish"], "full_sync_at": iso(at)}} for name, rules in channels}
    return {**POLICY, "channels": asked}


class Channel:
    """Accepts updates as a sink does: never an older one over a newer one. Its answers may be lost."""

    def __init__(self) -> None:
        self.shown: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, update: dict[str, Any]) -> dict[str, Any] | None:
        name = (update["channel"], update["listing"])
        if update["publish_seq"] < self.shown.get(name, (0, 0))[0]:
            return None
        self.shown[name] = (update["publish_seq"], update["quantity"])
        return answer(update)


class Run:
    """One seeded history: a source log, workers one after the other, one channel."""

    def __init__(self, seed: int, events: int, world: World, asks: float = 0) -> None:
        self.chance = random.Random(seed)
        self.lines = list(traffic(seed, events, skus=8))
        self.source = [record_of(line, offset) for offset, line in enumerate(self.lines)]
        self.world = world
        self.channel = Channel()
        self.answers: list[dict[str, Any]] = []
        self.late: list[Any] = []
        self.generation = 1
        self.now = T0
        self.crashes = 0
        self.markers = 0
        self.asks = asks
        self.asked_at: list[int] = []

    def play(self) -> None:
        position = 0
        while position < len(self.source):
            taken = self.chance.randrange(1, 40)
            for topic, record in self.source[position : position + taken]:
                self.world.consume(topic, record, self.now)
            self._answer()
            self.now += self.chance.randrange(2 * SECOND)
            if self.chance.random() < self.asks:
                self.asked_at.append(self.now + self.chance.randrange(5 * SECOND))
                self.world.state.adopt(policy_of(asked_for(self.asked_at[-1])))
            produced = self.world.epoch(self.now)
            if self.chance.random() < 0.15:
                self._crash(produced, position + taken)
                continue
            self._arrive(produced)
            position += taken
        self._wind_down()
        self._restart()
        self._settle()

    def _wind_down(self) -> None:
        """Every record is committed; what still waits for a debounce or a heartbeat is told between crashes."""
        for _ in range(8):
            self.now += SECOND
            produced = self.world.epoch(self.now)
            if self.chance.random() < 0.5:
                self._crash(produced, len(self.source))
            else:
                self._arrive(produced)

    def _restart(self) -> None:
        """Stop after an epoch: no record comes again, the successor must know by itself what was left to tell."""
        self.generation += 1
        self.world.end()
        self.world = self.world.successor(self.generation)

    def _crash(self, produced: list[Any], end: int) -> None:
        """Of each partition a prefix was written; the rest is lost, or lands when its writer wakes up."""
        self.crashes += 1
        lost = list(self._suffixes(produced))
        written = set(map(id, produced)) - set(map(id, lost))
        self._arrive([record for record in produced if id(record) in written])
        self.generation += 1
        if self.chance.random() < 0.5:
            self.late += lost
        killed, self.world = self.world, self.world.successor(self.generation, lost, end_offset=end)
        killed.state.close()

    def _suffixes(self, produced: list[Any]) -> Iterator[Any]:
        logs: dict[tuple[str, int | None], list[Any]] = defaultdict(list)
        for record in produced:
            logs[record.topic, record.partition].append(record)
        for log in logs.values():
            yield from log[self.chance.randrange(len(log) + 1) :]

    def _arrive(self, produced: list[Any]) -> None:
        """What was written reaches the channel; now and then also what a paused worker writes too late."""
        if self.late and self.chance.random() < 0.5:
            self.world.log += self.late
            produced = [*produced, *self.late]
            self.late = []
        for channel in ("web", "amazon"):
            for update in self.world.told(produced, f"channel-updates.{channel}"):
                taken = self.channel.take(update)
                if taken is not None and self.chance.random() < 0.8:
                    self.answers.append(taken)

    def _answer(self) -> None:
        for each in self.answers:
            self.world.consume(*record_of(each), self.now)
        self.answers.clear()

    def lies(self) -> Iterator[str]:
        """What markers of full syncs claim, each at its place in the log, and what was not told until then."""
        told: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
        for record in self.world.log:
            if record.topic.startswith("channel-updates."):
                [update] = self.world.told([record], record.topic)
                listings = told[update["channel"], partition_of_key(record.key, PARTITIONS)]
                listings[update["listing"]] = max(update["planned_at"], listings.get(update["listing"], 0))
            elif record.topic == PUBLICATIONS_CHANGELOG.name and record.key.startswith(FULL_SYNC_PREFIX):
                row = full_sync_of(record.value)
                if row.complete_since is not None:
                    self.markers += 1
                    name = full_sync_channel(record.key), record.partition
                    for listing, at in told[name].items():
                        if at < row.complete_since:
                            yield f"{name}: {listing} was told at {at}, the marker says since {row.complete_since}"

    def newest_markers(self) -> dict[tuple[str, int], int | None]:
        """Since when everything was told, by channel and partition."""
        rows: dict[tuple[str, int], FullSync] = {}
        for record in self.world.log:
            if record.topic == PUBLICATIONS_CHANGELOG.name and record.key.startswith(FULL_SYNC_PREFIX):
                name, row = (full_sync_channel(record.key), record.partition), full_sync_of(record.value)
                rows[name] = joined(row, rows.get(name, row))
        return {name: row.complete_since for name, row in rows.items()}

    def _settle(self) -> None:
        """No more events: debounces, heartbeats, re-sends and answers run their course."""
        for _ in range(60):
            self.now += LONG_AFTER // 60
            self._answer()
            self._arrive(self.world.epoch(self.now))


@pytest.mark.parametrize("seed", range(25))
def test_crashes_change_no_number_and_no_listing(seed: int) -> None:
    assert_right(Run(seed, 400, World(POLICY)), seed)


@pytest.mark.parametrize("seed", range(25))
def test_they_change_none_when_nothing_is_repeated_for_want_of_an_answer(seed: int) -> None:
    assert_right(Run(seed, 400, World(UNREPEATED)), seed)


@pytest.mark.parametrize("seed", range(10))
def test_they_change_none_when_only_few_skus_are_kept_decoded(seed: int) -> None:
    run = Run(seed, 400, World(POLICY, decoded_skus=1))
    assert_right(run, seed)
    assert all(part.facts.decoded <= 1 for part in run.world.state.partitions.values())


@pytest.mark.parametrize("seed", range(10))
def test_they_change_none_when_facts_are_on_disk(seed: int, tmp_path: Path) -> None:
    run = Run(seed, 400, World(POLICY, disk=tmp_path / "store", decoded_skus=4))
    assert_right(run, seed)
    assert run.world.spared > 0, f"seed {seed}: every recovery read the whole changelog"


@pytest.mark.parametrize("seed", range(15))
def test_they_change_none_while_full_syncs_are_under_way_and_no_marker_lies(seed: int) -> None:
    run = Run(seed, 400, World(FULLY_SYNCED))
    assert_right(run, seed)
    assert list(run.lies()) == [], f"seed {seed}"
    assert run.markers > 100, f"seed {seed}: {run.markers} markers prove little"


@pytest.mark.parametrize("seed", range(15))
def test_they_lose_no_full_sync_that_was_asked_for(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(seed, 400, World(UNREPEATED), asks=0.2)
    clock = property(lambda _: run.now, lambda _, at: None)
    monkeypatch.setattr(World, "_clock", clock)  # or each successor would think that every row is of the future
    assert_right(run, seed)
    assert list(run.lies()) == [], f"seed {seed}"
    assert len(run.asked_at) > 1, f"seed {seed}: nobody asked"
    markers = run.newest_markers()
    assert len(markers) == 2 * PARTITIONS
    assert all(since is not None and since >= run.asked_at[-1] for since in markers.values()), f"seed {seed}"


def assert_right(run: Run, seed: int) -> None:
    run.play()
    policy = policy_of(POLICY)
    states: dict[str, SkuState] = {}
    for line in run.lines:
        event = event_of(line)
        states.setdefault(event.sku, SkuState(event.sku)).fold(event.fact)  # type: ignore[union-attr]
    recovered = run.world.successor(run.generation + 1)
    newest: dict[str, dict[str, Any]] = {}
    for told in run.world.told(run.world.log, "ats-changed"):
        if told["version"] > newest.get(told["sku"], {"version": 0})["version"]:
            newest[told["sku"]] = told
    for sku, state in states.items():
        expected = assess(state, policy, run.now)
        for world in (run.world, recovered):
            [facts] = [part.facts for part in world.state.partitions.values() if sku in part.facts]
            assert assess(facts.peek(sku), policy, run.now) == expected, f"seed {seed}, {sku}"
        assert newest[sku]["channels"] == expected.channels, f"seed {seed}, {sku}: ats-changed"
        shown = {channel: run.channel.shown[channel, sku][1] for channel in expected.channels}
        assert shown == expected.channels, f"seed {seed}, {sku}: the channels show something else"
    assert run.crashes > 0, f"seed {seed}: no crash happened, so nothing was tested"
