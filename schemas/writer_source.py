"""Python statements that write a value as Avro bytes: pieces of bytes, added to the list ``out``.

A record is given by name (a dict of its fields) or by position (a tuple of them, in the order of the schema; an
array of explaining terms as ``domain.steps.Steps``). Schemas are our own, and what is not the usual raises
(``schemas.encodings``).
"""

from __future__ import annotations

from typing import Any

from schemas.avro_names import Node, kind_of
from schemas.encodings import source_of_number
from schemas.reader_source import Unsupported
from schemas.steps import is_explained, write_steps

_TEXTS = (
    "bucket",
    "channel",
    "code",
    "findings",
    "location",
    "note",
    "owner",
    "reason",
    "scope",
    "source",
    "term",
)
_TIMES = ("computed_at", "opened_at", "planned_at")
REPEATED = frozenset((*_TEXTS, *_TIMES))
"""Fields whose values are a few that come again and again; their encodings are remembered, as are keys of maps."""


class WriterSource:
    """Statements under construction, and the constants that they name.

    Pieces are kept back until a branch or a loop needs them to be in ``out``, then added all at once.
    """

    def __init__(self, by_position: bool) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, object] = {}
        self._by_position = by_position
        self._pieces: list[str] = []
        self._nesting = 0
        self._temporaries = 0

    def record(self, schema: dict[str, Any], value: str) -> None:
        """Write the fields of the record that is in the variable ``value``."""
        fields = schema["fields"]
        names = [self._temporary() for _ in fields]
        if self._by_position:
            self._expect(f"isinstance({value}, tuple)")
            self._add(f"{', '.join(names)}, = {value}")
        else:
            self._expect(f"type({value}) is dict")
            for field, name in zip(fields, names, strict=True):
                self._add(f"{name} = {_lookup(value, field)}")
        for field, name in zip(fields, names, strict=True):
            self.value(field["type"], name, field["name"] in REPEATED)

    def value(self, schema: Any, value: str, repeated: bool = False) -> None:
        """Write what is in the variable ``value``."""
        kind = "union" if isinstance(schema, list) else kind_of(schema)
        piece = self._piece(schema, value, repeated)
        if piece is not None:
            self._pieces.append(piece)
        elif kind == "string":
            # Only texts have ``encode``.
            self._add(f"{value} = {value}.encode()")
            self._pieces += (f"_lengths[len({value})]", value)
        elif isinstance(schema, list):
            self._union(schema, value, repeated)
        elif kind == "record":
            self.record(schema, value)
        elif kind == "array":
            self._array(schema, value, repeated)
        elif kind == "map":
            self._map(schema, value)
        else:
            raise Unsupported(f"values of type {kind}")

    def flush(self) -> None:
        """Add the pieces to ``out``."""
        if len(self._pieces) == 1:
            self._add(f"append({self._pieces[0]})")
        elif self._pieces:
            self._add(f"out += ({', '.join(self._pieces)})")
        self._pieces = []

    def _piece(self, schema: Node, value: str, repeated: bool) -> str | None:
        """An expression of the bytes, where one is enough."""
        kind = "union" if isinstance(schema, list) else kind_of(schema)
        if kind in ("int", "long"):
            if not isinstance(schema, dict) or "logicalType" not in schema:
                return source_of_number(value, kind)
            if repeated:
                return f"(_times[{value}] if type({value}) is int else _{kind}({value}))"
            return f"_{kind}({value})"
        if kind == "string" and repeated:
            return f"_texts[{value}]"
        if kind == "enum":
            assert isinstance(schema, dict)
            name = f"_symbols_{len(self.constants)}"
            self.constants[name] = {
                symbol: bytes((2 * number,)) for number, symbol in enumerate(schema["symbols"])
            }
            if len(schema["symbols"]) > 64:
                raise Unsupported("an enum of more than 64 symbols")
            return f"{name}[{value}]"
        if kind == "boolean":
            return f"_boolean({value})"
        return None

    def _union(self, branches: list[Any], value: str, repeated: bool) -> None:
        if len(branches) != 2 or "null" not in branches:
            raise Unsupported("a union of anything but null and one type")
        null = branches.index("null")
        other = branches[1 - null]
        bytes_of = {null: "b'\\0'", 1 - null: "b'\\2'"} if null == 0 else {null: "b'\\2'", 1 - null: "b'\\0'"}
        piece = f"_text({value})" if other == "string" and not repeated else self._piece(other, value, repeated)
        if piece is not None:
            self._pieces.append(f"({bytes_of[null]} if {value} is None else {bytes_of[1 - null]} + {piece})")
            return
        self.flush()
        self._add(f"if {value} is None:", f"    append({bytes_of[null]})", "else:")
        self._nesting += 1
        self._pieces.append(bytes_of[1 - null])
        self.value(other, value, repeated)
        self.flush()
        self._nesting -= 1

    def _array(self, schema: dict[str, Any], value: str, repeated: bool) -> None:
        item = self._temporary()
        self._expect(f"type({value}) is list or type({value}) is tuple")
        self.flush()
        if self._by_position and is_explained(schema):
            self.constants["_write_steps"] = write_steps
            self._add(f"_write_steps({value}, out)")
            return
        self._add(f"if {value}:", f"    append(_lengths[len({value})])", f"    for {item} in {value}:")
        self._inside(schema["items"], item, repeated)

    def _map(self, schema: dict[str, Any], value: str) -> None:
        key, item = self._temporary(), self._temporary()
        self._expect(f"type({value}) is dict")
        self.flush()
        self._add(f"if {value}:", f"    append(_lengths[len({value})])")
        self._add(f"    for {key}, {item} in {value}.items():")
        self._pieces.append(f"_texts[{key}]")
        self._inside(schema["values"], item, False)

    def _inside(self, schema: Node, item: str, repeated: bool) -> None:
        """The body of a loop over items, and the block that ends them."""
        self._nesting += 2
        self.value(schema, item, repeated)
        self.flush()
        self._nesting -= 2
        self._pieces.append("b'\\0'")

    def _expect(self, condition: str) -> None:
        self._add(f"if not ({condition}):", "    raise _doubtful")

    def _add(self, *statements: str) -> None:
        self.lines += ["    " * (2 + self._nesting) + statement for statement in statements]

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"v{self._temporaries}"


def _lookup(record: str, field: dict[str, Any]) -> str:
    """Source of a field's value; its default, if it has one that is plain, when it is left out."""
    name = field["name"]
    if field.get("default", ...) is None or type(field.get("default")) in (bool, int, str):
        return f"{record}.get({name!r}, {field['default']!r})"
    return f"{record}[{name!r}]"
