"""How soon a channel has accepted what follows from an event: `python -m benchmarks.acceptance`.

A real Kafka, a worker process, a sink process, and a channel on loopback, started by this command. Two
measurements, each from before an event is produced until the channel has answered the update that contains it:

- *half load*: events about random listings at a part of the channel's budget, at random moments (Poisson).
- *stop-sells*: events come several times faster than the budget, so that most listings wait; now and then one
  sells its listing out.

Everything must be accepted in the end, and no old value over a newer one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.acceptance_channel import KINDS, Channel
from benchmarks.acceptance_events import CHANNEL, Stock, arrivals, deploy, fed
from benchmarks.acceptance_figures import Produced, latencies, most_at_once, quantile, stale, waiting_at
from benchmarks.acceptance_sink import sink, until_accepted
from benchmarks.comparison.cluster import Cluster
from benchmarks.comparison.program import Program
from benchmarks.environment import facts
from benchmarks.latency import worker
from streams.local import jars

LOAD = 0.5
"""Part of the budget that the first measurement uses."""
OVERLOAD = 3.0
"""How many times the budget the events of the second measurement are."""
STOP_SELLS = 0.1
"""Part of the budget that stop-sells are."""
WARM_UP = 0.1
"""Part of the first measurement that is fed first and not counted."""
PATIENCE_S = 60.0
PACKAGES = ("faust-streaming", "confluent-kafka", "aiohttp")


def main() -> int:
    """Run both measurements and print them."""
    chosen = _arguments()
    header = facts() | {
        "kafka": jars.kafka_version(),
        "with": ", ".join(f"{one} {version(one)}" for one in PACKAGES),
    }
    header["load"] = f"{os.getloadavg()[0]:.2f} before the run"
    print("\n".join(f"{name:<9}{told}" for name, told in header.items()), flush=True)
    at = time.time_ns() // 1_000 - 3_600_000_000
    with tempfile.TemporaryDirectory() as directory, Cluster(Path(directory), (CHANNEL,)) as cluster:
        deploy(cluster, chosen.rate * chosen.batch, chosen.burst * chosen.batch, at)
        stock = Stock(cluster, chosen.listings, random.Random(chosen.seed))
        cluster.preload(stock.opening(at))
        with (
            Channel(chosen.kind, chosen.rate, chosen.burst) as channel,
            worker(cluster) as (working, _),
            sink(cluster, channel, chosen.rate, chosen.burst, chosen.batch) as sinking,
        ):
            figures = measured(cluster, stock, channel, chosen, (working, sinking))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps({"header": header, "figures": figures}, indent=1) + "\n")
    return 0


def measured(
    cluster: Cluster, stock: Stock, channel: Channel, chosen: argparse.Namespace, programs: tuple[Program, ...]
) -> dict[str, Any]:
    """Both measurements, printed and returned."""
    budget = chosen.rate * chosen.batch
    most_s = PATIENCE_S + 2 * chosen.listings / budget
    until_accepted(stock, channel, most_s, programs)
    moments = arrivals(stock.chance, LOAD * budget, int(LOAD * budget * chosen.seconds))
    half = fed(cluster, stock, [(moment, False) for moment in moments], WARM_UP * chosen.seconds)
    until_accepted(stock, channel, most_s, programs)
    # All listings change before the first stop-sell comes; the channel needs listings / budget seconds for them.
    begin_s = 2 * chosen.listings / (OVERLOAD * budget)
    stops = [begin_s + at for at in arrivals(stock.chance, STOP_SELLS * budget, chosen.stop_sells)]
    others = arrivals(stock.chance, OVERLOAD * budget, int(OVERLOAD * budget * stops[-1]))
    full = fed(cluster, stock, sorted([(at, True) for at in stops] + [(at, False) for at in others]), 0.0)
    ended = time.perf_counter()
    until_accepted(stock, channel, most_s, programs)
    sold_out = [event for event in full if event.quantity == 0]
    waited = waiting_at([*half, *full], channel.accepted, [event.at for event in sold_out])
    told = {
        "budget": f"{chosen.rate:g} calls/s, burst {chosen.burst}, {chosen.batch} updates a call; {chosen.kind}",
        "half load": _told(half, channel, (0.5, 0.99)),
        "stop-sells": _told(sold_out, channel, (0.5, 0.99, 0.999)),
        "listings waiting when a stop-sell came": {"least": min(waited), "most": max(waited)},
        "seconds until everything was accepted": round(channel.accepted[-1].at - ended, 1),
        "calls": len(channel.calls),
        "burst that the calls needed": round(most_at_once(channel.calls, chosen.rate), 1),
        "calls refused": channel.refused,
        "old values over newer ones": stale(channel.accepted),
    }
    for name, value in told.items():
        shown = ", ".join(f"{word} {each}" for word, each in value.items()) if isinstance(value, dict) else value
        print(f"{name}: {shown}", flush=True)
    return told


def _told(events: list[Produced], channel: Channel, shares: tuple[float, ...]) -> dict[str, Any]:
    seconds = latencies(events, channel.accepted)
    quantiles = {f"p{100 * share:g}_ms": round(1_000 * quantile(seconds, share), 1) for share in shares}
    return {"events": len(seconds), **quantiles, "most_ms": round(1_000 * seconds[-1], 1)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, default="webhook", help="kind of sink and channel")
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second that the channel allows")
    parser.add_argument("--burst", type=int, default=10, help="calls at once that the channel allows")
    parser.add_argument("--batch", type=int, default=1, help="updates of a call")
    parser.add_argument("--listings", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the measurement at half load")
    parser.add_argument("--stop-sells", type=int, default=1_000, help="at most half of the listings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="keep header and figures in this file, too")
    chosen = parser.parse_args()
    if not 1 <= chosen.stop_sells <= chosen.listings // 2:
        parser.error("--stop-sells must be from 1 to half of --listings")
    if min(chosen.rate, chosen.burst, chosen.batch, chosen.seconds) <= 0:
        parser.error("--rate, --burst, --batch and --seconds must be above 0")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
