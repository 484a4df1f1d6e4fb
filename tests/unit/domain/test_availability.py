from __future__ import annotations

from fractions import Fraction

from domain import findings
from domain.availability import assess, attribution, tally_of
from domain.facts import NET_OF_OPEN_ORDERS
from domain.policy import (
    EXCLUSIVE,
    ChannelPolicy,
    Held,
    ItemPolicy,
    LocationPolicy,
    Policy,
    PoolPolicy,
    SourcePolicy,
)
from tests.builders import (
    SKU,
    adjustment,
    arrived,
    assessed,
    balance,
    codes,
    disposed,
    line,
    released,
    reservation,
    returned,
    seconds,
    sent,
    shipment,
    state_of,
    term,
)


def test_a_location_override_of_the_item_wins_over_category_and_location() -> None:
    held = {name: LocationPolicy(Held(units)) for name, units in (("item", 1), ("category", 2), ("location", 3))}
    policy = Policy(
        locations={"A": held["location"], "B": held["location"], "C": held["location"]},
        items={SKU: ItemPolicy(category="toys", locations={"A": held["item"]})},
        categories={"toys": ItemPolicy(locations={"B": held["category"]})},
    )
    assessment = assessed([balance(10, location=name) for name in "ABC"], policy)
    assert [term(assessment, name).safety_stock for name in "ABC"] == [1, 2, 3]


def test_a_channel_override_of_the_item_is_used_for_the_split() -> None:
    policy = Policy(
        channels={"web": ChannelPolicy()},
        items={SKU: ItemPolicy(channels={"web": ChannelPolicy(cap=3)})},
    )
    assert assessed([balance(10)], policy).channels == {"web": 3}


def test_measured_guards_are_taken_off_the_channel() -> None:
    policy = Policy(channels={"web": ChannelPolicy()})
    assert assessed([balance(10)], policy, guards={"web": 4}).channels == {"web": 6}


def test_a_quota_counts_from_when_it_took_effect() -> None:
    def quantity(quota_from: float) -> int:
        channel = ChannelPolicy(mode=EXCLUSIVE, quota=10, quota_from=seconds(quota_from))
        return assessed([balance(50), line(4, at=12)], Policy(channels={"web": channel})).channels["web"]

    assert quantity(12) == 6
    assert quantity(12.5) == 10


def test_demand_of_a_channel_drains_its_own_pool() -> None:
    policy = Policy(
        pools={"default": PoolPolicy(("A",)), "store": PoolPolicy(("B",))},
        channels={"web": ChannelPolicy(pool="store"), "amazon": ChannelPolicy()},
    )
    facts = [balance(10), balance(10, location="B"), line(4, location=None, channel="web")]
    pools = assessed(facts, policy).pools
    assert (pools["default"].available_to_sell, pools["store"].available_to_sell) == (10, 6)


def test_demand_of_an_unknown_channel_drains_the_default_pool_or_else_every_pool() -> None:
    facts = [balance(10), line(4, location=None, channel="fax")]
    with_default = Policy(pools={"default": PoolPolicy(), "store": PoolPolicy()})
    assert [pool.unsourced for pool in assessed(facts, with_default).pools.values()] == [4, 0]
    without = Policy(pools={"here": PoolPolicy(), "there": PoolPolicy()})
    assert [pool.unsourced for pool in assessed(facts, without).pools.values()] == [4, 4]


def test_the_grade_of_evidence_is_told() -> None:
    skew = Policy(sources={"erp": SourcePolicy(clock_skew=seconds(2))})
    assert term(assessed([adjustment(3)])).confidence == "BOOTSTRAP"
    assert term(assessed([balance(3)])).confidence == "TIMED"
    assert term(assessed([balance(3, includes=[])])).confidence == "EXACT"
    assert term(assessed([balance(3), shipment(1, at=11)], skew)).confidence == "AMBIGUOUS"


def test_numbers_change_by_themselves_when_the_next_reservation_runs_out() -> None:
    facts = [
        balance(10),
        reservation(2, 50),
        reservation(3, 70, "V2"),
        reservation(1, 60, "V3"),
        released(1, 5, "V3"),
    ]
    policy = Policy()
    state = state_of(facts)
    first = assess(state, policy, seconds(49))
    assert first.next_change_at == seconds(50)
    second = assess(state, policy, seconds(50))
    assert (term(first).soft_reserved, term(second).soft_reserved) == (5, 3)
    assert second.next_change_at == seconds(70)
    assert assess(state, policy, seconds(70)).next_change_at is None


def test_going_back_in_time_brings_reservations_back() -> None:
    policy = Policy()
    state = state_of([balance(10), reservation(2, 50)])
    assert term(assess(state, policy, seconds(60))).soft_reserved == 0
    assert term(assess(state, policy, seconds(40))).soft_reserved == 2


def test_a_reservation_touched_again_and_again_leaves_no_trail() -> None:
    policy = Policy()
    state = state_of([balance(10), reservation(100, 50)], policy)
    for number in range(200):
        state.fold(released(0, release_id=f"X{number}"))
    expiries = tally_of(state, policy)._expiries
    assert len(expiries._queue) < 20
    assert expiries.next() == seconds(50)


def test_over_shipment_is_reported_with_the_last_shipment_in_any_order() -> None:
    facts = [balance(10), line(1), shipment(1, 20), shipment(1, 30, shipment_id="S0", location="B")]
    one, other = assessed(facts), assessed(facts[::-1])
    assert one.findings == other.findings
    assert [finding.refs for finding in one.findings if finding.code == findings.OVER_SHIPMENT] == [
        ("O1", "1", "S0")
    ]


def test_a_transfer_goes_where_its_first_part_goes_in_any_order() -> None:
    facts = [sent(3, part="2", to_location="C"), sent(2, part="1", to_location="B")]
    assert assessed(facts) == assessed(facts[::-1])
    assert term(assessed(facts), "B").in_transit == 5


def test_a_receipt_from_and_to_one_location_moves_nothing() -> None:
    assert term(assessed([balance(10), arrived(3, from_location="A", to_location="A")])).on_hand == 10


def test_quarantine_is_the_quarantine_balance_with_what_came_after() -> None:
    facts = [balance(10), balance(3, bucket="QUARANTINE"), returned(2, 20), disposed(1, 0, 25)]
    assert term(assessed(facts)).quarantine == 4


def test_a_variance_is_explained_by_single_movements() -> None:
    facts = [
        balance(100, 10),
        shipment(3, 15, shipment_id="early"),
        shipment(4, 25, "O2", "late"),
        balance(100, 20),
    ]
    state = state_of(facts)
    (variance,) = assess(state, Policy(), seconds(100)).variances
    assert (variance.units, variance.predicted) == (3, 97)
    assert attribution(state, Policy(), variance) == ("early",)


def test_no_variance_no_suspects() -> None:
    state = state_of([balance(100, 10), shipment(3, 15), balance(97, 20)])
    (variance,) = assess(state, Policy(), seconds(100)).variances
    assert attribution(state, Policy(), variance) == ()


def test_the_sums_may_be_dropped_and_are_built_again() -> None:
    state = state_of([balance(10), line(3)], Policy())
    before = assess(state, Policy(), 0)
    state.observer = None
    state.fold(shipment(3))
    after = assess(state, Policy(), 0)
    assert (term(before).reserved, term(after).reserved) == (3, 0)
    assert term(after).on_hand == 7


def test_numbers_follow_every_event_though_they_are_kept_between_events() -> None:
    policy = Policy()
    state = state_of([balance(10)], policy)
    seen = []
    for fact in (line(3), shipment(2), adjustment(4), reservation(1), released(1)):
        state.fold(fact)
        seen.append(term(assess(state, policy, 0)).net)
    assert seen == [7, 7, 11, 10, 11]


def test_percentages_of_safety_stock_are_exact() -> None:
    policy = Policy(default_location=LocationPolicy(Held(0, Fraction(1, 10))))
    assert term(assessed([balance(1000)], policy)).safety_stock == 1


def test_nothing_known_is_nothing_to_say() -> None:
    nothing = assessed([])
    assert nothing.locations == {}
    assert nothing.pools["default"].available_to_sell == 0
    assert codes(nothing) == set()


def test_findings_of_a_location_are_told_in_order() -> None:
    assessment = assessed([disposed(0, 1), balance(0), line(6)])
    assert [finding.code for finding in assessment.findings] == [
        findings.DISPOSITION_BEFORE_RECEIPT,
        findings.OVER_RESERVATION,
    ]


def test_a_line_that_was_closed_short_without_units_since_a_net_balance_was_open_to_it() -> None:
    known = [line(6, at=2), balance(0, as_of=10, basis=NET_OF_OPEN_ORDERS)]
    assert (term(assessed(known)).on_hand, term(assessed(known)).net) == (6, 0)
    closed = [*known, shipment(0, at=20, final=True)]
    assert (term(assessed(closed)).on_hand, term(assessed(closed)).net) == (6, 6)
    counted = [*known, shipment(0, at=9, final=True)]
    assert (term(assessed(counted)).on_hand, term(assessed(counted)).net) == (0, 0)
