"""One quick look at the core: golden cases and a few seeded histories. Exit code 1 and a line when it is wrong.

Runs in a copy of the project that has one line changed, so it imports nothing before it has to.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

import pytest

from tests.golden.cases import differences, load, run
from tests.simulation.cluster import Cluster
from tests.simulation.runs import END, POLICY, SKUS, STEPS, WINDOW, WITHOUT_QUOTAS, problems
from tests.simulation.story import story

SEEDS = range(4)
UNIT_TESTS = ("facts", "state", "lines", "movements", "availability", "pruning")


def golden() -> Iterator[str]:
    """Cases that fail in the given order, backwards, or with every event twice."""
    for case in [*load("availability.json"), *load("own.json")]:
        expected = run(case, case.events)
        outcomes = (expected, run(case, case.events[::-1]), run(case, case.events, doubled=True))
        for outcome in outcomes:
            for difference in differences(case, outcome):
                yield f"golden {case.id}: {difference}"
            if outcome.assessment != expected.assessment:
                yield f"golden {case.id}: the order of events matters"
        if set(case.expect.get("findings", expected.codes)) != expected.codes:
            yield f"golden {case.id}: findings {sorted(expected.codes)}"


def simulated() -> Iterator[str]:
    """Seeds after which the workers do not have the numbers of the whole set."""
    for policy, prunes in ((POLICY, False), (WITHOUT_QUOTAS, True)):
        for seed in SEEDS:
            chance = random.Random(seed)
            arrivals = story(chance, SKUS, STEPS)
            cluster = Cluster(chance, arrivals, policy, prunes)
            cluster.run(END, WINDOW)
            for problem in problems(cluster, arrivals, policy):
                yield f"simulation seed {seed}: {problem}"


def unit_tests() -> Iterator[str]:
    """The unit tests of the core, if they fail."""
    modules = [f"tests/unit/domain/test_{name}.py" for name in UNIT_TESTS]
    if pytest.main(["-q", "-x", "-p", "no:cacheprovider", *modules]):
        yield "unit tests fail"


def main() -> int:
    """Print the first thing that is wrong."""
    for look in (golden, unit_tests, simulated):
        for problem in look():
            print(problem[:200])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
