"""Which changes of a number are told: all of them."""

from __future__ import annotations

import pytest

from tests.worlds import World, balance


@pytest.mark.parametrize("before", range(-4, 4))
@pytest.mark.parametrize("after", range(-4, 4))
def test_every_change_of_a_stock_is_told(before: int, after: int) -> None:
    world = World()
    world.deliver(balance(before))
    produced = world.deliver(balance(after, as_of="2026-01-01T00:00:20Z"))
    told = [each["locations"]["A"]["on_hand"] for each in world.told(produced, "ats-changed")]
    assert told == ([] if after == before else [after])
