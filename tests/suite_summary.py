"""A pytest plugin that ends a run with one line per suite (the directories under tests/)."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def suite_of(nodeid: str) -> str:
    """The directory under tests/ that a test lives in."""
    parts = nodeid.split("::", 1)[0].split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else "other"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print outcomes and seconds spent (setup and teardown included) of every suite that ran."""
    outcomes: dict[str, Counter[str]] = {}
    seconds: defaultdict[str, float] = defaultdict(float)
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                suite = suite_of(report.nodeid)
                seconds[suite] += report.duration
                if outcome in OUTCOMES:
                    outcomes.setdefault(suite, Counter())[outcome] += 1
    if not outcomes:
        return
    terminalreporter.section("suites")
    for suite, counts in outcomes.items():
        told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
        terminalreporter.write_line(f"{suite:<12} {seconds[suite]:7.1f} s   {told}")
