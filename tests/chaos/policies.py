"""The policies of a round: the one it begins with, and what it is changed to in the middle."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

_PUBLISH = {"rate_per_s": 2_000, "burst": 2_000, "heartbeat_s": 1, "rise_debounce_s": 0}
"""The worker's own budget is never what a round waits for; sinks have limits of theirs."""
_FULL_SYNCS_S = (0, 15)
"""None, or one in the middle of most rounds; rare enough that a round comes to rest between two of them."""


def policies_of(seed: int, channels: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Three policies about the same channels, valid in any order."""
    chance = random.Random(f"policies-{seed}")
    return [_policy(chance, channels) for _ in range(3)]


def _policy(chance: random.Random, channels: tuple[str, ...]) -> Mapping[str, Any]:
    wanted = {
        "web": {
            "mode": "SHARED",
            "buffer": {"units": chance.randrange(4)},
            "publish": {
                **_PUBLISH,
                "rise_debounce_s": chance.choice((0, 1)),
                "full_sync_every_s": chance.choice(_FULL_SYNCS_S),
            },
        },
        "amazon": {
            "mode": "PERCENT",
            "percent": chance.choice((30, 40, 50)),
            "cap": chance.choice((15, 40)),
            "stop_sell_at": chance.randrange(3),
            "publish": {**_PUBLISH, "min_delta": {"units": chance.choice((1, 2))}, "low_band": 3},
        },
    }
    return {
        "sources": {"wms": {"posting_lag_s": {"shipment": 60}}},
        "locations": {
            "A": {"safety_stock": {"units": chance.randrange(4)}},
            "B": {"safety_stock": {"percent": chance.choice((0, 10))}},
            "D": {"status": chance.choice(("OPEN", "EXCLUDED"))},
        },
        "pools": {"default": {"re_sourcing": chance.random() < 0.8}},
        "channels": {name: wanted[name] for name in channels},
    }
