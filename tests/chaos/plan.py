"""A round as its seed tells it: topology, traffic and a timetable of faults. Nothing here touches the world."""

from __future__ import annotations

import random
from collections.abc import Collection
from enum import Enum
from typing import NamedTuple


class Fault(Enum):
    """What can happen, with what it costs in a round (see ``_LASTS``)."""

    KILL = "kill"
    ZOMBIE = "zombie"
    BLINK = "blink"
    RESTART = "restart"
    SCALE_OUT = "scale-out"
    SCALE_IN = "scale-in"
    SINK_KILL = "sink-kill"
    BROKER_RESTART = "broker-restart"
    BROKER_KILL = "broker-kill"
    BROKER_STALL = "broker-stall"
    BROKER_LONG_STALL = "broker-long-stall"
    CUT = "cut"
    REFUSE = "refuse"
    DELAY = "delay"
    SILENCE = "silence"
    REDIS_LOSS = "redis-loss"
    REGISTRY_LOSS = "registry-loss"
    NEW_SCHEMA = "new-schema"
    NEW_SCHEMA_WITHOUT_REGISTRY = "new-schema-without-registry"
    CLOCK_STEP = "clock-step"
    POLICY_CHANGE = "policy-change"
    DISK_FULL = "disk-full"
    KILL_WRITING = "kill-writing"
    """Only in rounds with a backlog: a worker is killed while so many rows of an epoch are written."""


WEIGHTS = {
    Fault.KILL: 10,
    Fault.ZOMBIE: 6,
    Fault.BLINK: 3,
    Fault.RESTART: 5,
    Fault.SCALE_OUT: 4,
    Fault.SCALE_IN: 4,
    Fault.SINK_KILL: 3,
    Fault.BROKER_RESTART: 3,
    Fault.BROKER_KILL: 4,
    Fault.BROKER_STALL: 3,
    Fault.BROKER_LONG_STALL: 3,
    Fault.CUT: 4,
    Fault.REFUSE: 2,
    Fault.DELAY: 3,
    Fault.SILENCE: 3,
    Fault.REDIS_LOSS: 2,
    Fault.REGISTRY_LOSS: 2,
    Fault.NEW_SCHEMA: 2,
    Fault.NEW_SCHEMA_WITHOUT_REGISTRY: 3,
    Fault.CLOCK_STEP: 3,
    Fault.POLICY_CHANGE: 3,
    Fault.DISK_FULL: 8,
}
BROKER_FAULTS = frozenset({Fault.BROKER_RESTART, Fault.BROKER_KILL, Fault.BROKER_STALL, Fault.BROKER_LONG_STALL})
OUTAGES = BROKER_FAULTS | {Fault.CUT, Fault.REFUSE, Fault.DELAY, Fault.SILENCE}
"""Faults in which programs may wait for the broker for long."""
LONG = frozenset({Fault.ZOMBIE, Fault.BROKER_LONG_STALL})
CRASHES = frozenset({Fault.KILL, Fault.ZOMBIE, Fault.BROKER_KILL})
"""Faults after which the time to having caught up is measured."""
BESIDE_KILLS = (Fault.ZOMBIE, Fault.RESTART, Fault.SCALE_OUT, Fault.BROKER_KILL, Fault.BROKER_STALL, Fault.CUT)
BACKLOG = 300_000
ROWS_WRITTEN = (5_000, 20_000, 1_000)
LONGEST_S = 11.0
"""How long after the start of traffic the last fault begins, at most."""


MEMORY, ROCKSDB = "memory", "rocksdb"
STORES = (MEMORY, MEMORY, ROCKSDB)
"""Most rounds are with the store that is the default."""


class Deed(NamedTuple):
    """One fault of the timetable. ``at_s`` after the start of traffic; ``lasts_s`` where it goes on for a while.

    ``victim`` chooses among those who are there; ``amount`` is the size of a delay or a clock's step, in seconds,
    or the rows that are to be written when a worker is killed.
    """

    at_s: float
    fault: Fault
    lasts_s: float
    victim: int
    amount: float

    def __str__(self) -> str:
        size = f"({self.amount:+.1f}s)" if self.fault is Fault.CLOCK_STEP else ""
        size = f"({self.amount:.0f} rows)" if self.fault is Fault.KILL_WRITING else size
        lasts = f"/{self.lasts_s:.1f}s" if self.lasts_s else ""
        return f"{self.at_s:.1f}s {self.fault.value}{size}{lasts}"


class Plan(NamedTuple):
    """Everything that the seed decides. ``sinks`` are processes per channel, ``burst`` events at once."""

    seed: int
    partitions: int
    workers: int
    session_s: float
    channels: tuple[str, ...]
    sinks: int
    skus: int
    burst: int
    events_per_s: int
    store: str
    warm: bool
    """Whether the workers handle partitions before traffic and faults begin."""
    deeds: tuple[Deed, ...]
    backlog: int = 0
    """Events that wait before the first worker starts."""
    listings: str = ""
    """The channel that has listings with ids of their own; empty: a listing is a SKU everywhere."""

    def __str__(self) -> str:
        topology = f"{self.partitions}p {self.workers}w {len(self.channels)}ch x {self.sinks} sink, {self.store}"
        topology += "" if self.warm else ", cold"
        topology += f", backlog of {self.backlog:,}" if self.backlog else ""
        topology += f", listings of {self.listings}" if self.listings else ""
        traffic = f"{self.burst} + {self.events_per_s}/s on {self.skus} SKUs, session {self.session_s:g}s"
        return f"{topology}; {traffic}; {', '.join(map(str, self.deeds))}"

    @property
    def traffic_s(self) -> float:
        """How long traffic goes on: until the last fault is over, and a second."""
        return max((deed.at_s + deed.lasts_s for deed in self.deeds), default=0.0) + 1.0


def plan_of(seed: int, only: Collection[Fault] = (), stores: tuple[str, ...] = STORES) -> Plan:
    """The round of a seed. ``only`` narrows the faults, ``stores`` where the workers keep their facts."""
    chance = random.Random(f"plan-{seed}")
    store = chance.choice(stores)
    session_s = chance.choices((6.0, 10.0), weights=(4, 1))[0]
    allowed = [fault for fault in WEIGHTS if fault in (only or WEIGHTS)]
    if store == MEMORY:
        allowed = [fault for fault in allowed if fault is not Fault.DISK_FULL]
    plan = Plan(
        seed=seed,
        partitions=chance.choice((6, 24)),
        workers=chance.choice((1, 2, 3)),
        session_s=session_s,
        channels=chance.choice((("web",), ("web", "amazon"))),
        sinks=chance.choice((1, 1, 2)),
        skus=chance.choice((150, 400)),
        burst=chance.choice((0, 1_500, 3_000)),
        events_per_s=chance.choice((150, 300, 500)),
        store=store,
        warm=chance.random() < 0.8,
        deeds=_deeds(chance, allowed, session_s),
    )
    return plan._replace(listings=_listings(seed, plan.channels))


def _listings(seed: int, channels: tuple[str, ...]) -> str:
    """Decided apart, so that everything else of a seed stays what it was."""
    chance = random.Random(f"listings-{seed}")
    return chance.choice(channels) if chance.random() < 0.5 else ""


def backlog_plan_of(seed: int) -> Plan:
    """A round that begins with a backlog, which is worked off in ever longer epochs.

    Two workers are killed in the middle of writing one, and something else happens meanwhile.
    """
    chance = random.Random(f"backlog-{seed}")
    plan = plan_of(seed, stores=(chance.choice(STORES),))
    fault = chance.choice(BESIDE_KILLS)
    beside = Deed(
        round(chance.uniform(3.0, 12.0), 1), fault, round(_lasts(fault, chance, plan.session_s), 1), 0, 0.0
    )
    kills = [
        Deed(at_s, Fault.KILL_WRITING, 0.0, chance.randrange(1_000), float(chance.randrange(*ROWS_WRITTEN)))
        for at_s in (0.0, 1.0)
    ]
    return plan._replace(
        workers=chance.choice((1, 2)),
        skus=400,
        burst=0,
        events_per_s=150,
        warm=False,
        deeds=(*kills, beside),
        listings="",  # sinks would tell thousands of them one by one
        backlog=BACKLOG,
    )


def _deeds(chance: random.Random, allowed: list[Fault], session_s: float) -> tuple[Deed, ...]:
    weights = [WEIGHTS[fault] for fault in allowed]
    wanted = chance.randint(3, 5)
    chosen: list[Fault] = []
    while len(chosen) < wanted:
        [fault] = chance.choices(allowed, weights)
        # One outage of the broker and one long wait are enough for half a minute.
        for few in (BROKER_FAULTS, LONG):
            if fault in few and any(each in few for each in chosen) and len(allowed) > len(few):
                break
        else:
            chosen.append(fault)
    chosen.sort(key=lambda fault: fault not in LONG)  # long ones first: the others happen meanwhile
    times = sorted(chance.uniform(0.5, LONGEST_S / 5 * wanted) for _ in chosen)
    return tuple(
        Deed(
            round(at, 1),
            fault,
            round(_lasts(fault, chance, session_s), 1),
            chance.randrange(1_000),
            round(_amount(fault, chance), 3),
        )
        for at, fault in zip(times, chosen, strict=True)
    )


def _lasts(fault: Fault, chance: random.Random, session_s: float) -> float:
    if fault in LONG:
        return session_s + chance.uniform(1.0, 3.0)
    if fault in (Fault.CLOCK_STEP, Fault.DELAY, Fault.SILENCE, Fault.REFUSE, Fault.DISK_FULL):
        return chance.uniform(1.5, 5.0)
    if fault in (Fault.BLINK, Fault.BROKER_STALL):
        return chance.uniform(0.5, 3.5)
    if fault in (Fault.REGISTRY_LOSS, Fault.NEW_SCHEMA_WITHOUT_REGISTRY, Fault.REDIS_LOSS):
        return chance.uniform(1.0, 4.0)
    return 0.0


def _amount(fault: Fault, chance: random.Random) -> float:
    if fault is Fault.DELAY:
        return chance.uniform(0.01, 0.3)
    if fault is Fault.CLOCK_STEP:
        return chance.choice((-1, 1)) * chance.choice((2.0, 30.0, 600.0))
    return 0.0
