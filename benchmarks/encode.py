"""What it costs to make bytes of what the core says: dicts for fastavro or tuples for a generated writer, in turn.

python -m benchmarks.encode [--runs 9] [--repeat 5]

Every figure is CPU time per record, from the numbers of the core to framed bytes. ``ats-changed`` is that of a SKU
with 2 locations, 1 pool and 3 channels, with the 48 steps behind their numbers, and without; the numbers differ
from record to record. Each run takes both ways in turn over the same records; the ratio is that of each run, its
spread that over all runs. What ``domain.steps`` takes to list the steps is told apart.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Sequence
from fractions import Fraction
from io import BytesIO
from statistics import median
from time import process_time
from typing import Any, NamedTuple

from fastavro import schemaless_writer

from agents.causes import Cause
from agents.outputs import ats_changed, channel_update, inventory_finding, stock_variance, weakest_grade
from benchmarks.environment import describe
from domain.availability import assess
from domain.facts import OPEN, PHYSICAL, SECOND, SELLABLE, Balance, LineVersion, Micros
from domain.findings import KINDS, OVER_RESERVATION
from domain.numbers import Assessment, Finding, Variance
from domain.policy import EXCLUSIVE, PERCENT, ChannelPolicy, Held, LocationPolicy, Policy
from domain.state import SkuState
from domain.steps import Steps, steps_of
from domain.updates import ChannelUpdate
from schemas import avro_files
from schemas.codec import Encoder
from schemas.steps import as_items
from schemas.topics import topic
from schemas.wire import prefix

SCHEMA_ID = 7
DISTINCT = 1_000
NOW: Micros = 1_767_225_610 * SECOND
VERSION = 3 << 32
LOCATIONS = ("store-1", "store-2")
POLICY = Policy(
    locations={name: LocationPolicy(safety_stock=Held(10)) for name in LOCATIONS},
    channels={
        "web": ChannelPolicy(mode=EXCLUSIVE, quota=60, priority=1),
        "marketplace": ChannelPolicy(buffer=Held(3, Fraction(5)), cap=40),
        "outlet": ChannelPolicy(mode=PERCENT, percent=Fraction(30), stop_sell_at=3),
    },
)


class Said(NamedTuple):
    """What the core says of one SKU."""

    number: int
    state: SkuState
    assessment: Assessment
    steps: Sequence[Steps]
    cause: Cause


class Side(NamedTuple):
    """The record of an output as fastavro takes it, and as a generated writer does."""

    name: str
    topic: str
    as_dict: Callable[[Said], Any]
    as_record: Callable[[Said], Any]


def said_of(number: int) -> Said:
    """A SKU with a balance and an open order line at each location, and the two events that touched it."""
    state = SkuState(f"SKU-{number:06}")
    for place, name in enumerate(LOCATIONS):
        at, stock = NOW - 60 * SECOND, 200 + number * 7 % 700 + 31 * place
        state.fold(Balance(name, SELLABLE, "erp", at, number, 0, stock, PHYSICAL, None, at))
        order = f"o-{number}"
        state.fold(LineVersion(order, str(place), 1, 0, number % 5, 0, OPEN, name, "web", None, None, "oms", NOW))
    cause = Cause()
    cause.add(f"ev-{1_000_000 + number}", NOW - 3 * SECOND + number)
    cause.add(f"ev-{2_000_000 + number}", NOW - 2 * SECOND + number)
    assessment = assess(state, POLICY, NOW)
    return Said(number, state, assessment, steps_of(state, POLICY, assessment), cause)


def ats_changed_as_dict(said: Said, steps: Sequence[Steps]) -> dict[str, Any]:
    """How the record was made for fastavro."""
    assessment, cause = said.assessment, said.cause
    return {
        "sku": assessment.sku,
        "version": VERSION + said.number,
        "computed_at": NOW,
        "confidence": weakest_grade(assessment),
        "locations": {name: numbers._asdict() for name, numbers in assessment.locations.items()},
        "pools": {name: pool._asdict() for name, pool in assessment.pools.items()},
        "channels": dict(assessment.channels),
        "findings": sorted({finding.code for finding in assessment.findings}),
        "explain": as_items(steps),
        "causes": cause.event_ids,
        "cause_count": cause.count,
        "oldest_cause_at": cause.oldest,
        "newest_cause_at": cause.newest,
        "traceparent": None,
        "tracestate": None,
    }


def update_of(said: Said) -> ChannelUpdate:
    sku, number = said.assessment.sku, said.number
    times = NOW + SECOND, NOW - SECOND + number, NOW
    key = f"web:{sku}:{VERSION + number}"
    causes = tuple(said.cause.event_ids)
    return ChannelUpdate(
        "web", sku, sku, number % 200, VERSION + number, times[0], 5, key, "P2", "FALL", causes, *times[1:]
    )


def variance_of(said: Said) -> Variance:
    return Variance("store-1", NOW - said.number, said.number, "erp", 500 - said.number, 503)


def variance_as_dict(said: Said) -> dict[str, Any]:
    variance = variance_of(said)
    rest = {"sku": said.assessment.sku, "units": variance.units, "attribution": ["S-1"], "computed_at": NOW}
    return {**variance._asdict(), **rest}


FINDING = Finding(OVER_RESERVATION, "store-1", ("O-1001", "1"))


def finding_as_dict(said: Said) -> dict[str, Any]:
    kind = KINDS[FINDING.code]
    return {
        **FINDING._asdict(),
        "owner": kind.owner,
        "sku": said.assessment.sku,
        "opened_at": NOW,
        "event_id": said.cause.event_ids[-1],
        "note": kind.meaning,
    }


SIDES = (
    Side(
        "ats-changed, 48 steps",
        "ats-changed",
        lambda said: ats_changed_as_dict(said, said.steps),
        lambda said: ats_changed(said.assessment, said.steps, VERSION + said.number, NOW, said.cause),
    ),
    Side(
        "ats-changed, no steps",
        "ats-changed",
        lambda said: ats_changed_as_dict(said, ()),
        lambda said: ats_changed(said.assessment, (), VERSION + said.number, NOW, said.cause),
    ),
    Side(
        "channel-updates",
        "channel-updates.web",
        lambda said: update_of(said)._asdict(),
        lambda said: channel_update(update_of(said)),
    ),
    Side(
        "stock-variances",
        "stock-variances",
        variance_as_dict,
        lambda said: stock_variance(said.assessment.sku, variance_of(said), ("S-1",), NOW),
    ),
    Side(
        "inventory-findings",
        "inventory-findings",
        finding_as_dict,
        lambda said: inventory_finding(said.assessment.sku, FINDING, NOW, said.cause.event_ids[-1]),
    ),
)


def with_fastavro(side: Side) -> Callable[[Said], bytes]:
    """How records were written before."""
    schema, start, as_dict = (
        avro_files.reader_schema(str(topic(side.topic).avsc)),
        prefix(SCHEMA_ID),
        side.as_dict,
    )

    def encode(said: Said) -> bytes:
        out = BytesIO()
        out.write(start)
        schemaless_writer(out, schema, as_dict(said))
        return out.getvalue()

    return encode


def with_generated(side: Side) -> Callable[[Said], bytes]:
    """How records are written now."""
    encode, as_record = Encoder(side.topic, SCHEMA_ID).encode, side.as_record
    return lambda said: encode(as_record(said))


def seconds(call: Callable[[Said], object], every: Sequence[Said], repeat: int) -> float:
    """CPU time of one call, the mean over all of them."""
    gc.collect()
    started = process_time()
    for _ in range(repeat):
        for said in every:
            call(said)
    return (process_time() - started) / (repeat * len(every))


def measure(side: Side, every: Sequence[Said], runs: int, repeat: int) -> None:
    slow, fast = with_fastavro(side), with_generated(side)
    assert [fast(said) for said in every] == [slow(said) for said in every]
    pairs = [(seconds(slow, every, repeat), seconds(fast, every, repeat)) for _ in range(runs)]
    before, after = (median(run) * 1e6 for run in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    spread = f"{median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f})"
    print(f"{side.name:<24} {len(fast(every[0])):>6} {before:6.2f} us {after:6.2f} us   {spread}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=5, help="times every record is taken in a run")
    arguments = parser.parse_args()
    every = [said_of(number) for number in range(DISTINCT)]
    print(describe(), end="\n\n")
    print(f"{'record':<24} {'bytes':>6} {'fastavro':>9} {'generated':>9}   ratio: median (least - most)")
    for side in SIDES:
        measure(side, every, arguments.runs, arguments.repeat)
    listed = [
        seconds(lambda said: steps_of(said.state, POLICY, said.assessment), every, arguments.repeat)
        for _ in range(arguments.runs)
    ]
    print(f"\nlisting the 48 steps: {median(listed) * 1e6:.2f} us")


if __name__ == "__main__":
    main()
