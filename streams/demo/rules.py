"""The demo's policy, read from the packaged file, and each channel's rule in a few words."""

from __future__ import annotations

from pathlib import Path

from domain.policy import EXCLUSIVE, PERCENT, ChannelPolicy, Policy
from schemas.policies import policy_of_text

POLICY_FILE = Path(__file__).parent / "policy.yaml"


def demo_policy() -> Policy:
    """The packaged policy."""
    return policy_of_text(POLICY_FILE.read_text(encoding="utf-8"))


def in_words(channel: ChannelPolicy) -> str:
    """How much the channel gets, short enough for a column."""
    if channel.mode == EXCLUSIVE:
        words = f"quota {channel.quota}"
    elif channel.mode == PERCENT:
        words = f"{float(channel.percent):g} %"
    else:
        words = "shared"
    if channel.cap is not None:
        words += f", cap {channel.cap}"
    if channel.stop_sell_at:
        words += f", zero at {channel.stop_sell_at}"
    return words
