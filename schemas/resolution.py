"""Avro schema resolution: which data written with one schema can be read with another, and why not.

Rules of the Avro 1.11 specification ("Schema Resolution"), plus one of ours: a field whose logical types differ on
the two sides is a conflict, because milliseconds read as microseconds would be silently wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.avro_names import Node, kind_of

_PROMOTIONS: dict[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
"""Writer type -> the other reader types that can read it."""


class Conflict(NamedTuple):
    """One reason why a reader cannot read a writer. ``path`` is dotted, empty for the record itself.

    ``silent``: an Avro library would read it all the same, and get wrong values.
    """

    path: str
    reason: str
    silent: bool = False

    def __str__(self) -> str:
        return f"{self.path or 'record'}: {self.reason}"


def conflicts(reader: Node, writer: Node, path: str = "") -> Iterator[Conflict]:
    """Why ``reader`` cannot read everything that ``writer`` can write; nothing when it can. Both are expanded."""
    if isinstance(writer, list):
        for branch in writer:
            yield from conflicts(reader, branch, path)
        return
    if isinstance(reader, list):
        if not any(readable(branch, writer) for branch in reader):
            yield from _in_no_branch(reader, writer, path)
        return
    yield from _same_shape(reader, writer, path)


def readable(reader: Node, writer: Node) -> bool:
    """Whether ``reader`` can read everything that ``writer`` can write."""
    return next(conflicts(reader, writer), None) is None


def _in_no_branch(reader: list[Any], writer: Node, path: str) -> Iterator[Conflict]:
    """The conflict with the branch of the same kind, or with the union as a whole."""
    alike = next((branch for branch in reader if kind_of(branch) == kind_of(writer)), None)
    if alike is None:
        yield Conflict(path, f"written as {_named(writer)}, which is none of {_all_named(reader)}")
    else:
        yield from _same_shape(alike, writer, path)


def _same_shape(reader: Node, writer: Node, path: str) -> Iterator[Conflict]:
    read, written = kind_of(reader), kind_of(writer)
    if read != written:
        if read not in _PROMOTIONS.get(written, frozenset()):
            yield Conflict(path, f"written as {_named(writer)}, read as {_named(reader)}")
        return
    if isinstance(reader, dict) and isinstance(writer, dict):
        ours, theirs = reader.get("logicalType"), writer.get("logicalType")
        if ours and theirs and ours != theirs:
            yield Conflict(path, f"written as {theirs}, read as {ours}", silent=True)
        if read in ("record", "enum", "fixed") and not _same_name(reader, writer):
            yield Conflict(path, f"written as {read} {writer['name']}, read as {read} {reader['name']}")
            return
        yield from _INSIDE.get(read, _nothing)(reader, writer, path)


def _same_name(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    return writer["name"] in (reader["name"], *reader.get("aliases", ()))


def _nothing(_reader: dict[str, Any], _writer: dict[str, Any], _path: str) -> Iterator[Conflict]:
    return iter(())


def _record(reader: dict[str, Any], writer: dict[str, Any], path: str) -> Iterator[Conflict]:
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        inner = f"{path}.{field['name']}" if path else field["name"]
        names = (field["name"], *field.get("aliases", ()))
        match = next((written[name] for name in names if name in written), None)
        if match is not None:
            yield from conflicts(field["type"], match["type"], inner)
        elif "default" not in field:
            yield Conflict(inner, "read, never written, and without a default")


def _enum(reader: dict[str, Any], writer: dict[str, Any], path: str) -> Iterator[Conflict]:
    unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    if unknown and "default" not in reader:
        yield Conflict(path, f"symbols {', '.join(unknown)} may be written and are not known to the reader")


def _fixed(reader: dict[str, Any], writer: dict[str, Any], path: str) -> Iterator[Conflict]:
    if reader["size"] != writer["size"]:
        yield Conflict(path, f"written as fixed of {writer['size']} bytes, read as {reader['size']}")


def _array(reader: dict[str, Any], writer: dict[str, Any], path: str) -> Iterator[Conflict]:
    yield from conflicts(reader["items"], writer["items"], f"{path}[]")


def _map(reader: dict[str, Any], writer: dict[str, Any], path: str) -> Iterator[Conflict]:
    yield from conflicts(reader["values"], writer["values"], f"{path}{{}}")


_INSIDE = {"record": _record, "enum": _enum, "fixed": _fixed, "array": _array, "map": _map}


def _named(node: Node) -> str:
    if isinstance(node, dict) and "name" in node:
        return f"{kind_of(node)} {node['name']}"
    return kind_of(node)


def _all_named(union: list[Any]) -> str:
    return ", ".join(_named(branch) for branch in union)
