from __future__ import annotations

from itertools import product

import pytest

from domain import findings
from domain.facts import LineVersion
from domain.lines import (
    closed_at,
    consumed,
    demand_of,
    known_open,
    line_of,
    oddity,
    open_quantity,
    served,
    want,
)
from tests.builders import line, seconds, shipment


def test_a_line_wants_what_is_not_cancelled() -> None:
    assert want(line(10, cancelled=4)) == 6
    assert want(line(10, state="CANCELLED")) == 0
    assert want(line(3, cancelled=4)) == 0


def test_open_is_what_is_wanted_and_not_shipped() -> None:
    assert open_quantity(line(10, cancelled=4), shipped=2, short=False) == 4


@pytest.mark.parametrize("state", ["CANCELLED", "CLOSED"])
def test_a_line_that_is_over_has_nothing_open(state: str) -> None:
    assert open_quantity(line(10, state=state), shipped=2, short=False) == 0


def test_a_final_shipment_closes_the_line_short() -> None:
    assert open_quantity(line(10), shipped=2, short=True) == 0


def test_more_shipped_than_wanted_leaves_nothing_open() -> None:
    assert open_quantity(line(10), shipped=12, short=False) == 0


def test_versions_are_read_by_number_however_they_arrived() -> None:
    versions = (line(5, version=3), line(7, version=1), line(6, version=2))
    assert [version.version for version in line_of(versions).versions] == [1, 2, 3]
    assert demand_of(versions)[0] == line(5, version=3)


def test_demand_is_the_same_in_one_pass_as_from_the_sorted_line() -> None:
    facts = (shipment(2), line(5, at=14, version=2), line(7, version=1), shipment(1, final=True, shipment_id="S2"))
    sorted_line = line_of(facts)
    assert demand_of(facts) == (
        sorted_line.current,
        sorted_line.versions[0].occurred_at,
        sorted_line.shipped,
        sorted_line.closed_short,
        True,
    )


@pytest.mark.parametrize("version", [line(5), line(5, cancelled=2), line(5, state="CANCELLED")])
@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("final", [False, True])
def test_what_one_more_shipment_serves_is_the_difference_in_open_units(
    version: LineVersion, short: bool, final: bool
) -> None:
    for shipped, units in product(range(8), range(8)):
        before = open_quantity(version, shipped, short)
        after = open_quantity(version, shipped + units, short or final)
        assert served(version, shipped, short, units, final) == after - before


def test_a_quota_is_used_by_what_was_shipped_of_a_cancelled_line() -> None:
    assert consumed(line(10, cancelled=1), shipped=4) == 9
    assert consumed(line(10, state="CANCELLED"), shipped=4) == 4


def test_the_erp_knows_a_line_once_its_lag_has_passed() -> None:
    both = line_of([line(5, at=10), line(3, at=20, version=2, location="B")])
    none_shipped = lambda shipped: False  # noqa: E731  # a name for the reader
    assert known_open(both, seconds(12), seconds(3), none_shipped) == (None, 0)
    assert known_open(both, seconds(13), seconds(3), none_shipped) == ("A", 5)
    assert known_open(both, seconds(23), seconds(3), none_shipped) == ("B", 3)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ([line(5)], None),
        ([line(5), shipment(5)], None),
        ([shipment(5)], findings.SHIP_BEFORE_RELEASE),
        ([line(5), shipment(6)], findings.OVER_SHIPMENT),
        ([line(5, cancelled=2), shipment(4)], findings.OVER_SHIPMENT),
        ([line(5, at=12, state="CANCELLED"), shipment(5, at=20)], findings.SHIP_AFTER_CANCEL),
        ([line(5, at=30, state="CANCELLED"), shipment(5, at=20)], None),
    ],
)
def test_a_line_has_at_most_one_oddity(facts: list[object], code: str | None) -> None:
    assert oddity(line_of(facts)) == code  # type: ignore[arg-type]


def test_a_line_is_closed_when_the_last_thing_happened_to_it() -> None:
    assert closed_at(line_of([line(5), shipment(5, at=20)])) == seconds(20)
    assert closed_at(line_of([line(5), shipment(4, at=20)])) is None
    assert closed_at(line_of([shipment(4, at=20)])) is None
