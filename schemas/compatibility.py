"""No edit of an Avro file may break what is already written, or whoever still reads with an older version.

``schemas/history/<name>/v<n>.avsc`` holds the versions that were released. ``check`` compares the file in
``schemas/avro`` with every one of them, as the topic's compatibility asks: BACKWARD_TRANSITIVE, we must read
what any version wrote; FULL_TRANSITIVE, and any version must read what we write. ``make check`` runs this
module.

To release an edit, copy the file to the next version; versions that are there are never edited.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from fastavro import parse_schema
from fastavro.schema import SchemaParseException

from schemas import avro_files
from schemas.avro_names import Node, SchemaRefused, expanded, parsed
from schemas.resolution import conflicts
from schemas.topics import BACKWARD_TRANSITIVE, FULL_TRANSITIVE, TOPICS

FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
HISTORY = Path(__file__).parent / "history"

_VERSION = re.compile(r"v([1-9][0-9]*)")
_OUR_DATA = "older readers could not read what is written now"
_OLD_DATA = "what was written could not be read any more"


class Violation(NamedTuple):
    """Why an edit breaks compatibility. ``version`` is the released version it breaks with, such as ``v1``."""

    name: str
    version: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}.avsc against {self.version or 'its history'}: {self.reason}"


def check(current: Path = avro_files.FOLDER, history: Path = HISTORY) -> list[Violation]:
    """Everything that is wrong with the Avro files in ``current``, given the released versions in ``history``."""
    levels = {topic.avsc: topic.compatibility for topic in TOPICS if topic.avsc}
    names = {path.stem for path in current.glob("*.avsc")}
    gone = sorted({path.name for path in history.iterdir() if path.is_dir()} - names)
    found = [Violation(name, "", "was released and is gone; consumers still need it") for name in gone]
    for name in sorted(names):
        level = levels.get(name)
        if level is None:
            found.append(Violation(name, "", "belongs to no topic, so its compatibility is not known"))
        else:
            found += _check_one(name, level, current / f"{name}.avsc", versions(name, history))
    return found


def versions(name: str, history: Path = HISTORY) -> Mapping[str, Path]:
    """The released versions of a schema, oldest first."""
    numbered = [
        (match, path) for path in (history / name).glob("*.avsc") if (match := _VERSION.fullmatch(path.stem))
    ]
    return {path.stem: path for match, path in sorted(numbered, key=lambda pair: int(pair[0][1]))}


def incompatibilities(level: str, new: Node, old: Node) -> Iterator[str]:
    """Why ``new`` may not follow ``old``. Raises ValueError for a level that is not a transitive one."""
    if level not in (BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE, FULL_TRANSITIVE):
        raise ValueError(f"compatibility {level!r} is not one that is checked here")
    if level != FORWARD_TRANSITIVE:
        yield from (f"{conflict}; {_OLD_DATA}" for conflict in conflicts(new, old))
    if level != BACKWARD_TRANSITIVE:
        yield from (f"{conflict}; {_OUR_DATA}" for conflict in conflicts(old, new))


def _check_one(name: str, level: str, path: Path, released: Mapping[str, Path]) -> Iterator[Violation]:
    if not released:
        yield Violation(name, "", "no released version; copy the file to v1.avsc there")
    try:
        new = _expanded(path)
    except SchemaRefused as error:
        yield Violation(name, "", f"is no valid schema: {error}")
        return
    try:
        parse_schema(avro_files.without_logical_types(parsed(path.read_text(encoding="utf-8"))), {})
    except SchemaParseException as error:
        yield Violation(name, "", f"is no valid schema: {error}")
    for version, old_path in released.items():
        for reason in incompatibilities(level, new, _expanded(old_path)):
            yield Violation(name, version, reason)


def _expanded(path: Path) -> Node:
    return expanded(parsed(path.read_text(encoding="utf-8")))


def main() -> int:
    """Print every violation; 0 if there is none, else 1."""
    found = check()
    for violation in found:
        print(f"BREAKING  {violation}")
    if found:
        print(f"{len(found)} breaking. Undo the edit, or give the field a default, or add a new field or topic.")
        return 1
    total = sum(len(versions(name)) for name in avro_files.names())
    print(f"{len(avro_files.names())} schemas are compatible with all {total} released versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
