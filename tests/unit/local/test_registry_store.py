"""What the local registry knows, and that its journal says all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from streams.local.errors import LocalStackError
from streams.local.registry.compatibility import incompatibilities
from streams.local.registry.errors import RegistryRefusal
from streams.local.registry.identity import guid_of
from streams.local.registry.journal import Journal
from streams.local.registry.store import LATEST, LEVELS, SchemaStore


def record(*names: str) -> str:
    fields = [{"name": name, "type": "long", "default": 0} for name in names]
    return json.dumps({"type": "record", "name": "Line", "namespace": "test", "fields": fields})


WITHOUT_DEFAULT = json.dumps(
    {"type": "record", "name": "Line", "namespace": "test", "fields": [{"name": "new", "type": "long"}]}
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "schemas.jsonl"


def opened(path: Path) -> tuple[SchemaStore, Journal]:
    journal = Journal(path)
    return SchemaStore(journal, incompatibilities), journal


@pytest.fixture
def store(path: Path) -> SchemaStore:
    return opened(path)[0]


def code(of: Callable[[], object]) -> int:
    with pytest.raises(RegistryRefusal) as refused:
        of()
    return refused.value.code


def test_everything_is_read_back_from_the_journal(path: Path) -> None:
    store, journal = opened(path)
    store.register("a", record())
    store.register("a", record("x"))
    store.register("b", record())
    store.register("gone", record("y"))
    store.set_level("a", "FULL")
    store.set_level("b", "NONE")
    store.set_level("b", None)
    store.set_level(None, "FORWARD")
    store.delete("a", 1)
    store.delete("gone")
    store.purge("gone")
    journal.close()
    again, _ = opened(path)
    assert again.subjects(deleted=True) == ["a", "b"]
    assert again.versions("a", deleted=True) == store.versions("a", deleted=True)
    assert again.versions("b") == store.versions("b")
    assert (again.level("a"), again.level("b"), again.level()) == ("FULL", "FORWARD", "FORWARD")
    assert again.by_id(3) == record("y"), "what was written with a purged subject's schema can still be read"
    assert again.register("gone", record("z")).number == 2, "a number is not used again"


def test_a_change_is_in_the_journal_before_it_is_confirmed(store: SchemaStore, path: Path) -> None:
    made = store.register("a", record())
    assert json.loads(path.read_text().splitlines()[-1])["id"] == made.schema_id


def test_a_refused_schema_leaves_no_trace(store: SchemaStore, path: Path) -> None:
    store.register("a", record())
    before = path.read_text()
    assert code(lambda: store.register("a", WITHOUT_DEFAULT)) == 409
    assert code(lambda: store.register("a", "nonsense")) == 42201
    assert code(lambda: store.set_level("a", "SIDEWAYS")) == 42203
    assert path.read_text() == before


def test_texts_that_mean_the_same_are_one_version(store: SchemaStore) -> None:
    made = store.register("a", record("x"))
    reordered = json.dumps(dict(reversed(json.loads(record("x")).items())), indent=2)
    assert store.register("a", reordered) == made
    assert store.lookup("a", reordered) == made
    assert guid_of(reordered) == made.guid


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "{",
        "{}",
        '"colour"',
        '{"type": "record"}',
        '{"type": "enum", "name": "E", "symbols": ["a b"]}',
    ],
)
def test_what_is_no_schema_is_refused(store: SchemaStore, schema: str) -> None:
    assert code(lambda: store.register("a", schema)) == 42201


def test_versions_are_found_by_number_and_as_the_latest(store: SchemaStore) -> None:
    first, second = store.register("a", record()), store.register("a", record("x"))
    assert store.version("a", 1) == first
    assert store.version("a", LATEST) == second
    assert code(lambda: store.version("a", 3)) == 40402
    assert code(lambda: store.version("b", 1)) == 40401


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_asks_for_what_its_name_says(level: str) -> None:
    adds, drops = WITHOUT_DEFAULT, record()
    backward_breaks = bool(incompatibilities(adds, [drops], level)) if level != "NONE" else False
    forward_breaks = bool(incompatibilities(drops, [adds], level)) if level != "NONE" else False
    assert backward_breaks == level.startswith(("BACKWARD", "FULL"))
    assert forward_breaks == level.startswith(("FORWARD", "FULL"))


@pytest.mark.parametrize(("level", "breaks"), [("BACKWARD", False), ("BACKWARD_TRANSITIVE", True)])
def test_a_transitive_level_looks_at_all_earlier_schemas(level: str, breaks: bool) -> None:
    earlier: Sequence[str] = [record(), WITHOUT_DEFAULT]
    assert bool(incompatibilities(WITHOUT_DEFAULT, earlier, level)) == breaks


def test_a_journal_is_written_by_one_registry_at_a_time(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(LocalStackError, match="another registry"):
        Journal(path)
    journal.close()
    Journal(path).close()


def test_an_unfinished_last_line_is_cut_off(path: Path) -> None:
    path.write_bytes(b'{"a":1}\n{"b":')
    journal = Journal(path)
    assert list(journal.entries()) == [{"a": 1}]
    journal.append({"c": 3})
    assert list(journal.entries()) == [{"a": 1}, {"c": 3}]
    assert path.read_bytes() == b'{"a":1}\n{"c":3}\n'


def test_a_damaged_line_is_named(path: Path) -> None:
    path.write_bytes(b'{"a":1}\nxx\n{"b":2}\n')
    with pytest.raises(LocalStackError, match="line 2 is damaged"):
        list(Journal(path).entries())
