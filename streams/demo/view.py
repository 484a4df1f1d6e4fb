"""The live view: one screen of 100 x 30 characters, drawn from an ``Observation`` and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.demo.observation import (
    KILLED,
    RUNNING,
    STARTING,
    STOPPED,
    ChannelSeen,
    Count,
    Mover,
    Observation,
    WorkerSeen,
)

HEIGHT = 30
"""Lines the view takes; what does not fit a smaller terminal is cut at the bottom."""

ROWS = 10
"""Movers, findings and reasons shown at most."""

_BARS = "▁▂▃▄▅▆▇█"
_FACES = {
    RUNNING: ("●", "green"),
    STARTING: ("◐", "yellow"),
    KILLED: ("✖", "bold red"),
    STOPPED: ("○", "dim"),
}
_CALM_LAG_S, _LATE_LAG_S = 1.0, 5.0


class Tall:
    """Something drawn ``height`` lines tall, where a layout alone would take the whole terminal."""

    def __init__(self, content: RenderableType, height: int) -> None:
        self._content = content
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self._content, options.update(height=self._height))


def screen(seen: Observation) -> Tall:
    """The whole view."""
    layout = Layout()
    layout.split_column(
        Layout(_header(seen), size=4),
        Layout(name="flow", size=7),
        Layout(_framed(_channels(seen.channels), _told_by(seen.channels)), size=7),
        Layout(name="detail", size=12),
    )
    layout["flow"].split_row(
        Layout(_framed(_flow(seen), "flow"), ratio=3),
        Layout(_framed(_workers(seen.workers, seen.notes), "workers"), ratio=2),
    )
    layout["detail"].split_row(
        Layout(_framed(_movers(seen.movers), "top movers: available to sell"), ratio=4),
        Layout(_framed(_counts(seen.findings, "cyan"), "findings"), ratio=3),
        Layout(_framed(_counts(seen.dead_letters, "red"), f"dead letters: {seen.dead}"), ratio=3),
    )
    return Tall(layout, HEIGHT)


def sparkline(values: Sequence[float], width: int) -> str:
    """The last ``width`` values as bars, scaled to the largest of them."""
    shown = list(values)[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return _BARS[0] * len(shown)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] for value in shown)


def short(number: float) -> str:
    """A count in at most five characters: 950, 12.3k, 1.2M."""
    for limit, divisor, unit in ((10_000, 1, ""), (1_000_000, 1_000, "k")):
        if number < limit:
            return f"{number / divisor:.1f}{unit}" if unit else f"{number:.0f}"
    return f"{number / 1_000_000:.1f}M"


def _framed(content: RenderableType, title: str) -> Panel:
    return Panel(content, title=f"[bold]{title}[/]", title_align="left", border_style="grey37", box=box.ROUNDED)


def _header(seen: Observation) -> Panel:
    line = Table.grid(expand=True)
    line.add_column(ratio=1, no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(
        Text.assemble(("atstream demo", "bold"), ("  ", ""), (seen.phase, "yellow")),
        Text(f"{seen.elapsed_s:.0f} s"),
    )
    fed = Table.grid(expand=True, padding=(0, 1))
    fed.add_column(no_wrap=True)
    fed.add_column(ratio=1)
    fed.add_column(no_wrap=True, justify="right")
    total = max(1, seen.to_feed)
    fed.add_row("fed", ProgressBar(total=total, completed=seen.fed), f"{seen.fed:,} of {seen.to_feed:,} events")
    return Panel(Group(line, fed), border_style="grey37", box=box.ROUNDED)


def _flow(seen: Observation) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="grey62", no_wrap=True)
    grid.add_column(no_wrap=True, min_width=20)
    grid.add_column(no_wrap=True, style="grey62")
    grid.add_column(no_wrap=True, justify="right")
    behind = Text(f"{short(seen.lag)} records, {seen.behind_s:.1f} s", style=_lag_style(seen.behind_s))
    grid.add_row(
        "applied", Text(f"{short(seen.applied_per_s)} events/s", style="bold green"), "in", _rate(seen.fed_per_s)
    )
    grid.add_row("", Text(sparkline(seen.applied_history, 24), style="green"), "total", short(seen.applied))
    grid.add_row("lag", behind, "SKUs", short(seen.skus))
    grid.add_row("freshness", _freshness(seen), "versions", short(seen.versions))
    return grid


def _rate(per_s: float) -> str:
    return f"{short(per_s)}/s"


def _lag_style(behind_s: float) -> str:
    if behind_s <= _CALM_LAG_S:
        return "green"
    return "yellow" if behind_s <= _LATE_LAG_S else "bold red"


def _freshness(seen: Observation) -> str:
    if seen.fresh_p50_ms is None or seen.fresh_p95_ms is None:
        return "no event applied yet"
    return f"{seen.fresh_p50_ms:,.0f} ms, 95 %: {seen.fresh_p95_ms:,.0f} ms"


def _workers(workers: Sequence[WorkerSeen], notes: Sequence[str]) -> Group:
    grid = Table.grid(padding=(0, 1))
    for worker in workers[-3:]:
        face, style = _FACES[worker.state]
        grid.add_row(
            Text(face, style=style),
            worker.name,
            Text(worker.state, style=style),
            f"{worker.since_s:.0f} s",
            f"pid {worker.pid}",
        )
    lines = [Text(note, style="grey62", no_wrap=True, overflow="ellipsis") for note in notes[-2:]]
    return Group(grid, *lines)


def _channels(channels: Sequence[ChannelSeen]) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1), header_style="grey62")
    table.add_column("channel", no_wrap=True)
    table.add_column("rule", no_wrap=True, ratio=1, overflow="ellipsis")
    for name in ("told/s of budget", "accepted", "refused", "in flight", "behind", "sold out"):
        table.add_column(name, justify="right", no_wrap=True)
    for channel in channels:
        table.add_row(
            Text(channel.name, style="bold"),
            Text(channel.rule),
            f"{channel.per_s:.1f} of {channel.budget_per_s:g}",
            short(channel.accepted),
            Text(short(channel.refused), style="bold red" if channel.refused else ""),
            short(channel.in_flight),
            Text(short(channel.behind), style="yellow" if channel.behind else "green"),
            Text(short(channel.zero), style="magenta" if channel.zero else ""),
        )
    return table


def _told_by(channels: Sequence[ChannelSeen]) -> str:
    """The title: each channel and how it is told."""
    told = ", ".join(f"{channel.name} by {channel.kind}" for channel in channels if channel.kind)
    return f"channels: {told}" if told else "channels"


def _movers(movers: Sequence[Mover]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, min_width=4)
    for mover in movers[:ROWS]:
        fell = mover.now < mover.before
        style = "bold magenta" if mover.now == 0 else "red" if fell else "green"
        change = f"{'▼' if fell else '▲'}{abs(mover.now - mover.before)}"
        table.add_row(Text(mover.name or mover.sku), Text(change, style=style), Text(str(mover.now), style="bold"))
    return table


def _counts(counts: Sequence[Count], style: str) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True, style=style)
    shown = (
        counts
        if len(counts) <= ROWS
        else [*counts[: ROWS - 1], Count("others", sum(each.times for each in counts[ROWS - 1 :]))]
    )
    for count in shown:
        table.add_row(Text(count.what.replace("_", " ").lower()), short(count.times))
    return table
