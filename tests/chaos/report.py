"""Rounds as people and machines read them."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.evidence import Violation
from tests.chaos.plan import Fault, Plan
from tests.chaos.round import Outcome

SHOWN = 12
ROOT = Path(__file__).resolve().parents[2]


class RoundReport(NamedTuple):
    """One round that is over and judged."""

    plan: Plan
    outcome: Outcome
    violations: tuple[Violation, ...]
    took_s: float

    @property
    def events(self) -> int:
        """Records that the harness produced."""
        return len(self.outcome.evidence.produced)

    def exits(self) -> str:
        """Exit codes with how often they occurred, for workers and sinks."""
        counted = Counter(f"{each.program.split('-')[0]} {each.code}" for each in self.outcome.evidence.exits)
        return ", ".join(f"{what} x{count}" for what, count in sorted(counted.items()))

    def largest_commit(self) -> int:
        """Most records committed between two looks, a quarter of a second apart: an epoch, or several."""
        sums = [sum(each.committed.values()) for each in self.outcome.evidence.commits]
        return max((later - former for former, later in itertools.pairwise(sums)), default=0)

    def parts(self) -> str:
        """How long each part of the round took."""
        return ", ".join(f"{name} {seconds:.0f}" for name, seconds in self.outcome.phases.items())

    def lines(self) -> list[str]:
        """What is printed about it."""
        outcome = self.outcome
        written = outcome.rows_written
        intents = Counter(record.intent.value for record in outcome.evidence.produced)
        recovered = ", ".join(
            f"{each.fault.value} {each.seconds:.1f}s{'' if each.alone else ' (with others)'}"
            for each in outcome.recoveries
        )
        return [
            f"round {self.plan.seed}: {self.plan}",
            f"  events: {self.events} ({', '.join(f'{count} {name}' for name, count in sorted(intents.items()))})",
            f"  exits: {self.exits()}" + (f"; skipped: {_names(outcome.skipped)}" if outcome.skipped else ""),
            f"  caught up: {outcome.rest_s:.1f} s after the last fault" + (f"; {recovered}" if recovered else ""),
            *([f"  killed with so many rows of an epoch written: {_counts(written)}"] if written else []),
            f"  violations: {len(self.violations)}; took {self.took_s:.0f} s ({self.parts()})",
            *(f"    {each.law}: {each.where}: {each.detail}" for each in self.violations[:SHOWN]),
        ]

    def as_json(self) -> dict[str, Any]:
        """The round in the report file. Times in seconds."""
        outcome, plan = self.outcome, self.plan
        return {
            "seed": plan.seed,
            "plan": str(plan),
            "partitions": plan.partitions,
            "workers": plan.workers,
            "session_s": plan.session_s,
            "store": plan.store,
            "events": self.events,
            "faults": [fault.value for fault in outcome.faults],
            "skipped": [fault.value for fault in outcome.skipped],
            "exits": self.exits(),
            "recoveries": [
                {"fault": each.fault.value, "seconds": each.seconds, "alone": each.alone}
                for each in outcome.recoveries
            ],
            "caught_up_s": round(outcome.rest_s, 2),
            "rows_written": list(outcome.rows_written),
            "largest_commit": self.largest_commit(),
            "took_s": round(self.took_s, 1),
            "violations": [each._asdict() for each in self.violations],
        }


def summary(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All rounds in numbers, from what the report file says of each (``as_json``)."""
    faults = Counter(fault for each in rounds for fault in each["faults"])
    return {
        "rounds": len(rounds),
        "events": sum(each["events"] for each in rounds),
        "violations": sum(len(each["violations"]) for each in rounds),
        "faults": dict(sorted(faults.items())),
        "recovery_s": {
            f"session {session_s:g} s": {
                "kill -9": _spread([seconds for fault, seconds in found if fault == Fault.KILL.value]),
                "any crash": _spread([seconds for _, seconds in found]),
            }
            for session_s, found in _recoveries(rounds).items()
        },
        "caught_up_s": _spread([each["caught_up_s"] for each in rounds]),
    }


def write(path: Path, rounds: Sequence[RoundReport], command: str) -> None:
    """The report file, complete after every round."""
    told = [each.as_json() for each in rounds]
    document = {"command": command, "commit": _commit(), "summary": summary(told), "rounds": told}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def _commit() -> str:
    git = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _recoveries(rounds: Sequence[Mapping[str, Any]]) -> dict[float, list[tuple[str, float]]]:
    found: dict[float, list[tuple[str, float]]] = {}
    for each in rounds:
        of_session = found.setdefault(each["session_s"], [])
        of_session += [(one["fault"], one["seconds"]) for one in each["recoveries"] if one["alone"]]
    return dict(sorted(found.items()))


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {"count": 0}
    return {
        "count": len(seconds),
        "p50": round(statistics.median(seconds), 1),
        "max": round(max(seconds), 1),
    }


def _counts(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def _names(faults: Sequence[Fault]) -> str:
    return ", ".join(fault.value for fault in faults)
