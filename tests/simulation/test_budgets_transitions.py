"""Moments at which the same tokens could be used twice: a share goes to others, a server forgets, a sink starts.

The limit is slow, so that a bucket that is not emptied where it has to be is seen at once.
"""

from __future__ import annotations

from functools import partial

import pytest

from domain.facts import SECOND, Micros
from domain.limits import CallBudget, RateAndBurst
from domain.limits_member import Standing, Terms
from tests.simulation.budget_trouble import began
from tests.simulation.budget_world import BEGIN, World, excess

LIMIT = RateAndBurst(1, 10 * SECOND, 4)
SHARES_RIPEN = BEGIN + 60 * SECOND
TERMS = Terms(forget_after=300 * SECOND)


def two_sinks() -> World:
    """Both know of their halves, and the bucket is full."""
    world = World(1, CallBudget.of([LIMIT]), TERMS, 2, 900 * SECOND)
    for site in world.sites:
        site.wants = []
    return world


def alone(world: World, since: Micros, until: Micros) -> None:
    """The first sink is cut off, and uses the burst of its share at the end of that time."""
    first, _ = world.sites
    world.at(since, lambda: setattr(first, "cut", "both"))
    first.wants = [(until - SECOND, until)]


def test_a_sink_that_called_alone_and_leaves_does_not_hand_on_what_it_has_used() -> None:
    world = two_sinks()
    first, second = world.sites
    alone(world, SHARES_RIPEN, SHARES_RIPEN + 200 * SECOND)
    world.at(SHARES_RIPEN + 200 * SECOND, lambda: (setattr(first, "cut", ""), world.leave(first, None))[0])
    second.wants = [(SHARES_RIPEN + 200 * SECOND, world.end)]
    world.run()
    assert sum(call.standing is Standing.ALONE for call in world.calls) == 2
    assert excess(began(world), LIMIT.meter().interval) <= LIMIT.burst


def test_a_share_that_is_forgotten_comes_back_without_what_was_called_alone_at_the_end() -> None:
    world = two_sinks()
    alone(world, SHARES_RIPEN, SHARES_RIPEN + TERMS.forget_after - TERMS.alone_after)
    world.sites[1].wants = [(SHARES_RIPEN + TERMS.forget_after + SECOND, world.end)]
    world.run()
    assert sum(call.standing is Standing.ALONE for call in world.calls) == 2
    assert excess(began(world), LIMIT.meter().interval) <= LIMIT.burst


def test_a_sink_that_starts_at_a_replica_finds_no_tokens_that_were_used_before_it_took_over() -> None:
    world = two_sinks()
    for site in world.sites:
        world.at(SHARES_RIPEN, partial(world.leave, site, None))
    world.at(SHARES_RIPEN + SECOND, world.store.replicate)
    world.start("sink/8", SHARES_RIPEN + 2 * SECOND)
    world.sites[2].wants = [(SHARES_RIPEN, SHARES_RIPEN + 4 * SECOND)]
    world.at(SHARES_RIPEN + 5 * SECOND, lambda: world.leave(world.sites[2], None))
    world.at(SHARES_RIPEN + 6 * SECOND, world.store.go_down)
    world.at(SHARES_RIPEN + 7 * SECOND, lambda: world.store.come_back("stale", 0))
    world.start("sink/9", SHARES_RIPEN + 8 * SECOND)
    world.sites[3].wants = [(SHARES_RIPEN, world.end)]
    world.run()
    assert {call.by for call in world.calls} == {"sink/8", "sink/9"}
    assert excess(began(world), LIMIT.meter().interval) <= LIMIT.burst


@pytest.mark.parametrize("again_as", ["sink/0", "sink/9"])
def test_a_sink_that_is_started_again_finds_the_bucket_as_it_was_left(again_as: str) -> None:
    world = two_sinks()
    first, _ = world.sites

    def restart() -> None:
        world.leave(first, again_as)
        world.sites[2].wants = [(SHARES_RIPEN, world.end)]

    world.at(SHARES_RIPEN, restart)
    world.run()
    # The burst, and not one call in ten seconds from now on.
    assert sum(call.began < SHARES_RIPEN + 6 * SECOND for call in world.calls) == LIMIT.burst
    assert excess(began(world), LIMIT.meter().interval) <= LIMIT.burst
