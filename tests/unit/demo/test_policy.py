from __future__ import annotations

from domain.policy import EXCLUSIVE, PERCENT, SHARED
from streams.demo.announcements import WMS
from streams.demo.retailer import CHANNELS, RETURN_LAG, SHIPMENT_LAG
from streams.demo.rules import demo_policy, in_words


def test_the_policy_knows_the_posting_lags_of_the_story() -> None:
    # Else the balances of the story would not be true cuts, and the engine could not arrive at the truth.
    lags = demo_policy().source(WMS).posting_lag
    assert lags == {"shipment": SHIPMENT_LAG, "return": RETURN_LAG, "transfer": 0}


def test_the_policy_has_the_channels_that_orders_come_from() -> None:
    assert set(demo_policy().channels) == {channel for channel in CHANNELS if channel is not None}


def test_the_channels_differ_in_rule_and_budget() -> None:
    channels = demo_policy().channels.values()
    assert {channel.mode for channel in channels} == {EXCLUSIVE, PERCENT, SHARED}
    assert len({channel.publish.rate_per_s for channel in channels}) == 3


def test_rules_are_put_in_a_few_words() -> None:
    words = {name: in_words(channel) for name, channel in demo_policy().channels.items()}
    assert words == {"web": "quota 60", "marketplace": "shared, cap 40", "outlet": "30 %, zero at 3"}
