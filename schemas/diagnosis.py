"""Why bytes could not be read: a slow walk over them, made only after the fast reader has given up.

The walk names the field at which the bytes stop making sense. When they make sense to their writer's schema but
not to ours, it names the value that ours has no place for.
"""

from __future__ import annotations

import struct
from typing import Any

from schemas.avro_names import Node, kind_of
from schemas.rejections import (
    MALFORMED,
    NOT_A_NUMBER,
    NULL_FIELD,
    TRUNCATED,
    UNKNOWN_ENUM,
    WRONG_SCHEMA,
    Rejection,
    quoted,
    rejection,
)
from schemas.resolution import conflicts

_MAX_VARINT_BYTES = 10
_FLOATS = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}


def damage_in(data: bytes, writer: Node) -> Rejection | None:
    """What is wrong with ``data`` for its own writer's schema, None if it can be read with that."""
    try:
        _Walk(data).value(writer, "")
    except _BrokenError as broken:
        return rejection(broken.code, broken.path, broken.problem)
    return None


def diagnose(data: bytes, writer: Node, reader: Node) -> Rejection:
    """What is wrong with ``data``, which could not be read as ``reader``. Both schemas are expanded records."""
    walk = _Walk(data)
    try:
        fields = walk.value(writer, "")
    except _BrokenError as broken:
        return rejection(broken.code, broken.path, broken.problem)
    return _unplaced_value(fields, reader) or _unresolved(reader, writer)


def _unplaced_value(fields: dict[str, Any], reader: Node) -> Rejection | None:
    """The first value that a top-level field of ours cannot hold."""
    assert isinstance(reader, dict)
    for field in reader["fields"]:
        name, expected = field["name"], field["type"]
        if name not in fields:
            continue
        value, kind = fields[name], kind_of(expected)
        if value is None and kind not in ("null", "union"):
            return rejection(NULL_FIELD, name, "is null")
        if isinstance(value, float) and kind in ("int", "long", "union"):
            return rejection(NOT_A_NUMBER, name, f"{quoted(value)} was written as a floating-point number")
        if kind == "enum" and value not in expected["symbols"] and "default" not in expected:
            return rejection(UNKNOWN_ENUM, name, f"{quoted(value)} is none of {', '.join(expected['symbols'])}")
    return None


def _unresolved(reader: Node, writer: Node) -> Rejection:
    found = [str(conflict) for _, conflict in zip(range(3), conflicts(reader, writer), strict=False)]
    problem = "; ".join(found) or "the writer's schema cannot be resolved against ours"
    return rejection(WRONG_SCHEMA, "", problem)


class _BrokenError(Exception):
    def __init__(self, code: str, path: str, problem: str) -> None:
        super().__init__(problem)
        self.code, self.path, self.problem = code, path, problem


class _Walk:
    """Reads values of expanded schemas from the front of the bytes. Terminates: every step takes bytes or ends."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def value(self, node: Node, path: str) -> Any:
        kind = kind_of(node)
        if isinstance(node, list):
            return self.value(node[self.index(len(node), path, MALFORMED, "union branch")], path)
        if isinstance(node, dict) and kind in ("record", "enum", "array", "map", "fixed"):
            return self.compound(node, kind, path)
        return self.primitive(kind, path)

    def compound(self, node: dict[str, Any], kind: str, path: str) -> Any:
        if kind == "record":
            inner = f"{path}." if path else ""
            return {field["name"]: self.value(field["type"], inner + field["name"]) for field in node["fields"]}
        if kind == "enum":
            return node["symbols"][self.index(len(node["symbols"]), path, UNKNOWN_ENUM, "symbol")]
        if kind == "fixed":
            return self.take(node["size"], path)
        return self.blocks(node, path)

    def primitive(self, kind: str, path: str) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return self.take(1, path) != b"\0"
        if kind in ("int", "long"):
            return self.varint(path)
        if kind in _FLOATS:
            return _FLOATS[kind].unpack(self.take(_FLOATS[kind].size, path))[0]
        taken = self.take(self.varint(path), path)
        if kind == "bytes":
            return taken
        try:
            return taken.decode()
        except UnicodeDecodeError as error:
            raise _BrokenError(MALFORMED, path, f"is not UTF-8: {error.reason}") from error

    def blocks(self, node: dict[str, Any], path: str) -> list[Any]:
        """The items of an array or the values of a map. Empty items cannot occur: such schemas are refused."""
        found = []
        while count := self.varint(path):
            if count < 0:
                self.varint(path)
            for _ in range(abs(count)):
                if "values" in node:
                    self.primitive("string", path)
                found.append(self.value(node["items"] if "items" in node else node["values"], path))
        return found

    def index(self, choices: int, path: str, code: str, what: str) -> int:
        chosen = self.varint(path)
        if not 0 <= chosen < choices:
            raise _BrokenError(code, path, f"{what} {chosen} of {choices}")
        return chosen

    def varint(self, path: str) -> int:
        number = 0
        for shift in range(_MAX_VARINT_BYTES):
            byte = self.take(1, path)[0]
            number |= (byte & 0x7F) << (7 * shift)
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
        raise _BrokenError(MALFORMED, path, f"a number of more than {_MAX_VARINT_BYTES} bytes")

    def take(self, count: int, path: str) -> bytes:
        if count < 0:
            raise _BrokenError(MALFORMED, path, f"a length of {count} bytes")
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise _BrokenError(TRUNCATED, path, f"needs {count} bytes at offset {self.at}, {len(taken)} are left")
        self.at += count
        return taken
