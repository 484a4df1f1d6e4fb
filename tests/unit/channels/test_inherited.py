"""What a process that is given a partition is in doubt about, from what was written down before."""

from __future__ import annotations

import pytest

from connectors.channels.doubts import Doubt
from connectors.channels.inherited import inherited
from connectors.channels.positions import Unresolved
from domain.facts import SECOND, Acknowledgement
from tests.conformance.rig import NOW, SETTLE_S

NOW_S = 1_000.0
"""The monotonic time of ``NOW``."""


def row(
    quantity: int, ago_s: float, outcome: str = "UNKNOWN", publish_seq: int = 1, listing: str = "L-1"
) -> Acknowledgement:
    occurred_at = NOW - round(ago_s * SECOND)
    return Acknowledgement("web", listing, publish_seq, outcome, quantity, 2_000, None, occurred_at)


def accepted(quantity: int, ago_s: float, publish_seq: int = 2) -> Acknowledgement:
    return row(quantity, ago_s, "ACCEPTED", publish_seq)


def of(newest: Acknowledgement | None, *unanswered: Acknowledgement) -> dict[str, Doubt]:
    accepted = newest if newest is not None and newest.outcome == "ACCEPTED" else None
    return inherited(
        3, [Unresolved(unanswered, accepted)], SETTLE_S, lambda at: NOW_S + (at - NOW) / SECOND, NOW_S
    )


def test_a_value_accepted_while_an_older_call_was_under_way_is_read_when_both_have_settled() -> None:
    doubt = of(accepted(4, 5.0), row(9, 8.0))["L-1"]
    assert (doubt.partition, doubt.unanswered) == (3, ((1, 9),))
    assert doubt.ends_at == NOW_S - 8.0 + SETTLE_S
    assert doubt.look_at == NOW_S - 5.0 + SETTLE_S
    assert doubt.accepted is not None
    told = doubt.accepted.update
    assert (told.listing, told.quantity, told.publish_seq, told.priority) == ("L-1", 4, 2, "P2")
    assert told.idempotency_key == "web:L-1:2"
    assert told.planned_at == NOW - 7 * SECOND - 1_000


def test_a_doubt_that_was_not_resolved_in_time_is_still_read() -> None:
    assert of(accepted(4, 50.0), row(9, 60.0))["L-1"].look_at == NOW_S - 30.0


def test_a_stop_sell_that_may_have_been_overtaken_is_one_when_it_is_told_again() -> None:
    doubt = of(accepted(0, 5.0), row(9, 8.0))["L-1"]
    assert doubt.accepted is not None
    assert doubt.accepted.urgency == doubt.accepted.update.priority == "P0"


@pytest.mark.parametrize(
    ("newest", "unanswered"),
    [
        (accepted(4, 5.0), row(9, 27.1)),  # over when the newer value was planned
        (accepted(9, 30.0), row(9, 40.0)),  # both said the same, and both are over
        (None, row(9, 20.0)),  # over, and nothing was accepted
    ],
)
def test_what_cannot_come_through_any_more_or_changes_nothing_is_no_doubt(
    newest: Acknowledgement | None, unanswered: Acknowledgement
) -> None:
    assert of(newest, unanswered) == {}


@pytest.mark.parametrize("newest", [None, accepted(9, 5.0), accepted(4, 5.0, 0)])
def test_what_may_be_under_way_is_a_doubt_although_there_is_nothing_to_read_yet(
    newest: Acknowledgement | None,
) -> None:
    doubt = of(newest, row(9, 8.0))["L-1"]
    assert (doubt.unanswered, doubt.ends_at) == (((1, 9),), NOW_S + 12.0)
    assert doubt.is_harmless()


def test_what_was_told_again_without_an_answer_is_read_after_that_and_older_quantities_are_known() -> None:
    doubt = of(accepted(4, 22.0), row(9, 40.0), row(4, 1.0, publish_seq=2))["L-1"]
    assert (doubt.unanswered, doubt.ends_at, doubt.look_at) == (((1, 9), (2, 4)), NOW_S + 19.0, NOW_S + 19.0)
