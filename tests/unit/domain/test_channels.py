"""The order of the steps from pool to channel quantity (semantics section 5)."""

from __future__ import annotations

from fractions import Fraction

import pytest

from domain.channels import ChannelSplit, split
from domain.policy import EXCLUSIVE, PERCENT, ChannelPolicy, Held


def quantity(pool: int, policy: ChannelPolicy, guard: int = 0) -> int:
    """What a single channel is told of a pool."""
    return split({"default": pool}, {"x": policy}, guards={"x": guard})["x"].quantity


def quantities(pool: int, consumed: dict[str, int], /, **channels: ChannelPolicy) -> dict[str, int]:
    """What channels are told of one pool."""
    return {name: part.quantity for name, part in split({"default": pool}, channels, consumed).items()}


WEB = ChannelPolicy(mode=EXCLUSIVE, quota=30, priority=1)
AMAZON = ChannelPolicy(cap=50, buffer=Held(5))
EBAY = ChannelPolicy(mode=PERCENT, percent=Fraction(40), stop_sell_at=3)


def test_ring_fenced_first_then_shared_and_percent_of_what_remains() -> None:
    assert quantities(100, {}, web=WEB, amazon=AMAZON, ebay=EBAY) == {"web": 30, "amazon": 50, "ebay": 28}


def test_sales_of_the_ring_fenced_channel_do_not_move_the_others() -> None:
    assert quantities(90, {"web": 10}, web=WEB, amazon=AMAZON, ebay=EBAY) == {"web": 20, "amazon": 50, "ebay": 28}


def test_a_used_up_quota_leaves_all_to_the_others() -> None:
    assert quantities(90, {"web": 31}, web=WEB, other=ChannelPolicy()) == {"web": 0, "other": 90}


def test_scarcity_is_served_by_priority_then_name() -> None:
    second = ChannelPolicy(mode=EXCLUSIVE, quota=20, priority=2)
    first = ChannelPolicy(mode=EXCLUSIVE, quota=20, priority=1)

    assert quantities(50, {}, b=second, a=second, z=first) == {"b": 10, "a": 20, "z": 20}


def test_a_percent_ring_fence_takes_its_part_of_the_whole_pool() -> None:
    third = ChannelPolicy(mode=PERCENT, percent=Fraction(33), ring_fenced=True)

    assert quantities(10, {}, a=third, b=third, c=third, s=ChannelPolicy()) == {"a": 3, "b": 3, "c": 3, "s": 1}


def test_percent_channels_see_the_same_remainder_unless_ring_fenced() -> None:
    most = ChannelPolicy(mode=PERCENT, percent=Fraction(80))

    assert quantities(10, {}, a=most, b=most) == {"a": 8, "b": 8}


@pytest.mark.parametrize(
    ("pool", "policy", "expected"),
    [
        (7, ChannelPolicy(stop_sell_at=3, buffer=Held(5)), 0),
        (3, ChannelPolicy(buffer=Held(5)), 0),
        (10, ChannelPolicy(buffer=Held(0, Fraction(10))), 9),
        (1, ChannelPolicy(buffer=Held(0, Fraction(10))), 0),
        (40, ChannelPolicy(stop_sell_at=5), 40),
        (5, ChannelPolicy(stop_sell_at=5), 0),
        (6, ChannelPolicy(stop_sell_at=5), 6),
        (40, ChannelPolicy(cap=10), 10),
        (40, ChannelPolicy(cap=0), 0),
        (20, ChannelPolicy(guard_units=3, buffer=Held(2)), 15),
        (17, ChannelPolicy(pack_size=6, cap=9, buffer=Held(6)), 1),
        (100, ChannelPolicy(pack_size=6, cap=9), 9),
        (100, ChannelPolicy(blocked=True), 0),
        (-5, ChannelPolicy(), 0),
        (-5, WEB, 0),
        (-5, EBAY, 0),
    ],
)
def test_one_channel(pool: int, policy: ChannelPolicy, expected: int) -> None:
    assert quantity(pool, policy) == expected


def test_a_percent_buffer_is_taken_from_what_the_guard_left() -> None:
    # 20 - 10 guard = 10, of which 10 % is 1; of the 20 it would be 2.
    assert quantity(20, ChannelPolicy(guard_units=10, buffer=Held(0, Fraction(10)))) == 9


def test_a_measured_guard_counts_where_it_exceeds_the_configured_one() -> None:
    assert quantity(20, ChannelPolicy(guard_units=3), guard=5) == 15
    assert quantity(20, ChannelPolicy(guard_units=3), guard=2) == 17


def test_stop_sell_looks_at_units_and_not_at_packs() -> None:
    assert quantity(12, ChannelPolicy(stop_sell_at=3, pack_size=6)) == 2


def test_a_blocked_ring_fence_keeps_its_part() -> None:
    blocked = ChannelPolicy(mode=EXCLUSIVE, quota=4, blocked=True)

    assert quantities(10, {}, a=blocked, s=ChannelPolicy()) == {"a": 0, "s": 6}


def test_channels_of_other_pools_do_not_compete() -> None:
    channels = {
        "a": ChannelPolicy(pool="north", mode=EXCLUSIVE, quota=9),
        "b": ChannelPolicy(pool="south"),
        "c": ChannelPolicy(pool="north"),
    }

    assert {name: part.quantity for name, part in split({"north": 10, "south": 7}, channels).items()} == {
        "a": 9,
        "b": 7,
        "c": 1,
    }


@pytest.mark.parametrize("policy", [ChannelPolicy(pool="gone"), WEB, EBAY])
def test_a_channel_of_an_unknown_pool_is_told_0(policy: ChannelPolicy) -> None:
    assert split({}, {"x": policy})["x"].quantity == 0


def test_every_step_is_there_to_be_explained() -> None:
    policy = ChannelPolicy(
        mode=PERCENT, percent=Fraction(50), guard_units=3, buffer=Held(4), stop_sell_at=2, pack_size=6, cap=5
    )

    assert split({"default": 100}, {"x": policy})["x"] == ChannelSplit(
        pool=100, share=50, guard=47, buffer=43, stop_sell=43, packs=7, cap=5, quantity=5
    )
