"""However sinks and their store are killed and restarted: eBay sees no listing revised more often than it allows.

Every revision of every history is checked for what its sink could know (``World``): above the cap are at most
those that it could not.
"""

from __future__ import annotations

from tests.simulation.revisions_world import KEPT, LISTINGS, REVISIONS, World

SEEDS = 100
STEPS = 250
EVERYTHING = ("down", "down", "slow", "empty", "flush", "stale", "replicate")


def require_kept(world: World) -> None:
    for listing in LISTINGS:
        assert world.revised(listing) <= REVISIONS, f"seed {world.seed}"
        assert world.ordinary[listing] <= REVISIONS - KEPT, f"seed {world.seed}"


def test_while_the_store_lives_no_kill_and_no_handing_on_costs_a_revision_too_many() -> None:
    refused = 0
    for seed in range(SEEDS):
        world = World(seed)
        world.run_for(STEPS)
        require_kept(world)
        refused += world.refused
    assert refused > 10 * SEEDS


def test_a_listing_that_stays_with_its_sink_keeps_to_its_cap_whatever_happens_to_the_store() -> None:
    alone = 0
    for seed in range(SEEDS):
        world = World(seed, EVERYTHING, moves=())
        world.run_for(STEPS)
        require_kept(world)
        alone += world.alone
    assert alone > 10 * SEEDS


def test_above_the_cap_are_only_revisions_of_which_the_sink_could_not_know() -> None:
    worst = lost = 0
    for seed in range(SEEDS):
        world = World(seed, EVERYTHING)
        world.run_for(STEPS)
        worst = max(worst, world.excess)
        lost += sum((world.made[listing] - world.known_to_anybody(listing)).total() for listing in LISTINGS)
    # Else these histories would not show that the bound is one.
    assert 0 < worst <= REVISIONS
    assert lost > 0


def test_once_the_store_is_back_it_knows_all_that_any_living_sink_does() -> None:
    forgotten = 0
    for seed in range(SEEDS):
        world = World(seed, EVERYTHING)
        world.run_for(STEPS)
        before = {listing: world.known_to_the_store(listing) for listing in LISTINGS}
        known = {listing: world.known_to_anybody(listing) for listing in LISTINGS}
        world.calm_down()
        for listing in LISTINGS:
            forgotten += known[listing] != before[listing]
            assert world.known_to_the_store(listing) == known[listing], f"seed {seed}"
            for site in world.sites:
                assert known[listing][site.name] >= world.made[listing][site.name], f"seed {seed}"
    assert forgotten > SEEDS


def test_every_revision_that_ebay_allows_can_be_used() -> None:
    for seed in range(10):
        world = World(seed, moves=())
        world.run_for(8 * STEPS)
        assert [world.revised(listing) for listing in LISTINGS] == [REVISIONS] * len(LISTINGS)
