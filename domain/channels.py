"""What each channel may be told of its pool. The order of the steps is a contract (semantics section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from domain.policy import EXCLUSIVE, PERCENT, ChannelPolicy
from domain.quantities import held, percent_down
from domain.quick import new

NOTHING: Mapping[str, int] = {}


class ChannelSplit(NamedTuple):
    """How a channel's quantity came about: what was left after each step, in the order of the steps.

    ``pool`` is the pool's available-to-sell, ``share`` the channel's part of it. All are units up to
    ``stop_sell``; from ``packs`` on they count packs. ``quantity`` is what the channel is told.
    """

    pool: int
    share: int
    guard: int
    buffer: int
    stop_sell: int
    packs: int
    cap: int
    quantity: int


def is_ring_fenced(policy: ChannelPolicy) -> bool:
    """Whether the channel's part is taken out of the pool before the shared channels see it."""
    return policy.mode == EXCLUSIVE or (policy.mode == PERCENT and policy.ring_fenced)


def split(
    pools: Mapping[str, int],
    channels: Mapping[str, ChannelPolicy],
    consumed: Mapping[str, int] = NOTHING,
    guards: Mapping[str, int] = NOTHING,
) -> Mapping[str, ChannelSplit]:
    """Split the available-to-sell of each pool among its channels.

    ``consumed`` is what each exclusive channel already took of its quota, ``guards`` the measured guard of a
    channel in units; it counts where it exceeds the configured one. A channel whose pool is unknown gets 0.
    """
    left = {pool: ats if ats > 0 else 0 for pool, ats in pools.items()}
    shares = _fenced_shares(left, channels, pools, consumed)
    result: dict[str, ChannelSplit] = {}
    for name, policy in channels.items():
        share = shares.get(name)
        if share is None:
            share = left.get(policy.pool, 0)
            if policy.mode == PERCENT:
                share = min(share, percent_down(policy.percent, share))
        guard = policy.guard_units
        if guards:
            guard = max(guard, guards.get(name, 0))
        result[name] = _reduced(policy, pools.get(policy.pool, 0), share, guard)
    return result


def _fenced_shares(
    left: dict[str, int],
    channels: Mapping[str, ChannelPolicy],
    pools: Mapping[str, int],
    consumed: Mapping[str, int],
) -> Mapping[str, int]:
    """Shares of the ring-fenced channels by (priority, name), taken out of what is ``left`` of their pools."""
    fenced = [(policy.priority, name) for name, policy in channels.items() if is_ring_fenced(policy)]
    if not fenced:
        return NOTHING
    fenced.sort()
    shares: dict[str, int] = {}
    for _, name in fenced:
        policy = channels[name]
        available = left.get(policy.pool, 0)
        share = min(_fenced_share(policy, pools.get(policy.pool, 0), consumed.get(name, 0)), available)
        shares[name] = share
        if share:
            left[policy.pool] = available - share
    return shares


def _fenced_share(policy: ChannelPolicy, pool: int, consumed: int) -> int:
    """What a ring-fenced channel is entitled to, were there enough."""
    if policy.mode == EXCLUSIVE:
        return max(0, policy.quota - consumed)
    return max(0, percent_down(policy.percent, pool))


def _reduced(policy: ChannelPolicy, pool: int, share: int, guard_units: int) -> ChannelSplit:
    """Steps 4 to 9: from the channel's share to what it is told."""
    # Written out instead of max(0, ...): this is computed for every touched SKU and channel.
    share = share if share > 0 else 0
    guarded = share - guard_units if share > guard_units else 0
    withheld = held(policy.buffer, guarded)
    buffered = guarded - withheld if guarded > withheld else 0
    selling = buffered if buffered > policy.stop_sell_at else 0
    packs = selling // policy.pack_size if policy.pack_size > 1 else selling
    capped = packs if policy.cap is None else max(0, min(packs, policy.cap))
    quantity = 0 if policy.blocked else capped
    return new(ChannelSplit, (pool if pool > 0 else 0, share, guarded, buffered, selling, packs, capped, quantity))
