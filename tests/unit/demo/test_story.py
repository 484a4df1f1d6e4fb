from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from domain.availability import assess
from domain.facts import Balance, LineVersion, Shipment, fact_key
from domain.findings import CONFLICTING_DUPLICATE, DUPLICATE, SUPERSEDED_SNAPSHOT
from domain.policy import Policy, SourcePolicy
from domain.state import SkuState
from streams.demo.mishaps import BROKEN_OF_A_KIND, Spoil
from streams.demo.retailer import RETURN_LAG, SHIPMENT_LAG
from streams.demo.story import SPAN, Plan, Story, size, tell
from streams.demo.transactions import Sales
from tests.unit.demo.conftest import ENDS_AT, invented_sales

POLICY = Policy(sources={"wms": SourcePolicy(posting_lag={"shipment": SHIPMENT_LAG, "return": RETURN_LAG})})


def folded(story: Story, broken_too: bool = False) -> tuple[dict[str, SkuState], Counter[str]]:
    states: dict[str, SkuState] = {}
    findings: Counter[str] = Counter()
    for delivery in story.deliveries:
        if delivery.spoil in (None, Spoil.MISROUTED) or broken_too:
            state = states.setdefault(delivery.event.sku, SkuState(delivery.event.sku))
            findings[state.fold(delivery.event.fact).finding] += 1
    return states, findings


@cache
def engine_view(seed: int, broken_too: bool = False) -> dict[tuple[str, str], tuple[int, int, int]]:
    story = tell(invented_sales(1_500, seed), Plan(ENDS_AT, seed=seed))
    states, _ = folded(story, broken_too)
    return {
        (sku, location): (numbers.on_hand, numbers.reserved, numbers.quarantine)
        for sku, state in states.items()
        for location, numbers in assess(state, POLICY, ENDS_AT).locations.items()
    }


def true_view(story: Story) -> dict[tuple[str, str], tuple[int, int, int]]:
    truth = story.truth
    return {
        place: (units, truth.reserved.get(place, 0), truth.quarantine.get(place, 0))
        for place, units in truth.on_hand.items()
    }


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_engine_arrives_at_the_true_stock_of_the_story(seed: int) -> None:
    story = tell(invented_sales(1_500, seed), Plan(ENDS_AT, seed=seed))
    assert engine_view(seed) == true_view(story)


def test_a_broken_record_that_counted_would_be_noticed() -> None:
    story = tell(invented_sales(1_500, 1), Plan(ENDS_AT, seed=1))
    assert engine_view(1, broken_too=True) != true_view(story)


def test_an_engine_that_ignores_the_posting_lag_would_be_noticed() -> None:
    story = tell(invented_sales(1_500, 1), Plan(ENDS_AT, seed=1))
    states, _ = folded(story)
    view = {
        (sku, location): numbers.on_hand
        for sku, state in states.items()
        for location, numbers in assess(state, Policy(), ENDS_AT).locations.items()
    }
    assert view != {place: numbers[0] for place, numbers in true_view(story).items()}


def test_the_same_seed_tells_the_same_story() -> None:
    sales = invented_sales(400)
    assert tell(sales, Plan(ENDS_AT, seed=3)) == tell(sales, Plan(ENDS_AT, seed=3))
    assert tell(sales, Plan(ENDS_AT, seed=3)) != tell(sales, Plan(ENDS_AT, seed=4))


def test_no_event_lies_in_the_future_or_before_the_story(story: Story) -> None:
    times = [delivery.event.fact.occurred_at for delivery in story.deliveries]
    assert max(times) <= ENDS_AT
    assert min(times) >= ENDS_AT - SPAN - 2_000_000


def test_deliveries_are_in_order_of_delivery_but_not_of_occurrence(story: Story) -> None:
    delivered = [delivery.at for delivery in story.deliveries]
    occurred = [delivery.event.fact.occurred_at for delivery in story.deliveries]
    assert delivered == sorted(delivered)
    assert occurred != sorted(occurred)


def test_opening_balances_come_before_everything_else(story: Story) -> None:
    opening = len(story.truth.on_hand)
    assert all(isinstance(delivery.event.fact, Balance) for delivery in story.deliveries[:opening])


def test_some_shipments_overtake_the_release_of_their_line(story: Story) -> None:
    released: set[tuple[str, str]] = set()
    overtaking = 0
    for delivery in story.deliveries:
        match delivery.event.fact:
            case LineVersion() as line:
                released.add((line.order_id, line.line_id))
            case Shipment() as shipment:
                overtaking += (shipment.order_id, shipment.line_id) not in released
    assert overtaking > 0


def test_every_kind_of_mishap_occurs(story: Story) -> None:
    _, findings = folded(story)
    assert {DUPLICATE, CONFLICTING_DUPLICATE, SUPERSEDED_SNAPSHOT} <= set(findings)
    assert findings[DUPLICATE] == story.truth.repeated
    spoils = Counter(delivery.spoil for delivery in story.deliveries)
    for spoil in set(Spoil) - {Spoil.MISROUTED}:
        assert spoils[spoil] == BROKEN_OF_A_KIND
    assert spoils[Spoil.MISROUTED] == story.truth.misrouted > 0


def test_broken_records_speak_of_orders_that_exist_nowhere_else(story: Story) -> None:
    broken, sound = set(), set()
    for delivery in story.deliveries:
        key = fact_key(delivery.event.fact)
        (sound if delivery.spoil in (None, Spoil.MISROUTED) else broken).add(key)
    assert len(broken) == story.truth.broken
    assert not broken & sound


def test_scarce_skus_run_out_of_stock(story: Story) -> None:
    assert any(units == 0 for units in story.truth.on_hand.values())
    assert all(units >= 0 for units in story.truth.on_hand.values())


@pytest.mark.parametrize("events", [499, 400_001])
def test_an_unreasonable_size_is_refused(events: int) -> None:
    with pytest.raises(ValueError, match="500 to 400000"):
        size(events)


@pytest.mark.parametrize("events", [5_000, 30_000])
def test_a_story_has_about_as_many_deliveries_as_asked_for(events: int) -> None:
    lines, skus = size(events)
    story = tell(invented_sales(lines, skus=skus), Plan(ENDS_AT))
    assert abs(len(story.deliveries) - events) < 0.15 * events


def test_no_sales_no_story() -> None:
    with pytest.raises(ValueError, match="at least one sale"):
        tell(Sales((), {}), Plan(ENDS_AT))
