"""``python -m benchmarks`` compares all sides; single figures are modules to be run by themselves."""

from benchmarks.comparison.command import main

main()
