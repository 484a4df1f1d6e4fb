from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from streams.demo.observation import (
    KILLED,
    RUNNING,
    STARTING,
    ChannelSeen,
    Count,
    Mover,
    Observation,
    WorkerSeen,
)
from streams.demo.show import Lines, LiveScreen, choose, line
from streams.demo.view import HEIGHT, screen, short, sparkline

SEEN = Observation(
    phase="a worker was killed",
    elapsed_s=31.4,
    fed=18_250,
    to_feed=30_000,
    fed_per_s=1_204,
    applied=18_100,
    applied_per_s=1_190,
    applied_history=tuple(float(value) for value in range(0, 1200, 50)),
    lag=150,
    behind_s=0.4,
    fresh_p50_ms=85,
    fresh_p95_ms=240,
    skus=150,
    versions=9_120,
    workers=(
        WorkerSeen("worker-1", 4711, KILLED, 3),
        WorkerSeen("worker-2", 4712, RUNNING, 28),
        WorkerSeen("worker-3", 4713, STARTING, 1),
    ),
    channels=(
        ChannelSeen("web", "quota 60", 50, 31.2, 2_410, 0, 3, 4, 7, "shopify"),
        ChannelSeen("marketplace", "shared, cap 40", 8, 7.9, 912, 1, 9, 61, 12, "amazon"),
        ChannelSeen("outlet", "30 %, zero at 3", 20, 14.0, 1_300, 0, 0, 0, 22, "webhook"),
    ),
    movers=tuple(Mover(f"{n}", f"Thing number {n} with a long name", 100 - n, 60 - n * 7) for n in range(12)),
    findings=tuple(Count(f"FINDING_NUMBER_{n}", 100 - n) for n in range(14)),
    dead_letters=(Count("TRUNCATED", 3), Count("KEY_MISMATCH", 2)),
    notes=("worker-1 (pid 4711) was killed with SIGKILL", "worker-3 replaces it"),
)


def drawn(seen: Observation, width: int = 100, height: int = 50) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), record=True, force_terminal=True)
    console.print(screen(seen))
    return console.export_text()


def test_the_screen_fits_100_columns_and_30_lines() -> None:
    lines = drawn(SEEN).splitlines()
    assert len(lines) == HEIGHT == 30
    assert max(map(len, lines)) <= 100


def test_the_screen_shows_what_matters() -> None:
    text = drawn(SEEN)
    for expected in (
        "18,250 of 30,000 events",
        "1190 events/s",
        "150 records, 0.4 s",
        "85 ms, 95 %: 240 ms",
        "worker-1 killed",
        "pid 4712",
        "worker-3 replaces it",
        "marketplace",
        "channels: web by shopify, marketplace by amazon, outlet by webhook",
        "7.9 of 8",
        "61",
        "dead letters: 5",
        "truncated",
        "finding number 0",
        "others",
        "▼40",
    ):
        assert expected in text


def test_no_channel_or_worker_is_cut_off() -> None:
    text = drawn(SEEN)
    assert all(channel.name in text for channel in SEEN.channels)
    assert all(worker.name in text for worker in SEEN.workers)
    assert all(channel.rule in text for channel in SEEN.channels)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_screen_can_be_drawn_before_anything_happened(width: int) -> None:
    text = drawn(Observation(), width=width)
    assert "no event applied yet" in text
    assert max(map(len, text.splitlines())) <= width


def test_names_are_shown_as_they_are_and_never_read_as_markup() -> None:
    mover = Mover("1", "[bold]cola[/bold]", 5, 3)
    assert "[bold]cola[/bold]" in drawn(replace(SEEN, movers=(mover,)))


def test_a_sparkline_is_scaled_to_its_largest_value() -> None:
    assert sparkline([0, 5, 10], 8) == "▁▅█"
    assert sparkline([1, 2, 3, 4], 2) == "▇█"
    assert sparkline([0, 0], 8) == "▁▁"
    assert sparkline([], 8) == ""


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (9_999, "9999"), (12_345, "12.3k"), (999_999, "1000.0k"), (2_500_000, "2.5M")]
)
def test_counts_are_short(number: float, text: str) -> None:
    assert short(number) == text


def test_without_a_terminal_there_are_plain_lines() -> None:
    assert isinstance(choose(Console(file=io.StringIO()), plain=False), Lines)
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100, height=40)
    assert isinstance(choose(terminal, plain=False), LiveScreen)
    assert isinstance(choose(terminal, plain=True), Lines)


def test_a_terminal_too_small_for_the_screen_gets_lines() -> None:
    small = Console(file=io.StringIO(), force_terminal=True, width=70, height=40)
    assert isinstance(choose(small, plain=False), Lines)


def test_lines_come_every_two_seconds_and_when_the_phase_changes() -> None:
    out = io.StringIO()
    with Lines(Console(file=out, width=300)) as show:
        show.update(replace(SEEN, elapsed_s=1.0))
        show.update(replace(SEEN, elapsed_s=2.5))
        show.update(replace(SEEN, elapsed_s=3.0))
        show.update(replace(SEEN, elapsed_s=3.1, phase="draining"))
    times = [row.split()[0] for row in out.getvalue().splitlines()]
    assert times == ["1.0", "3.0", "3.1"]


def test_a_line_says_the_same_as_the_screen() -> None:
    text = line(SEEN)
    for expected in ("fed 18250/30000", "lag 150 (0.4 s)", "240 ms", "marketplace:61", "worker-1:killed"):
        assert expected in text


def test_the_live_screen_draws_to_its_console() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with LiveScreen(console) as show:
        show.update(SEEN)
        show.say("the stack is up")
    assert "worker-1" in out.getvalue()
    assert "the stack is up" in out.getvalue()


def test_settled_means_no_lag_and_no_channel_behind() -> None:
    assert not SEEN.settled
    idle = tuple(channel._replace(behind=0, in_flight=0) for channel in SEEN.channels)
    assert not replace(SEEN, channels=idle).settled
    assert not replace(SEEN, channels=idle, lag=0, acks_lag=1).settled
    assert replace(SEEN, channels=idle, lag=0).settled
