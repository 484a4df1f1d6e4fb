"""What is remembered of items that drifted, and that it is bounded."""

from __future__ import annotations

from connectors.channels.shopify_drift import Drifted


def test_an_item_is_unread_until_it_is_read_and_forgotten_when_it_is_set() -> None:
    drifted = Drifted()
    assert not drifted.is_unread("a")
    drifted.found("a", None)
    assert drifted.is_unread("a")
    drifted.found("a", 0)
    assert (drifted.is_unread("a"), drifted.shown("a")) == (False, 0)
    drifted.forget("a")
    drifted.forget("never seen")
    assert (drifted.is_unread("a"), drifted.shown("a")) == (False, None)


def test_the_item_that_drifted_longest_ago_makes_room() -> None:
    drifted = Drifted(2)
    for item, shown in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        drifted.found(item, shown)
    assert [drifted.shown(item) for item in "abc"] == [3, None, 4]
