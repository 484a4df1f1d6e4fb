"""``python -m benchmarks.comparison.docs FILE.json`` writes the figures of a run into ``docs/benchmarks.md``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.comparison.command import read
from benchmarks.comparison.report import report
from benchmarks.environment import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- figures: written by benchmarks.comparison.docs, not by hand -->"
END = "<!-- end of figures -->"


def rendered(page: str, document: dict[str, Any]) -> str:
    """The page with the figures of the run between its markers. Raises ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN!r} and {END!r}")
    told = "\n".join(f"    {name:<9}{value}" for name, value in document["header"].items())
    body = report({**document, "header": {}}).strip()
    return f"{before}{BEGIN}\n\n{told}\n\n{body.replace('## ', '### ')}\n\n{END}{after}"


def main(path: Path) -> None:
    PAGE.write_text(rendered(PAGE.read_text(), read(path)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
