"""Avro bytes of the steps behind the numbers of a SKU: items of ``explain`` in ``ats-changed``.

All that is text in them is the same in many messages, so the bytes between one number and the next are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from domain.steps import Layout, Steps
from schemas.encodings import LENGTHS, RUNTIME, source_of_number, text

_ITEM = "atstream.ExplainTerm"

MAX_FRAMES = 8_192
"""Locations, pools and channels, each with a layout, whose bytes are remembered: 8 MB with usual names."""


MAX_FILLS = 64
"""Lengths of waterfalls for which a generated function is remembered; they have up to 9 steps."""

Fill: TypeAlias = Callable[[Sequence[bytes], Sequence[int]], tuple[bytes, ...]]


class Frames(dict[tuple[str, str, Layout], tuple[Fill, tuple[bytes, ...]]]):
    """The bytes around the units of some steps, and what puts the units in."""

    def __missing__(self, key: tuple[str, str, Layout]) -> tuple[Fill, tuple[bytes, ...]]:
        scope, name, layout = key
        start = text(scope) + text(name)
        frame = [b""]
        for step, note in zip(layout.names, layout.notes, strict=True):
            frame[-1] += start + text(step)
            frame.append(text(note))
        if len(self) >= MAX_FRAMES:
            self.clear()
        self[key] = filled = _fill(len(frame) - 1), tuple(frame)
        return filled


@lru_cache(maxsize=MAX_FILLS)
def _fill(count: int) -> Fill:
    """A generated function that puts so many units between the bytes around them."""
    around = [f"b{number}" for number in range(count + 1)]
    units = [f"u{number}" for number in range(count)]
    pieces = ", ".join(f"{source_of_number(unit)}, {after}" for unit, after in zip(units, around[1:], strict=True))
    source = f"""def fill(frame, units):
    {", ".join(around)}, = frame
    {", ".join(units)}, = units
    return (b0, {pieces})
"""
    names: dict[str, Any] = dict(RUNTIME)
    exec(compile(source, f"<{count} steps>", "exec"), names)
    fill: Fill = names["fill"]
    return fill


_FRAMES = Frames()


def write_steps(several: Sequence[Steps], out: list[bytes]) -> None:
    """Add the steps to ``out``, as the only block of an array. Raises Doubtful or another of ``DOUBTS``."""
    count = 0
    at = len(out)
    out.append(b"")
    for scope, name, layout, units in several:
        fill, frame = _FRAMES[scope, name, layout]
        out += fill(frame, units)
        count += len(units)
    if count:
        out[at] = LENGTHS[count]
    out.append(b"\0")


def is_explained(schema: Any) -> bool:
    """Whether an expanded schema is that of an array of these items."""
    return bool(
        isinstance(schema, dict)
        and schema["type"] == "array"
        and isinstance(schema["items"], dict)
        and schema["items"].get("name") == _ITEM
    )


def as_items(several: Sequence[Steps]) -> list[dict[str, Any]]:
    """The same as records by name."""
    return [
        {"scope": scope, "location": name, "term": step, "units": number, "note": note}
        for scope, name, layout, units in several
        for step, note, number in zip(layout.names, layout.notes, units, strict=True)
    ]
