"""The sink process of the acceptance benchmark, and waiting until everything has arrived."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.acceptance_channel import Channel
from benchmarks.acceptance_events import CHANNEL, Stock
from benchmarks.comparison.cluster import BenchmarkFailed, Cluster
from benchmarks.comparison.program import Program
from benchmarks.environment import ROOT


def until_accepted(stock: Stock, channel: Channel, most_s: float, programs: tuple[Program, ...]) -> None:
    """Wait until the channel shows what is left of every SKU. Raises BenchmarkFailed."""
    deadline = time.monotonic() + most_s
    shown: dict[str, int] = {}
    seen = 0
    while shown != stock.left:
        for program in programs:
            if program.exit_code is not None:
                raise BenchmarkFailed(f"a process ended: {program.log_tail()}")
        if time.monotonic() > deadline:
            wrong = sum(shown.get(sku) != left for sku, left in stock.left.items())
            logs = "\n".join(program.log_tail() for program in programs)
            raise BenchmarkFailed(f"{wrong} listings do not show their quantity after {most_s:.0f} s\n{logs}")
        time.sleep(0.05)
        new = channel.accepted[seen:]
        seen += len(new)
        shown.update((one.listing, one.quantity) for one in new)


@contextmanager
def sink(cluster: Cluster, channel: Channel, rate_per_s: float, burst: int, batch: int) -> Iterator[Program]:
    """The channel's sink, with the same budget as the policy's."""
    settings = {
        **channel.sink,
        "url": channel.url,
        "rate_per_s": str(rate_per_s),
        "burst": str(burst),
        "max_updates": str(batch),
    }
    environment = {
        **os.environ,
        "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": cluster.bootstrap,
        "ATSTREAM_REGISTRY__URL": cluster.settings.registry.url,
        **{f"ATSTREAM_SINK__{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "streams.cli", "sink", CHANNEL]
    program = Program(command, environment, ROOT, cluster.directory / "sink.log")
    try:
        yield program
        code = program.stop()
        if code != 0:
            raise BenchmarkFailed(f"the sink ended with {code}: {program.log_tail()}")
    finally:
        program.kill()
