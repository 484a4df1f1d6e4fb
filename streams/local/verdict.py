"""What one check of ``atstream doctor`` found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """`what` was found, and the `fix` when it is not `ok`. `outage`: a service did not answer."""

    name: str
    ok: bool
    what: str
    fix: str = ""
    outage: bool = False

    def as_json(self) -> dict[str, Any]:
        """The verdict as a JSON object."""
        return asdict(self)
