"""``python -m tests.chaos.broken BUILD COMMAND ...``: the command line of a broken build."""

from __future__ import annotations

import sys

from streams.cli import main
from tests.chaos.broken.builds import BUILDS

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in BUILDS:
        sys.exit(f"usage: python -m tests.chaos.broken {{{','.join(BUILDS)}}} COMMAND ...")
    BUILDS[sys.argv.pop(1)]()
    main()
