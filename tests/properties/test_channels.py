"""Law L7: a channel is never told more than its pool has, and ring-fenced parts fit in the pool together."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.channels import is_ring_fenced, split
from domain.kits import kit_available
from domain.policy import EXCLUSIVE, PERCENT, SHARED, ChannelPolicy, Held
from domain.quantities import percent_down, percent_up

POOLS = ("default", "north", "gone")
units = st.integers(0, 60)
percents = st.builds(Fraction, st.integers(0, 400), st.sampled_from([1, 2, 3, 4]))
holds = st.builds(Held, units, percents)
policies = st.builds(
    ChannelPolicy,
    pool=st.sampled_from(POOLS),
    mode=st.sampled_from([SHARED, EXCLUSIVE, PERCENT]),
    quota=units,
    priority=st.integers(0, 2),
    percent=percents,
    ring_fenced=st.booleans(),
    guard_units=st.integers(0, 5),
    buffer=holds,
    stop_sell_at=st.integers(0, 9),
    pack_size=st.integers(1, 7),
    cap=st.none() | units,
    blocked=st.booleans(),
)
names = st.sampled_from("abcdef")
channel_sets = st.dictionaries(names, policies)
pool_sets = st.fixed_dictionaries({"default": st.integers(-20, 200), "north": st.integers(-20, 200)})
amounts = st.dictionaries(names, units)


@given(pool_sets, channel_sets, amounts, amounts)
def test_no_channel_is_told_more_than_its_pool_has(pools, channels, consumed, guards) -> None:
    for name, part in split(pools, channels, consumed, guards).items():
        pool = max(0, pools.get(channels[name].pool, 0))
        assert 0 <= part.quantity * channels[name].pack_size <= part.share <= pool


@given(pool_sets, channel_sets, amounts, amounts)
def test_ring_fenced_parts_and_any_one_shared_channel_fit_in_the_pool(pools, channels, consumed, guards) -> None:
    parts = split(pools, channels, consumed, guards)
    for pool in POOLS:
        members = [name for name in channels if channels[name].pool == pool]
        fenced = sum(parts[name].share for name in members if is_ring_fenced(channels[name]))
        shared = [parts[name].share for name in members if not is_ring_fenced(channels[name])]
        assert fenced + max(shared, default=0) <= max(0, pools.get(pool, 0))


@given(pool_sets, channel_sets, amounts, amounts)
def test_every_step_only_takes_away(pools, channels, consumed, guards) -> None:
    for part in split(pools, channels, consumed, guards).values():
        assert list(part) == sorted(part, reverse=True)
        assert part.quantity >= 0


@given(pool_sets, channel_sets, amounts, amounts, st.randoms(use_true_random=False))
def test_the_order_in_which_channels_are_configured_does_not_matter(
    pools, channels, consumed, guards, random
) -> None:
    shuffled = list(channels.items())
    random.shuffle(shuffled)

    assert split(pools, dict(shuffled), consumed, guards) == split(pools, channels, consumed, guards)


@given(pool_sets, channel_sets, amounts, amounts, st.integers(0, 9))
def test_a_wider_guard_never_tells_more(pools, channels, consumed, guards, more) -> None:
    before = split(pools, channels, consumed, guards)
    after = split(pools, channels, consumed, {name: guards.get(name, 0) + more for name in channels})

    assert all(after[name].quantity <= before[name].quantity for name in channels)


@given(percents, st.integers(0, 10**6))
def test_held_back_and_exposed_make_the_whole(percent, base) -> None:
    exact = percent * base / 100

    assert percent_down(percent, base) <= exact <= percent_up(percent, base)
    assert percent_up(percent, base) - percent_down(percent, base) == (exact.denominator != 1)


stocks = st.dictionaries(
    st.sampled_from("ABC"), st.dictionaries(st.sampled_from(["l1", "l2", "l3"]), st.integers(-9, 40))
)
needs = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 4)), min_size=1, max_size=4)


@given(stocks, needs)
def test_the_components_of_the_kits_are_there(stock, need) -> None:
    kits = kit_available(stock, need, across_locations=True)
    total = {component: sum(max(0, ats) for ats in places.values()) for component, places in stock.items()}
    for component in {name for name, _ in need}:
        needed = sum(count for name, count in need if name == component)
        assert kits * needed <= total.get(component, 0)
    assert kit_available(stock, need) <= kits
