"""The comparison's arithmetic: slopes, latencies, ratios, and what the sides say of themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.comparison import figures
from benchmarks.comparison.cluster import BenchmarkFailed
from benchmarks.comparison.delay import latencies
from benchmarks.comparison.docs import BEGIN, END, rendered
from benchmarks.comparison.outputs import Counted
from benchmarks.comparison.program import Program
from benchmarks.comparison.sides import PEERS, all_sides, read_side
from benchmarks.comparison.slope import Sample, of_commits, of_outputs


def test_a_slope_is_taken_between_ten_and_ninety_five_percent() -> None:
    # 100 events a second from second 2 on, each of 4 ms of CPU time; nothing before, as long as it starts up.
    samples = [Sample(at / 10, max(0, at * 10 - 200), max(0.0, at / 10 - 2) * 0.4, 0.0) for at in range(130)]
    told = of_commits(samples, 1_000)
    assert told["events_per_s"] == pytest.approx(100)
    assert told["cpu_s_per_million"] == pytest.approx(4_000)
    assert told["events"] == 850


def test_commits_that_come_all_at_once_have_no_slope() -> None:
    with pytest.raises(BenchmarkFailed, match="too rarely"):
        of_commits([Sample(0.0, 0, 0.0, 0.0), Sample(1.0, 1_000, 1.0, 0.0)], 1_000)


def test_outputs_tell_the_slope_of_a_side_that_does_not_commit() -> None:
    samples = [Sample(1_000 + at / 10, 0, at * 0.05, 0.0) for at in range(101)]
    counted = [Counted(b"A", mark, 1_000_000 + mark * 10) for mark in range(1, 1_001)]
    counted += [Counted(b"A", 5, 1_010_000)]  # an old mark, published again, counts nothing
    told = of_outputs(samples, counted, 1_000)
    assert told["events_per_s"] == pytest.approx(100)
    assert told["cores"] == pytest.approx(0.5)


def test_the_latency_of_an_event_ends_with_the_first_output_that_contains_it() -> None:
    events = [(b"A", 1, 1.000), (b"A", 2, 1.001), (b"B", 7, 1.002), (b"A", 4, 1.003)]
    outputs = [Counted(b"A", 2, 1_010), Counted(b"B", 9, 1_012), Counted(b"A", 3, 1_020)]
    assert latencies(events, outputs) == pytest.approx([10.5, 9.5, 10.5])


def test_ratios_are_taken_run_by_run() -> None:
    rows = [
        {"case": case, "run": run, "result": {"throughput": {"events_per_s": speed}}}
        for case, run, speed in (("one", 1, 10.0), ("other", 1, 5.0), ("one", 2, 30.0), ("other", 2, 10.0))
    ]
    rows.append({"case": "one", "run": 3, "failed": "no broker"})
    assert figures.ratio(rows, "one", "other", "throughput.events_per_s") == (2.5, 2.0, 3.0, 2)
    assert figures.failures(rows, "one") == ["no broker"]


def test_a_side_that_is_wrong_is_told_to_be_wrong() -> None:
    rows = [{"case": "one", "run": run, "result": {"wrong_keys": wrong}} for run, wrong in ((1, 0), (2, 3))]
    assert figures.wrong(rows, "one") == "no, in 1 of 2 runs"


@pytest.mark.parametrize("path", sorted(PEERS.glob("*/")), ids=lambda path: path.name)
def test_every_side_describes_itself_and_pins_what_it_needs(path: Path) -> None:
    if path.name == "__pycache__":
        pytest.skip("no side")
    side = read_side(path)
    assert side.notes
    requirements = path / "requirements.txt"
    if requirements.exists():
        lines = [line.split("#")[0].strip() for line in requirements.read_text().splitlines()]
        assert all("==" in line for line in lines if line and not line.startswith("--"))


def test_all_sides_of_the_comparison_are_there() -> None:
    assert {"limit", "faust", "atstream", "quix", "bytewax", "kafka_streams"} <= all_sides().keys()


def test_a_side_with_a_word_that_means_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "side.toml").write_text('title = "x"\nversion = ""\ncommand = ["x"]\nprogress = "guessed"\n')
    with pytest.raises(ValueError, match="guessed"):
        read_side(tmp_path)


def test_figures_replace_what_is_between_the_markers() -> None:
    page = f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    document = {"header": {"machine": "mine"}, "sections": [], "rows": []}
    once = rendered(page, document)
    assert "old" not in once
    assert "machine  mine" in once
    assert rendered(once, document) == once
    with pytest.raises(ValueError, match="needs the lines"):
        rendered("no markers", document)


def test_cpu_time_and_memory_of_children_count_too(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ntime.sleep(60)"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])"
    program = Program([sys.executable, "-c", parent], {}, tmp_path, tmp_path / "log")
    try:
        while "done" not in program.log_tail():
            assert program.exit_code is None, program.log_tail()
        assert program.cpu_seconds() >= 0.3
        assert program.peak_bytes() > 10_000_000
    finally:
        program.kill()
    assert program.exit_code is not None
