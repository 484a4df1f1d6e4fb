"""``python -m tests.mutants``: break the core in many ways and show which tests notice each.

    python -m tests.mutants [--quick] [NAME...]

``--quick`` takes one look at golden cases and a few seeds; otherwise golden cases, unit tests, laws and simulation
each have their say. Exit code 1 when a variant survives all of them, or when the unbroken core fails.
"""

from __future__ import annotations

import argparse
import sys

from tests.mutants.catalogue import MUTANTS
from tests.mutants.execution import noticed, verdicts

PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
SUITES = {
    "golden": (*PYTEST, "tests/golden/test_availability.py"),
    "unit": (*PYTEST, "tests/unit/domain"),
    "laws": (*PYTEST, "tests/properties", "-k", "laws"),
    "simulation": (*PYTEST, "tests/simulation/test_core_crashes.py"),
}
QUICK = {"quick look": ("-m", "tests.mutants.trial")}
REDUCED = {"LAWS_EXAMPLES": "60", "LAWS_SHRINK": "0", "SIMULATION_SEEDS": "8"}


def main() -> int:
    """Print the table and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only mutants whose name contains this")
    parser.add_argument("--quick", action="store_true", help="one look instead of all suites")
    arguments = parser.parse_args()
    suites = QUICK if arguments.quick else SUITES
    chosen = [one for one in MUTANTS if not arguments.names or any(name in one.name for name in arguments.names)]
    for name, command in suites.items():
        problem = noticed(None, command, REDUCED)
        if problem:
            print(f"the unbroken core fails in {name}: {problem}", file=sys.stderr)
            return 1
    runs = [verdicts(chosen, command, REDUCED) for command in suites.values()]
    print(f"{'mutant':<58}{'module':<14}" + "".join(f"{name:<12}" for name in suites))
    killed = dict.fromkeys(suites, 0)
    survivors = []
    for mutant, *results in zip(chosen, *runs, strict=True):
        print(f"{mutant.name:<58}{mutant.module:<14}", end="")
        for name, verdict in zip(suites, results, strict=True):
            killed[name] += bool(verdict.noticed_by)
            print(f"{'killed' if verdict.noticed_by else '-':<12}", end="")
        print(flush=True)
        if not any(verdict.noticed_by for verdict in results):
            survivors.append(mutant.name)
    counts = ", ".join(f"{name} {count}" for name, count in killed.items())
    print(f"\n{len(chosen) - len(survivors)} of {len(chosen)} killed ({counts})")
    for name in survivors:
        print(f"survived: {name}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
