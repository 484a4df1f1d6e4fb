"""A breaking edit of an Avro file fails with the reason; a compatible one passes."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import avro_files, compatibility
from schemas.avro_names import expanded
from schemas.compatibility import FORWARD_TRANSITIVE, HISTORY, check, incompatibilities, versions
from schemas.topics import BACKWARD_TRANSITIVE, FULL_TRANSITIVE

Edit = Callable[[dict[str, Any]], None]


class House:
    """A copy of the Avro files and their history, to be edited."""

    def __init__(self, folder: Path) -> None:
        self.current = Path(shutil.copytree(avro_files.FOLDER, folder / "avro"))
        self.history = Path(shutil.copytree(HISTORY, folder / "history"))

    def edit(self, name: str, edit: Edit) -> None:
        path = self.current / f"{name}.avsc"
        schema = json.loads(path.read_text())
        edit(schema)
        path.write_text(json.dumps(schema))

    def release(self, name: str) -> None:
        number = len(versions(name, self.history)) + 1
        shutil.copy(self.current / f"{name}.avsc", self.history / name / f"v{number}.avsc")

    def violations(self) -> list[str]:
        return [str(each) for each in check(self.current, self.history)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in schema["fields"] if each["name"] == name)


def remove(name: str) -> Edit:
    return lambda schema: schema["fields"].remove(field(schema, name))


def add(name: str, kind: Any, **more: Any) -> Edit:
    return lambda schema: schema["fields"].append({"name": name, "type": kind, **more})


def retype(name: str, kind: Any) -> Edit:
    return lambda schema: field(schema, name).update(type=kind)


def rename(name: str, new: str, **more: Any) -> Edit:
    return lambda schema: field(schema, name).update(name=new, **more)


def symbols(name: str, *new: str) -> Edit:
    return lambda schema: field(schema, name)["type"].update(symbols=list(new))


MICROS = {"type": "long", "logicalType": "timestamp-micros"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}

BREAKING: dict[str, tuple[str, Edit, str]] = {
    "input: a field without default is added": (
        "order-released",
        add("priority", "int"),
        "priority: read, never written, and without a default",
    ),
    "input: a field becomes another type": (
        "order-released",
        retype("quantity", "string"),
        "quantity: written as long, read as string",
    ),
    "input: a number is narrowed": (
        "order-released",
        retype("version", "int"),
        "version: written as long, read as int",
    ),
    "input: null is not allowed any more": (
        "order-released",
        lambda schema: (field(schema, "location").update(type="string"), field(schema, "location").pop("default")),
        "location: written as null, read as string",
    ),
    "input: a symbol is removed": (
        "order-released",
        symbols("state", "OPEN", "CLOSED"),
        "state: symbols CANCELLED may be written and are not known",
    ),
    "input: a field is renamed": (
        "shipment-confirmed",
        rename("quantity", "units"),
        "units: read, never written",
    ),
    "input: the record is renamed": (
        "shipment-confirmed",
        lambda schema: schema.update(name="Shipped"),
        "written as record atstream.ShipmentConfirmed, read as record atstream.Shipped",
    ),
    "input: the namespace is changed": (
        "shipment-confirmed",
        lambda schema: schema.update(namespace="shop"),
        "read as record shop.ShipmentConfirmed",
    ),
    "input: an enum is renamed": (
        "order-released",
        lambda schema: field(schema, "state")["type"].update(name="State"),
        "state: written as enum atstream.LineState, read as enum atstream.State",
    ),
    "input: times get another unit": (
        "shipment-confirmed",
        retype("occurred_at", MILLIS),
        "occurred_at: written as timestamp-micros, read as timestamp-millis",
    ),
    "input: nullable times get another unit": (
        "stock-adjusted",
        retype("as_of", ["null", MILLIS]),
        "as_of: written as timestamp-micros, read as timestamp-millis",
    ),
    "output: a field without default is removed": (
        "stock-variances",
        remove("predicted"),
        "predicted: read, never written, and without a default; older readers",
    ),
    "output: a field without default is added": (
        "stock-variances",
        add("value", "long"),
        "value: read, never written, and without a default; what was written",
    ),
    "output: a number is widened, which older readers cannot read": (
        "stock-variances",
        retype("units", "double"),
        "units: written as double, read as long; older readers",
    ),
    "output: a field becomes nullable, which older readers cannot read": (
        "stock-variances",
        retype("units", ["null", "long"]),
        "units: written as null, read as long; older readers",
    ),
    "output: a symbol without default is added, which older readers do not know": (
        "channel-updates",
        symbols("priority", "P0", "P1", "P2", "P3", "P4", "P5"),
        "priority: symbols P5 may be written and are not known to the reader; older readers",
    ),
    "output: numbers inside a map change": (
        "ats-changed",
        retype("channels", {"type": "map", "values": "string"}),
        "channels{}: written as long, read as string",
    ),
}

HARMLESS: dict[str, tuple[str, Edit]] = {
    "input: a field with default is added": ("order-released", add("gift", ["null", "string"], default=None)),
    "input: a field is removed": ("order-released", remove("channel")),
    "input: a symbol is added": ("order-released", symbols("state", "OPEN", "CANCELLED", "CLOSED", "PAUSED")),
    "input: a field becomes nullable": ("order-released", retype("quantity", ["null", "long"])),
    "input: a field is renamed with an alias": (
        "order-released",
        rename("quantity", "units", aliases=["quantity"]),
    ),
    "output: a field with default is added": ("stock-variances", add("note", "string", default="")),
    "output: a field with default is removed": ("stock-variances", remove("attribution")),
    "output: a symbol is added to an enum with default": (
        "ats-changed",
        lambda schema: field(schema, "confidence")["type"]["symbols"].append("GUESSED"),
    ),
    "documentation is changed": ("ats-changed", lambda schema: schema.update(doc="Other words.")),
    "fields change places": ("ats-changed", lambda schema: schema["fields"].append(schema["fields"].pop(1))),
}


def test_the_committed_files_break_nothing() -> None:
    assert check() == []


def test_every_schema_has_a_released_version_that_never_changed_its_first_one() -> None:
    for name in avro_files.names():
        assert "v1" in versions(name)


@pytest.mark.parametrize(("name", "edit", "reason"), BREAKING.values(), ids=BREAKING)
def test_a_breaking_edit_fails_with_the_reason(house: House, name: str, edit: Edit, reason: str) -> None:
    house.edit(name, edit)

    found = house.violations()

    assert any(each.startswith(f"{name}.avsc against v1: ") and reason in each for each in found), found


@pytest.mark.parametrize(("name", "edit"), HARMLESS.values(), ids=HARMLESS)
def test_a_compatible_edit_passes(house: House, name: str, edit: Edit) -> None:
    house.edit(name, edit)

    assert house.violations() == []


def test_compatibility_is_with_every_released_version_and_not_only_the_last(house: House) -> None:
    house.edit("stock-variances", add("note", "string", default=""))
    house.release("stock-variances")
    house.edit("stock-variances", lambda schema: field(schema, "note").pop("default"))

    found = house.violations()

    assert [each for each in found if "against v2" in each] == []
    assert [each for each in found if "against v1" in each and "note" in each]


def test_versions_are_ordered_by_number() -> None:
    assert list(versions("order-released")) == sorted(versions("order-released"), key=lambda name: int(name[1:]))


def test_ten_comes_after_nine(house: House) -> None:
    for _ in range(10):
        house.release("order-released")

    assert list(versions("order-released", house.history)) == [f"v{number}" for number in range(1, 12)]


def test_a_schema_that_was_released_must_not_go(house: House) -> None:
    (house.current / "ats-changed.avsc").unlink()

    assert house.violations() == [
        "ats-changed.avsc against its history: was released and is gone; consumers still need it"
    ]


def test_a_schema_without_released_version_is_named(house: House) -> None:
    shutil.rmtree(house.history / "ats-changed")

    assert ["no released version" in each for each in house.violations()] == [True]


def test_a_schema_of_no_topic_is_named(house: House) -> None:
    shutil.copy(house.current / "ats-changed.avsc", house.current / "lost.avsc")

    assert any("lost.avsc" in each and "belongs to no topic" in each for each in house.violations())


@pytest.mark.parametrize("text", ["{", '{"type": "nonsense"}'])
def test_a_file_that_is_no_schema_is_named(house: House, text: str) -> None:
    (house.current / "ats-changed.avsc").write_text(text)

    assert any("is no valid schema" in each for each in house.violations())


def test_a_default_of_the_wrong_type_is_named(house: House) -> None:
    house.edit("order-released", lambda schema: field(schema, "cancelled_quantity").update(default="none"))

    assert any("is no valid schema" in each for each in house.violations())


def test_each_level_looks_in_its_own_direction() -> None:
    old = json.loads(avro_files.text("stock-variances"))
    new = copy.deepcopy(old)
    remove("predicted")(new)
    found = {
        level: len(list(incompatibilities(level, expanded(new), expanded(old))))
        for level in (BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE, FULL_TRANSITIVE)
    }

    assert found == {BACKWARD_TRANSITIVE: 0, FORWARD_TRANSITIVE: 1, FULL_TRANSITIVE: 1}
    added = copy.deepcopy(old)
    add("value", "long")(added)
    assert len(list(incompatibilities(BACKWARD_TRANSITIVE, expanded(added), expanded(old)))) == 1
    assert list(incompatibilities(FORWARD_TRANSITIVE, expanded(added), expanded(old))) == []
    with pytest.raises(ValueError, match="NONE"):
        list(incompatibilities("NONE", expanded(new), expanded(old)))


def test_the_command_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert compatibility.main() == 0
    assert "schemas are compatible" in capsys.readouterr().out


def test_the_command_fails_and_prints_every_reason(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.edit("order-released", add("priority", "int"))
    monkeypatch.setattr(compatibility, "check", lambda: check(house.current, house.history))

    assert compatibility.main() == 1
    assert "BREAKING  order-released.avsc against v1: priority" in capsys.readouterr().out
