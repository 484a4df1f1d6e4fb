"""``python -m benchmarks.comparison`` is what ``python -m benchmarks`` runs first."""

from benchmarks.comparison.command import main

main()
