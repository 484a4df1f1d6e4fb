from __future__ import annotations

from dataclasses import replace

from domain.availability import assess, tally_of
from domain.facts import Fact
from domain.policy import EXCLUSIVE, ChannelPolicy, Policy, SourcePolicy
from domain.pruning import forgettable
from tests.builders import (
    adjustment,
    arrived,
    balance,
    disposed,
    line,
    reservation,
    returned,
    seconds,
    sent,
    shipment,
    state_of,
    transfer_closed,
)

LATENESS, RETENTION = 10, 50
POLICY = Policy(max_lateness=seconds(LATENESS), closed_line_retention=seconds(RETENTION))
COUNTED: list[Fact] = [balance(9, as_of, location) for location in "AB" for as_of in (100, 200)]
NOW = 300


def gone(*facts: Fact, policy: Policy = POLICY, now: float = NOW, counted: list[Fact] = COUNTED) -> list[Fact]:
    state = state_of([*counted, *facts], policy)
    return forgettable(state, tally_of(state, policy), seconds(now))


def test_a_line_that_is_shipped_and_counted_goes_demand_first() -> None:
    facts = [shipment(5, at=20), line(5, version=2), line(3, version=1)]
    assert gone(*facts) == [line(3, version=1), line(5, version=2), shipment(5, at=20)]


def test_an_open_line_stays() -> None:
    assert gone(line(5), shipment(4)) == []


def test_a_line_stays_for_its_retention_after_it_closed() -> None:
    cancelled = line(5, at=20, state="CANCELLED")
    assert gone(cancelled, now=20 + RETENTION - 1) == []
    assert gone(cancelled, now=20 + RETENTION) == [cancelled]


def test_a_movement_stays_while_events_about_it_may_still_arrive() -> None:
    # The older kept balance is true at 100: what happened before 90 is settled.
    assert gone(adjustment(2, at=89)) == [adjustment(2, at=89)]
    assert gone(adjustment(2, at=90)) == []
    assert gone(line(5), shipment(5, at=90)) == []


def test_a_movement_that_clocks_cannot_place_stays() -> None:
    policy = replace(POLICY, sources={"erp": SourcePolicy(clock_skew=seconds(2))}, max_lateness=0)
    assert gone(adjustment(2, at=98), policy=policy) == []
    assert gone(adjustment(2, at=97), policy=policy) == [adjustment(2, at=97)]


def test_one_balance_is_not_enough_to_forget() -> None:
    assert gone(adjustment(2, at=20), counted=[balance(9, 200)]) == []


def test_a_movement_that_only_the_newest_balance_contains_explains_the_variance_and_stays() -> None:
    policy = replace(POLICY, max_lateness=0)
    assert gone(adjustment(2, at=150), policy=policy) == []


def test_an_echo_goes_with_its_document_and_after_it() -> None:
    echo = adjustment(-5, at=30, ref="S1")
    assert gone(line(5), shipment(5), echo) == [line(5), shipment(5), echo]


def test_a_document_stays_while_its_echo_is_not_settled() -> None:
    assert gone(line(5), shipment(5), adjustment(-5, at=95, ref="S1")) == []


def test_two_lines_of_one_echoed_shipment_go_together_or_not_at_all() -> None:
    first, second = shipment(5), shipment(2, order_id="O2")
    echo = adjustment(-7, at=30, ref="S1")
    assert gone(line(5), first, line(3, order_id="O2"), second, echo) == []
    assert set(gone(line(5), first, line(2, order_id="O2"), second, echo)) >= {first, second, echo}


def test_a_shipment_whose_release_never_came_goes_after_the_retention() -> None:
    assert gone(shipment(5, at=20)) == [shipment(5, at=20)]
    assert gone(shipment(5, at=20), now=20 + RETENTION - 1) == []


def test_a_line_that_counts_against_a_quota_stays() -> None:
    quota = ChannelPolicy(mode=EXCLUSIVE, quota=10, quota_from=seconds(10))
    policy = replace(POLICY, channels={"web": quota})
    assert gone(line(5, at=12), shipment(5), policy=policy) == []
    assert len(gone(line(5, at=9), shipment(5), policy=policy)) == 2


def test_a_line_that_a_net_balance_counted_as_open_stays_until_the_balance_goes() -> None:
    net: list[Fact] = [balance(9, as_of, basis="NET_OF_OPEN_ORDERS") for as_of in (100, 200)]
    cancelled = [line(5), line(5, at=150, version=2, state="CANCELLED")]
    assert gone(*cancelled, counted=net) == []
    later: list[Fact] = [balance(9, as_of, basis="NET_OF_OPEN_ORDERS") for as_of in (200, 300)]
    assert gone(*cancelled, counted=later) == cancelled


def test_a_line_stays_while_the_reservation_it_converted_is_known() -> None:
    quoting = line(5, reservation="V1", state="CANCELLED")
    assert gone(quoting, reservation(5, expires_at=NOW)) == []
    assert gone(quoting, reservation(5, expires_at=100)) == [reservation(5, expires_at=100)]


def test_a_transfer_under_way_stays_and_a_finished_one_goes_sending_first() -> None:
    assert gone(sent(5), arrived(3)) == []
    assert gone(arrived(5), sent(5)) == [sent(5), arrived(5)]
    assert gone(transfer_closed(), arrived(3), sent(5)) == [sent(5), arrived(3), transfer_closed()]


def test_returns_go_when_they_leave_quarantine_as_it_was() -> None:
    assert gone(returned(2), disposed(1, 1)) == [returned(2), disposed(1, 1)]
    assert gone(returned(2), disposed(1, 0)) == []


def test_receipts_and_dispositions_of_different_ids_cancel_oldest_first() -> None:
    receipts = [
        returned(2, at=20, return_id="R1"),
        returned(3, at=30, return_id="R2"),
        returned(1, at=40, return_id="R3"),
    ]
    dispositions = [disposed(1, 1, at=25, return_id="D1"), disposed(3, 0, at=35, return_id="D2")]
    assert set(gone(*receipts, *dispositions)) == {*receipts[:2], *dispositions}


def test_forgetting_leaves_no_sums_behind() -> None:
    state = state_of(
        [*COUNTED, line(5), shipment(5), adjustment(-5, at=30, ref="S1"), sent(5), arrived(5)], POLICY
    )
    state.forget(forgettable(state, tally_of(state, POLICY), seconds(NOW)))
    assert assess(state, POLICY, seconds(NOW)) == assess(state_of(COUNTED), POLICY, seconds(NOW))
