"""Measured guards as they were told: what a recomputation from the facts alone cannot know.

They depend on how channels answered. Everything else about a quantity is recomputed; the guard of a channel with a
service level is taken from the explanation that was published with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.policy import Policy
from domain.steps import CHANNEL


def guards_told(sku: str, policy: Policy, told: Mapping[str, Any] | None) -> Mapping[str, int]:
    """Guard units per channel of an ``ats-changed`` record; None: there is none."""
    if told is None:
        return {}
    steps = (step for step in told["explain"] if (step["scope"], step["term"]) == (CHANNEL, "guard"))
    return {
        step["location"]: -step["units"]
        for step in steps
        if step["location"] in policy.channels
        and policy.channel_of(sku, step["location"]).service_level is not None
    }
