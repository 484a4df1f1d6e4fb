"""An Avro schema with every name looked up, so that it can be walked without a table of names.

Schemas of producers come from a registry and are not trusted: their size and depth are bounded, recursive types
and lists of nothing are refused (no message of ours needs them; a few hostile bytes could make a reader loop or
recurse).
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any] | list[Any] | str
"""An expanded schema: a primitive's name, a union as a list, or a dict with ``type``; names are full names."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
MAX_SCHEMA_CHARACTERS = 262_144
MAX_NODES = 10_000
MAX_DEPTH = 32


class SchemaRefused(ValueError):
    """The text is no Avro schema that we work with; the message says why."""


def parsed(text: str) -> Any:
    """The schema's JSON. Raises SchemaRefused if it is no JSON or too large."""
    if len(text) > MAX_SCHEMA_CHARACTERS:
        raise SchemaRefused(f"the schema has {len(text)} characters, {MAX_SCHEMA_CHARACTERS} are allowed")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaRefused(f"the schema is no JSON: {error}") from error


def expanded(schema: Any) -> Node:
    """The schema with names resolved and inlined. Raises SchemaRefused for what is invalid, recursive or too
    large.
    """
    return _Expansion().node(schema, "", 0)


def kind_of(node: Node) -> str:
    """``record``, ``enum``, ``array``, ``map``, ``fixed``, ``union`` or the name of a primitive."""
    if isinstance(node, list):
        return "union"
    return node if isinstance(node, str) else str(node["type"])


class _Expansion:
    """One walk over one schema; ``open`` are the records that the walk is inside of."""

    def __init__(self) -> None:
        self.known: dict[str, Node] = {}
        self.open: set[str] = set()
        self.count = 0

    def node(self, schema: Any, namespace: str, depth: int) -> Node:
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            raise SchemaRefused(f"the schema has more than {MAX_NODES} parts or is deeper than {MAX_DEPTH}")
        if isinstance(schema, str):
            return self.reference(schema, namespace)
        if isinstance(schema, list):
            return [self.node(branch, namespace, depth + 1) for branch in schema]
        if not isinstance(schema, dict) or "type" not in schema:
            raise SchemaRefused(f"{str(schema)[:40]!r} is no Avro type")
        kind = schema["type"]
        if not isinstance(kind, str):
            return self.node(kind, namespace, depth + 1)
        if kind in ("record", "enum", "fixed"):
            return self.named(schema, kind, namespace, depth)
        if kind in ("array", "map"):
            return self.collection(schema, kind, namespace, depth)
        node = self.reference(kind, namespace)
        logical = schema.get("logicalType")
        return {"type": node, "logicalType": logical} if isinstance(node, str) and logical else node

    def reference(self, name: str, namespace: str) -> Node:
        if name in PRIMITIVES:
            return name
        full = _full_name(name, namespace)
        if full in self.open:
            raise SchemaRefused(f"{full} contains itself")
        if full not in self.known:
            raise SchemaRefused(f"{full} is not defined")
        self.count += _size(self.known[full])
        return self.known[full]

    def collection(self, schema: dict[str, Any], kind: str, namespace: str, depth: int) -> Node:
        part = "items" if kind == "array" else "values"
        if part not in schema:
            raise SchemaRefused(f"an {kind} without {part}")
        inner = self.node(schema[part], namespace, depth + 1)
        if kind == "array" and _may_be_nothing(inner):
            raise SchemaRefused("an array whose items take no bytes")
        return {"type": kind, part: inner}

    def named(self, schema: dict[str, Any], kind: str, namespace: str, depth: int) -> Node:
        if not isinstance(schema.get("name"), str):
            raise SchemaRefused(f"a {kind} without a name")
        given = schema.get("namespace")
        full = _full_name(schema["name"], given if isinstance(given, str) else namespace)
        inside = full.rpartition(".")[0]
        node: dict[str, Any] = {"type": kind, "name": full}
        if "aliases" in schema:
            node["aliases"] = [_full_name(str(alias), inside) for alias in _listed(schema, "aliases")]
        if kind == "record":
            self.open.add(full)
            node["fields"] = [self.field(field, inside, depth) for field in _listed(schema, "fields")]
            self.open.discard(full)
        elif kind == "enum":
            node["symbols"] = [str(symbol) for symbol in _listed(schema, "symbols")]
            node |= {"default": schema["default"]} if "default" in schema else {}
        elif isinstance(schema.get("size"), int):
            node["size"] = schema["size"]
        else:
            raise SchemaRefused(f"fixed {full} without a size")
        self.known[full] = node
        return node

    def field(self, field: Any, namespace: str, depth: int) -> dict[str, Any]:
        if not isinstance(field, dict) or not isinstance(field.get("name"), str) or "type" not in field:
            raise SchemaRefused(f"{str(field)[:40]!r} is no field")
        kept = {key: field[key] for key in ("name", "default", "aliases") if key in field}
        return kept | {"type": self.node(field["type"], namespace, depth + 1)}


def _listed(schema: dict[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    if not isinstance(value, list):
        raise SchemaRefused(f"{schema['name']} without a list of {key}")
    return value


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _may_be_nothing(node: Node) -> bool:
    """Whether a value of this type may take no bytes at all."""
    if isinstance(node, dict) and node["type"] == "record":
        return all(_may_be_nothing(field["type"]) for field in node["fields"])
    return node == "null" or (isinstance(node, dict) and node["type"] == "fixed" and node["size"] <= 0)


def _size(node: Node) -> int:
    """How many parts a node has."""
    if isinstance(node, list):
        return 1 + sum(map(_size, node))
    if isinstance(node, dict):
        inner = [field["type"] for field in node.get("fields", ())]
        return 1 + sum(map(_size, inner)) + sum(_size(node[key]) for key in ("items", "values") if key in node)
    return 1
