from __future__ import annotations

import pytest

from domain.facts import Fact, fact_key, preferred
from tests.builders import (
    adjustment,
    arrived,
    balance,
    disposed,
    line,
    released,
    reservation,
    returned,
    sent,
    shipment,
    transfer_closed,
)

ONE_OF_EACH: list[Fact] = [
    balance(1),
    adjustment(1),
    line(1),
    shipment(1),
    reservation(1),
    released(1),
    returned(1),
    disposed(1),
    sent(1),
    arrived(1),
    transfer_closed(),
]


def test_facts_of_different_kinds_never_share_a_key() -> None:
    assert len({fact_key(fact) for fact in ONE_OF_EACH}) == len(ONE_OF_EACH)


def test_quantities_and_times_are_not_part_of_a_key() -> None:
    assert fact_key(shipment(3, at=20)) == fact_key(shipment(4, at=21))
    assert fact_key(line(3)) == fact_key(line(4, state="CANCELLED"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (balance(1, as_of=10), balance(1, as_of=11)),
        (balance(1, sequence=0), balance(1, sequence=1)),
        (balance(1, source="erp"), balance(1, source="wms")),
        (adjustment(1, source="erp"), adjustment(1, source="wms")),
        (line(1, version=1), line(1, version=2)),
        (shipment(1, order_id="O1"), shipment(1, order_id="O2")),
        (sent(1, part="1"), sent(1, part="2")),
        (released(1, release_id="X1"), released(1, release_id="X2")),
    ],
)
def test_what_tells_two_statements_apart_is_part_of_the_key(one: Fact, other: Fact) -> None:
    assert fact_key(one) != fact_key(other)


def test_a_higher_revision_is_preferred_to_a_larger_quantity() -> None:
    assert preferred(shipment(9), shipment(1, revision=1)) == shipment(1, revision=1)


def test_of_one_revision_the_larger_quantity_is_preferred() -> None:
    assert preferred(shipment(9), shipment(10)) == shipment(10)


def test_of_one_version_the_larger_open_demand_is_preferred() -> None:
    assert preferred(line(10, cancelled=8), line(5)) == line(5)
    assert preferred(line(10, state="CANCELLED"), line(1)) == line(1)
