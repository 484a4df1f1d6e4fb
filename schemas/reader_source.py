"""Python statements that read a value written with one schema as a value of another.

The statements read ``b`` from ``i`` on and leave ``i`` behind the value. They never look beyond the end unnoticed:
a byte that is not there is an IndexError, and a slice that is too short leaves ``i`` beyond the end, which the
reader of the whole record looks at. What is not the usual raises (``schemas.primitives``).

Schemas of writers are not trusted: no text of theirs becomes source. Names in the source are ours or numbers.
"""

from __future__ import annotations

from typing import Any

from schemas.avro_names import Node, kind_of
from schemas.resolution import readable

MAX_NESTING = 8
MAX_STATEMENTS = 2_000
MAX_FIXED_BYTES = 65_536
_PROMOTED = {(whole, real) for whole in ("int", "long") for real in ("float", "double")}
_SAME = {("int", "long"), ("float", "double")}


class Unsupported(ValueError):
    """No reader is generated for this pair of schemas; the message says why."""


class ReaderSource:
    """Statements under construction, and the constants that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, object] = {}
        self._nesting = 0
        self._temporaries = 0

    def add(self, *statements: str) -> None:
        """Statements at the present indentation."""
        if len(self.lines) > MAX_STATEMENTS:
            raise Unsupported(f"more than {MAX_STATEMENTS} statements")
        self.lines += ["    " * (2 + self._nesting) + statement for statement in statements]

    def value(self, written: Node, expected: Node | None, target: str) -> None:
        """Read what was ``written`` as ``expected`` into ``target``; ``expected`` None: check it and go on."""
        if isinstance(written, list):
            self._union(written, expected, target)
            return
        kind = kind_of(written)
        if isinstance(expected, list):
            others = [branch for branch in expected if branch != "null"]
            if len(others) > 1:
                raise Unsupported("a union of more than one type and null")
            expected = "null" if "null" in expected and (kind == "null" or not others) else others[0]
        if expected is not None and not _alike(written, expected):
            # Always: what cannot be read as ours is named by the slower reader.
            self.add("raise _doubtful")
        elif isinstance(written, dict) and kind in _COMPOUND:
            _COMPOUND[kind](self, written, expected, target)
        else:
            self._primitive(kind, written, expected, target)

    def _primitive(self, kind: str, written: Node, expected: Node | None, target: str) -> None:
        wanted = expected is not None
        if kind == "null":
            self.add(f"{target} = None")
        elif kind in ("int", "long"):
            self._number(written, expected, target)
        elif kind in ("string", "bytes"):
            self.add("n = _lengths[b[i]]", "i += 1", "if n is None:", "    n, i = _length(b, i - 1)")
            self.add(f"{target} = b[i:(i := i + n)]" + (".decode()" if kind == "string" else ""))
        elif kind == "boolean":
            self.add("n = b[i]", "i += 1", "if n > 1:", "    raise _doubtful", f"{target} = n == 1")
        else:
            self.add(f"{target} = _{kind}(b, i)[0]" if wanted else "pass", f"i += {4 if kind == 'float' else 8}")

    def _number(self, written: Node, expected: Node | None, target: str) -> None:
        real = expected is not None and kind_of(expected) in ("float", "double")
        if not real and "timestamp-micros" in (_logical(written), _logical(expected)):
            self.add("q, r, s, t = _quarters(b, i)", "i += 8")
            self.add(f"{target} = _first[q] + _second[r] + _third[s] + _fourth[t]")
            return
        self.add("n = b[i]", "if n < 128:", f"    {target} = _small[n]", "    i += 1")
        self.add("else:", f"    {target}, i = _long(b, i)")
        if real:
            self.add(f"{target} = float({target})")

    def _union(self, written: list[Any], expected: Node | None, target: str) -> None:
        if not 0 < len(written) <= 64:
            raise Unsupported("a union without branches, or with more than 64")
        self.add("n = b[i]", "i += 1")
        word = "if"
        for number, branch in enumerate(written):
            self.add(f"{word} n == {2 * number}:")
            self._inside(branch, expected, target)
            word = "elif"
        self.add("else:", "    raise _doubtful")

    def _inside(self, written: Node, expected: Node | None, target: str) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise Unsupported(f"nested deeper than {MAX_NESTING}")
        self.value(written, expected, target)
        self._nesting -= 1

    def _record(self, written: dict[str, Any], expected: Any, target: str) -> None:
        wanted = {} if expected is None else {field["name"]: self._temporary() for field in expected["fields"]}
        self.fields(written, expected, wanted)
        if expected is not None:
            self.add(f"{target} = {as_dict(wanted)}")

    def fields(self, written: dict[str, Any], expected: dict[str, Any] | None, wanted: dict[str, str]) -> None:
        """Read the fields of a record; ``wanted`` says in which variables those of ``expected`` are kept."""
        ours = {} if expected is None else {field["name"]: field for field in expected["fields"]}
        names = [field["name"] for field in written["fields"]]
        if len(set(names)) < len(names) or any("aliases" in field for field in ours.values()):
            raise Unsupported("two fields of one name, or a field of several names")
        absent = [name for name in ours if name not in names]
        for name in absent:
            self._check_default(ours[name])
        for field in written["fields"]:
            name = field["name"]
            kept = None if name not in ours else ours[name]["type"]
            if name not in wanted and kept == field["type"]:
                kept = None
            self.value(field["type"], kept, wanted.get(name) or self._temporary())
        for name in absent:
            if name in wanted:
                self.add(f"{wanted[name]} = {ours[name]['default']!r}")

    def _check_default(self, field: dict[str, Any]) -> None:
        if "default" not in field:
            raise Unsupported(f"{field['name']} is not written and has no default")
        if field["default"] not in (None, [], {}) and type(field["default"]) not in (bool, int, str):
            raise Unsupported(f"the default of {field['name']}")
        if kind_of(field["type"]) in ("bytes", "fixed"):
            raise Unsupported(f"the default of {field['name']} is bytes")

    def _enum(self, written: dict[str, Any], expected: Any, target: str) -> None:
        ours = written["symbols"] if expected is None else expected["symbols"]
        other = None if expected is None else expected.get("default")
        table = {
            2 * number: symbol if symbol in ours else other for number, symbol in enumerate(written["symbols"])
        }
        name = f"_symbols_{len(self.constants)}"
        self.constants[name] = {
            byte: symbol for byte, symbol in table.items() if symbol is not None and byte < 128
        }
        self.add(f"{target} = {name}[b[i]]", "i += 1")

    def _fixed(self, written: dict[str, Any], expected: Any, target: str) -> None:
        if not 0 < written["size"] <= MAX_FIXED_BYTES:
            raise Unsupported(f"a fixed without bytes, or of more than {MAX_FIXED_BYTES}")
        self.add(f"{target} = b[i:(i := i + {written['size']})]")

    def _blocks(self, written: dict[str, Any], expected: Any, target: str) -> None:
        part = "items" if written["type"] == "array" else "values"
        inner, key = self._temporary(), self._temporary()
        kept = None if expected is None else expected[part]
        if expected is not None:
            self.add(f"{target} = {'[]' if part == 'items' else '{}'}")
        self.add("while b[i]:", "    n, i = _block(b, i)", "    for _ in range(n):")
        self._nesting += 1
        if part == "values":
            self._inside("string", "string", key)
        self._inside(written[part], kept, inner)
        if expected is not None:
            self.add(f"    {target}.append({inner})" if part == "items" else f"    {target}[{key}] = {inner}")
        self._nesting -= 1
        self.add("i += 1")

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"_v{self._temporaries}"


_COMPOUND = {
    "record": ReaderSource._record,
    "enum": ReaderSource._enum,
    "fixed": ReaderSource._fixed,
    "array": ReaderSource._blocks,
    "map": ReaderSource._blocks,
}


def as_dict(variables: dict[str, str]) -> str:
    """Source of a dict of our fields."""
    return "{" + ", ".join(f"{name!r}: {variable}" for name, variable in variables.items()) + "}"


def _logical(node: Node | None) -> object:
    return node.get("logicalType") if isinstance(node, dict) else None


def _alike(written: Node, expected: Node) -> bool:
    """Whether values of one type can be read as the other one, by kind and name; the rest shows in the values."""
    kinds = (kind_of(written), kind_of(expected))
    if kinds[0] != kinds[1]:
        return kinds in _PROMOTED | _SAME
    if isinstance(written, dict) and isinstance(expected, dict) and "name" in written:
        return bool(written["name"] == expected["name"] and written.get("size") == expected.get("size"))
    # Also an empty array or map is refused for what it might have contained.
    return kinds[0] not in ("array", "map") or readable(expected, written)
