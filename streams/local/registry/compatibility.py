"""The registry's compatibility levels, by the rules that the committed schemas are held to."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import compatibility
from schemas.avro_names import expanded, parsed

_TRANSITIVE = "_TRANSITIVE"


def incompatibilities(schema: str, earlier: Sequence[str], level: str) -> list[str]:
    """Why the schema breaks the level against the earlier ones (the oldest first); empty when it does not.

    BACKWARD: the new schema reads what the newest earlier one wrote. FORWARD: the other way round. FULL: both.
    _TRANSITIVE: against all earlier ones instead of the newest.
    """
    new = expanded(parsed(schema))
    rules = level if level.endswith(_TRANSITIVE) else level + _TRANSITIVE
    first = 0 if level.endswith(_TRANSITIVE) else len(earlier) - 1
    return [
        f"against schema {number} of {len(earlier)}: {reason}"
        for number, text in enumerate(earlier[first:], start=first + 1)
        for reason in compatibility.incompatibilities(rules, new, expanded(parsed(text)))
    ]
