"""A reader of messages as Python source, generated for the pair of a writer's schema and ours.

What fastavro finds out anew for every message (the type of each field, whether we want it, what it becomes) is
decided here once. A generated reader only ever answers for the usual; whatever else it meets it hands over to the
reader that it was bound with, so that both always give the same answer.

    python -m schemas.compiler TOPIC [FILE]    show the reader of a topic, for the schema in FILE or our own
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from keyword import iskeyword
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple, TypeAlias, TypeVar

from schemas import avro_files
from schemas.avro_names import expanded, parsed
from schemas.primitives import RUNTIME
from schemas.reader_source import ReaderSource, Unsupported, as_dict

Answer = TypeVar("Answer")
Read: TypeAlias = Callable[[bytes, int], Answer]
"""Reads the value whose Avro bytes begin at an offset. Never raises for what is wrong with the bytes."""

MAX_READERS = 256
"""Generated readers remembered in a program, whoever asked for them."""


class CompiledReader(NamedTuple):
    """A generated reader: its source, and what it takes to run it."""

    source: str
    code: CodeType
    constants: dict[str, object]

    def bind(self, otherwise: Read[Answer], build: Callable[..., Answer] | None = None) -> Read[Answer]:
        """The reader as a function. ``build`` answers with the wanted fields, ``otherwise`` with the bytes."""
        names: dict[str, Any] = {**RUNTIME, **self.constants, "_otherwise": otherwise, "_build": build}
        exec(self.code, names)
        read: Read[Answer] = names["read"]
        return read


@lru_cache(maxsize=MAX_READERS)
def compiled(topic: str, text: str, wanted: tuple[str, ...] | None = None) -> CompiledReader:
    """The reader of what was written with the schema ``text``, as the record of ``topic``.

    ``wanted`` names the fields that ``build`` takes, in its order; None: the answer is a dict of all fields.
    Raises Unsupported if no reader can be generated. The text has been accepted by ``plans.plan_for``.
    """
    return generated(topic, expanded(parsed(text)), _expected(topic), wanted)


def generated(name: str, written: Any, expected: Any, wanted: tuple[str, ...] | None = None) -> CompiledReader:
    """The reader of one expanded record schema as another one. Raises Unsupported."""
    ours = [field["name"] for field in expected["fields"]]
    if not all(map(_fit_for_source, ours)):
        raise Unsupported("names of fields that are no names of variables")
    kept = {field: field for field in (ours if wanted is None else wanted)}
    body = ReaderSource()
    body.fields(written, expected, kept)
    answer = as_dict(kept) if wanted is None else f"_build({', '.join(wanted)})"
    source = "\n".join(
        (
            "def read(b, start):",
            "    try:",
            "        i = start",
            *body.lines,
            "        if i != len(b):",
            "            raise _doubtful",
            "    except _doubts:",
            "        return _otherwise(b, start)",
            f"    return {answer}",
            "",
        )
    )
    try:
        code = compile(source, f"<reader of {name}>", "exec")
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise Unsupported(f"the source does not compile: {error}") from error
    return CompiledReader(source, code, body.constants)


@cache
def _expected(topic: str) -> Any:
    return expanded(json.loads(avro_files.text(topic)))


def _fit_for_source(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and not name.startswith("_") and len(name) > 1


def main(arguments: list[str]) -> None:
    """Print the source of a reader."""
    topic, *files = arguments
    text = Path(files[0]).read_text(encoding="utf-8") if files else avro_files.text(topic)
    print(compiled(topic, text).source, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
